// Certificates for the recordings, made without a module of the project: RSA 2048, so that signatures have one length.
import { createHash, createPublicKey, generateKeyPair, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

const day = 86_400_000;
/** All dates count from here: to the second, as certificates do. */
const start = Math.floor(Date.now() / 1000) * 1000;

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

export interface Issued {
  readonly privateKey: string;
  /** PEM, as are the others. */
  readonly certificate: string;
  /** Without the root. */
  readonly intermediates: string;
  readonly root: string;
}

export interface LeafOptions {
  readonly names?: readonly string[];
  readonly usage?: 'client' | 'server';
  /** Days from now; half a day is added to the end, so that "days left" is the same all day. */
  readonly from?: number;
  readonly to?: number;
}

export interface Authority extends Issued {
  issue(commonName: string, key: KeyPair, options?: LeafOptions): Issued;
  intermediate(commonName: string, key: KeyPair): Authority;
}

const generate = promisify(generateKeyPair);

export async function makeKey(): Promise<KeyPair> {
  return await generate('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

export function makeRoot(commonName: string, key: KeyPair): Authority {
  const certificate = sign({ commonName, key, issuer: undefined, extensions: authorityExtensions() });
  return authority({ privateKey: key.privateKey, certificate, intermediates: '', root: certificate });
}

export const fingerprintOf = (pem: string) => new X509Certificate(pem).fingerprint256;

/** RFC 7469, section 2.4, with `sha256/` before it. */
export function pinOf(pem: string): string {
  const key = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(key).digest('base64')}`;
}

/** PKCS#12 with 3DES, as keytool of old wrote it. */
export function pkcs12Of(issued: Issued, passphrase: string): Buffer {
  const { pki, asn1, pkcs12 } = forge;
  const chain = [issued.certificate, ...pemBlocks(issued.intermediates), issued.root].map((pem) =>
    pki.certificateFromPem(pem),
  );
  const key = pki.privateKeyFromPem(issued.privateKey);
  const sealed = pkcs12.toPkcs12Asn1(key, chain, passphrase, { algorithm: '3des' });
  return Buffer.from(asn1.toDer(sealed).getBytes(), 'binary');
}

function authority(own: Issued): Authority {
  const above = own.certificate === own.root ? '' : own.certificate + own.intermediates;
  return {
    ...own,
    issue(commonName, key, options = {}) {
      const certificate = sign({ commonName, key, issuer: own, extensions: leafExtensions(options), ...options });
      return { privateKey: key.privateKey, certificate, intermediates: above, root: own.root };
    },
    intermediate(commonName, key) {
      const certificate = sign({ commonName, key, issuer: own, extensions: authorityExtensions() });
      return authority({ privateKey: key.privateKey, certificate, intermediates: above, root: own.root });
    },
  };
}

/** Anew for each: forge writes what it encodes into them. */
const authorityExtensions = () => [
  { name: 'basicConstraints', cA: true, critical: true },
  { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  { name: 'subjectKeyIdentifier' },
];

function leafExtensions({ names = [], usage = 'server' }: LeafOptions): object[] {
  const altNames = names.map((name) => (/^[\d.]+$/.test(name) ? { type: 7, ip: name } : { type: 2, value: name }));
  return [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, critical: true },
    { name: 'extKeyUsage', serverAuth: usage === 'server', clientAuth: usage === 'client' },
    { name: 'subjectKeyIdentifier' },
    ...(altNames.length > 0 ? [{ name: 'subjectAltName', altNames }] : []),
  ];
}

interface Signing {
  readonly commonName: string;
  readonly key: KeyPair;
  /** Undefined for a root. */
  readonly issuer: Issued | undefined;
  readonly extensions: readonly object[];
  readonly from?: number;
  readonly to?: number;
}

let serial = 0x4100;

function sign({ commonName, key, issuer, extensions, from = -1, to = issuer ? 90 : 3650 }: Signing): string {
  const { pki, md } = forge;
  const made = pki.createCertificate();
  made.publicKey = pki.publicKeyFromPem(key.publicKey);
  made.serialNumber = (++serial).toString(16);
  made.validity.notBefore = new Date(start + from * day);
  made.validity.notAfter = new Date(start + (to + 0.5) * day);
  const signer = issuer && pki.certificateFromPem(issuer.certificate);
  made.setSubject([{ shortName: 'CN', value: commonName }]);
  made.setIssuer(signer ? signer.subject.attributes : made.subject.attributes);
  // RFC 5280, section 4.2.1.1; forge would write the certificate's own key there.
  const keyIdentifier = (signer ?? made).generateSubjectKeyIdentifier().getBytes();
  made.setExtensions([...extensions, { id: '2.5.29.35', value: `\x30\x16\x80\x14${keyIdentifier}` }]);
  made.sign(pki.privateKeyFromPem(issuer?.privateKey ?? key.privateKey), md.sha256.create());
  return pki.certificateToPem(made).replaceAll('\r\n', '\n');
}

function pemBlocks(text: string): string[] {
  return text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n/g) ?? [];
}
