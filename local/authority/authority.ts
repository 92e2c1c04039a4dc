// A certificate authority in memory: roots, intermediates and leaves, valid or with one named defect, RSA or EC.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import forge from 'node-forge';
import { readElements } from '../../core/x509/der.ts';

export type KeyAlgorithm = 'EC_P256' | 'EC_P384' | 'RSA_1024' | 'RSA_2048' | 'RSA_3072' | 'RSA_4096';

export interface CertificateRequest {
  readonly commonName: string;
  /** DNS names and addresses for the subject alternative names. */
  readonly names?: readonly string[];
  /** Absent: both. */
  readonly usage?: Usage;
  readonly keyAlgorithm?: KeyAlgorithm;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly signatureHash?: 'sha256' | 'sha384' | 'sha1' | 'md5';
  /** Hex; by default computed from the key (RFC 5280, section 4.2.1.2). */
  readonly keyIdentifier?: string;
  /** The key to certify, for a certificate that is renewed or cross-signed with the key it has. PEM. */
  readonly privateKey?: string;
}

export interface IssuedCertificate {
  /** PEM, the leaf alone. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly privateKey: string;
  /** PEM, the intermediates between the leaf and the root, in issuer order; empty below a root. */
  readonly intermediates: string;
  /** PEM. */
  readonly root: string;
}

/** A request to certify a public key, with the names from the request. */
export interface PublicRequest {
  /** DER of the Name. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  /** DER of the extension subjectAltName. */
  readonly alternativeNames?: Buffer | undefined;
  readonly usage?: Usage;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly privateKey: string;
  /** PEM, from this authority up to but without the root; empty for a root. */
  readonly intermediates: string;
  /** PEM. */
  readonly root: string;
  issue(request: CertificateRequest): IssuedCertificate;
  /** Certifies a public key; the private key stays with its owner. */
  certify(request: PublicRequest): Omit<IssuedCertificate, 'privateKey'>;
  /** An authority below this one. */
  intermediate(request: CertificateRequest): Authority;
}

const day = 86_400_000;

export function createAuthority(request: CertificateRequest): Authority {
  const key = keyOf(request);
  const certificate = writeCertificate(request, createPublicKey(key), { commonName: request.commonName, key }, true);
  return openAuthority(certificate, pem(key));
}

/** An authority from its certificate and key. `intermediates` is its own chain, itself first, without the root. */
export function openAuthority(
  certificate: string,
  privateKey: string,
  intermediates = '',
  root = certificate,
): Authority {
  const issuer: Issuer = { certificate, key: createPrivateKey(privateKey) };
  return {
    certificate,
    privateKey,
    intermediates,
    root,
    issue(request) {
      const key = keyOf(request);
      const leaf = writeCertificate(request, createPublicKey(key), issuer, false);
      return { certificate: leaf, privateKey: pem(key), intermediates, root };
    },
    certify({ publicKey, ...request }) {
      return { certificate: writeCertificate(request, publicKey, issuer, false), intermediates, root };
    },
    intermediate(request) {
      const key = keyOf(request);
      const below = writeCertificate(request, createPublicKey(key), issuer, true);
      return openAuthority(below, pem(key), below + intermediates, root);
    },
  };
}

type Issuer =
  | { readonly certificate: string; readonly key: KeyObject }
  | { readonly commonName: string; readonly key: KeyObject };

type Template = Omit<CertificateRequest, 'commonName'> &
  ({ readonly commonName: string } | Pick<PublicRequest, 'subject' | 'alternativeNames'>);

/**
 * node-forge writes certificates (RFC 5280, section 4.1) but supports only RSA keys, so this function inserts the
 * public key and the signature into its ASN.1, and node:crypto signs.
 */
function writeCertificate(request: Template, publicKey: KeyObject, issuer: Issuer, isAuthority: boolean): string {
  const { asn1, pki } = forge;
  const certificate = pki.createCertificate();
  const now = Date.now();
  // Positive and without a leading zero, as DER requires (RFC 5280, section 4.1.2.2).
  certificate.serialNumber = `4${randomBytes(16).toString('hex').slice(1)}`;
  certificate.validity.notBefore = request.notBefore ?? new Date(now - day);
  certificate.validity.notAfter = request.notAfter ?? new Date(now + (isAuthority ? 3650 : 365) * day);
  if ('commonName' in request) certificate.setSubject([{ name: 'commonName', value: request.commonName }]);
  const issuerPublicKey = createPublicKey(issuer.key);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: isAuthority, critical: true },
    isAuthority
      ? { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true }
      : { name: 'keyUsage', digitalSignature: true, critical: true },
    {
      id: '2.5.29.14',
      critical: false,
      value: octetString(request.keyIdentifier ?? keyIdentifier(publicKey)),
    },
    { name: 'authorityKeyIdentifier', keyIdentifier: forge.util.hexToBytes(keyIdentifier(issuerPublicKey)) },
    ...(isAuthority ? [] : usageExtension(request.usage ?? 'both')),
    ...('subject' in request && request.alternativeNames ? [extension(request.alternativeNames)] : []),
    ...(request.names?.length ? [{ name: 'subjectAltName', altNames: request.names.map(altName) }] : []),
  ]);

  // The key and algorithm are placeholders: only the TBSCertificate is used.
  certificate.publicKey = pki.setRsaPublicKey(new forge.jsbn.BigInteger('3'), new forge.jsbn.BigInteger('3'));
  const algorithm = signatureAlgorithm(issuer.key, request.signatureHash ?? 'sha256');
  (certificate as { siginfo: { algorithmOid: string } }).siginfo.algorithmOid = pki.oids
    .sha256WithRSAEncryption as string;
  const tbs = (pki as unknown as { getTBSCertificate(c: forge.pki.Certificate): forge.asn1.Asn1 }).getTBSCertificate(
    certificate,
  );
  const fields = tbs.value as forge.asn1.Asn1[];
  fields[2] = algorithm.identifier;
  fields[3] = issuerName(issuer);
  if ('subject' in request) fields[5] = asn1.fromDer(request.subject.toString('binary'));
  fields[6] = asn1.fromDer(publicKey.export({ type: 'spki', format: 'der' }).toString('binary'));

  const signature = sign(algorithm.hash, Buffer.from(asn1.toDer(tbs).getBytes(), 'binary'), issuer.key);
  const whole = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, [
    tbs,
    algorithm.identifier,
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BITSTRING, false, `\0${signature.toString('binary')}`),
  ]);
  return forge.pem.encode({ type: 'CERTIFICATE', body: asn1.toDer(whole).getBytes() }).replaceAll('\r', '');
}

function issuerName(issuer: Issuer): forge.asn1.Asn1 {
  const { asn1, pki } = forge;
  if ('commonName' in issuer) {
    const self = pki.createCertificate();
    self.setSubject([{ name: 'commonName', value: issuer.commonName }]);
    return pki.distinguishedNameToAsn1(self.subject);
  }
  const der = forge.pem.decode(issuer.certificate)[0]?.body ?? '';
  const tbs = (asn1.fromDer(der).value as forge.asn1.Asn1[])[0] as forge.asn1.Asn1;
  return (tbs.value as forge.asn1.Asn1[])[5] as forge.asn1.Asn1;
}

/** AlgorithmIdentifiers: RFC 5758, section 3.2 for ECDSA (no parameters), RFC 4055, section 5 for RSA (NULL). */
function signatureAlgorithm(key: KeyObject, hash: string): { identifier: forge.asn1.Asn1; hash: string } {
  const { asn1 } = forge;
  const isRsa = key.asymmetricKeyType === 'rsa';
  const oid = (isRsa ? rsaSignatures : ecSignatures)[hash];
  if (!oid) throw new Error(`No ${key.asymmetricKeyType} signature with ${hash}.`);
  const parts = [asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(oid).getBytes())];
  if (isRsa) parts.push(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, ''));
  return { identifier: asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts), hash };
}

const rsaSignatures: Record<string, string> = {
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha1: '1.2.840.113549.1.1.5',
  md5: '1.2.840.113549.1.1.4',
};
const ecSignatures: Record<string, string> = {
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha1: '1.2.840.10045.4.1',
};

/** SHA-1 of the public key's bit string (RFC 5280, section 4.2.1.2, method 1), as hex. */
function keyIdentifier(publicKey: KeyObject): string {
  const spki = forge.asn1.fromDer(publicKey.export({ type: 'spki', format: 'der' }).toString('binary'));
  const bits = (spki.value as forge.asn1.Asn1[])[1] as forge.asn1.Asn1 & { bitStringContents?: string };
  const content = (bits.bitStringContents ?? (bits.value as string)).slice(1);
  return createHash('sha1').update(Buffer.from(content, 'binary')).digest('hex');
}

function keyOf({ privateKey, keyAlgorithm = 'EC_P256' }: CertificateRequest): KeyObject {
  return privateKey ? createPrivateKey(privateKey) : newKey(keyAlgorithm);
}

function newKey(algorithm: KeyAlgorithm): KeyObject {
  if (algorithm.startsWith('RSA')) {
    return generateKeyPairSync('rsa', { modulusLength: Number(algorithm.slice(4)) }).privateKey;
  }
  return generateKeyPairSync('ec', { namedCurve: algorithm === 'EC_P384' ? 'P-384' : 'P-256' }).privateKey;
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Extended key usages; `none` leaves the extension out. */
type Usage = 'client' | 'server' | 'both' | 'none' | 'any' | 'codeSigning';

function usageExtension(usage: Usage): object[] {
  if (usage === 'none') return [];
  // anyExtendedKeyUsage (RFC 5280, section 4.2.1.12).
  if (usage === 'any') return [{ name: 'extKeyUsage', '2.5.29.37.0': true }];
  if (usage === 'codeSigning') return [{ name: 'extKeyUsage', codeSigning: true }];
  return [{ name: 'extKeyUsage', clientAuth: usage !== 'server', serverAuth: usage !== 'client' }];
}

/** GeneralName: 2 is a DNS name, 7 an address (RFC 5280, section 4.2.1.6). */
function altName(name: string): object {
  return /^[\d.]+$|:/.test(name) ? { type: 7, ip: name } : { type: 2, value: name };
}

/** Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } (RFC 5280, section 4.1). */
function extension(der: Buffer): object {
  const [oid, ...rest] = readElements(readElements(der, 1)?.[0]?.content ?? Buffer.alloc(0), 3) ?? [];
  const id = forge.asn1.derToOid(oid?.content.toString('binary') ?? '');
  return { id, critical: rest.length > 1, value: rest.at(-1)?.content.toString('binary') };
}

function octetString(hex: string): string {
  const { asn1 } = forge;
  return asn1
    .toDer(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, forge.util.hexToBytes(hex)))
    .getBytes();
}
