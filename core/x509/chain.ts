// Reads the certificates of an identity and checks its chain: order, signatures, authority, usage, strength and dates.
import type { X509Certificate } from 'node:crypto';
import { parseCertificate, readUsageFields, type UsageFields } from './certificate.ts';
import { X509Error } from './der.ts';
import { certificateKeyFault, faultOr, keyFaultWords } from './keys.ts';
import { digests, oids, signatureDigests } from './oids.ts';
import { type PemBlock, pemBlocks } from './pem.ts';
import { isIssuedBy } from './trust.ts';

export interface ChainCertificate {
  /** The key of the identity document, with the position for intermediates. */
  readonly where: string;
  readonly certificate: X509Certificate;
  readonly fields: UsageFields;
}

/**
 * The certificates in `text`, in their order. `isList` adds the position to `where`. Throws X509Error `pem-malformed`,
 * `key-too-large`, `explicit-curve`.
 */
export function readCertificates(text: string, where: string, isList: boolean): ChainCertificate[] {
  return pemBlocks(text, where).map((block, index) => readBlock(block, isList ? `${where}[${index}]` : where));
}

function readBlock({ label, bytes, text }: PemBlock, place: string): ChainCertificate {
  if (label !== 'CERTIFICATE') {
    throw new X509Error('pem-malformed', place, `${place} holds a PEM block that is not a certificate.`);
  }
  const fault = bytes === undefined ? 'key-malformed' : faultOr(() => certificateKeyFault(bytes, place));
  if (fault && fault !== 'key-malformed') {
    throw new X509Error(fault, place, `${place} is a certificate with a key ${keyFaultWords[fault]}.`);
  }
  const certificate = fault ? undefined : parseCertificate(text);
  const fields = certificate && readUsageFields(certificate.raw);
  if (certificate && fields) return { where: place, certificate, fields };
  throw new X509Error('pem-malformed', place, `${place} holds a certificate that cannot be parsed.`);
}

/** The one certificate in `text`. Throws as readCertificates does, and `certificate-count`. */
export function readCertificate(text: string, where: string): ChainCertificate {
  const found = readCertificates(text, where, false);
  const [certificate] = found;
  if (certificate !== undefined && found.length === 1) return certificate;
  const sentence = `${where} must hold one PEM certificate, but holds ${found.length}.`;
  throw new X509Error('certificate-count', where, sentence);
}

/**
 * `chain` is the client certificate, its issuers in order, the root. Throws X509Error for the first defect. `now` in
 * milliseconds since 1970.
 */
export function checkChain(chain: readonly ChainCertificate[], now: number): void {
  for (const check of checksOf(chain, now, true)) check();
}

/**
 * Every defect of the chain, not the first alone. Without `endsAtRoot` the issuer of the last certificate is missing:
 * that certificate is checked like the others, and the order of the chain is not.
 */
export function chainDefects(chain: readonly ChainCertificate[], now: number, endsAtRoot: boolean): X509Error[] {
  return checksOf(chain, now, endsAtRoot).flatMap((check) => {
    try {
      check();
      return [];
    } catch (thrown) {
      if (thrown instanceof X509Error) return [thrown];
      throw thrown;
    }
  });
}

function checksOf(chain: readonly ChainCertificate[], now: number, endsAtRoot: boolean): (() => void)[] {
  return [
    ...chain.flatMap((one, index) => [
      () => checkKey(one),
      // A root is a trust anchor (RFC 5280, section 6.1): its own signature is not relied on.
      ...(endsAtRoot && index === chain.length - 1 ? [] : [() => checkSignatureAlgorithm(one)]),
    ]),
    ...(endsAtRoot ? [() => checkOrder(chain)] : []),
    ...chain.flatMap((one, index) => [
      ...(index > 0 ? [() => checkAuthority(one, chain.slice(1, index))] : []),
      () => checkUsage(one, index === 0),
    ]),
    ...chain.map((one) => () => checkDates(one, now)),
  ];
}

/** NIST SP 800-57 part 1 and the CA/Browser Forum's section 6.1.5 set the sizes. */
function checkKey({ where, certificate }: ChainCertificate): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    if (bits >= 2048) return;
    throw new X509Error('weak-key', where, `The RSA key of ${where} has ${bits} bits; 2048 is the least.`);
  }
  if (type !== 'ec') throw new X509Error('key-type', where, `The key of ${where} is neither RSA nor EC.`);
  if (!['prime256v1', 'secp384r1', 'secp521r1'].includes(details?.namedCurve ?? '')) {
    throw new X509Error('weak-key', where, `The EC key of ${where} is not on the curve P-256, P-384 or P-521.`);
  }
}

const soundPssHashes: readonly (string | undefined)[] = ['sha256', 'sha384', 'sha512'];

/** RFC 4055 and RFC 5758: RSA PKCS#1 v1.5, RSASSA-PSS and ECDSA with SHA-256, SHA-384 or SHA-512. */
function checkSignatureAlgorithm({ where, certificate, fields }: ChainCertificate): void {
  const oid = certificate.signatureAlgorithmOid;
  if (signatureDigests.has(oid)) return;
  const pssHash = digests.get(fields.pssHash ?? '');
  if (oid === oids.rsassaPss && soundPssHashes.includes(pssHash)) return;
  const name = certificate.signatureAlgorithm ?? oid;
  if (/sha-?1$|sha1|md[245]/i.test(name) || pssHash === 'sha1') {
    const sentence = `${where} is signed with ${name}${fields.pssHash ? ' and SHA-1' : ''}, which is broken.`;
    throw new X509Error('weak-signature', where, sentence);
  }
  const sentence = `${where} is signed with ${name}; SHA-256, SHA-384 or SHA-512 with RSA or ECDSA is needed.`;
  throw new X509Error('unknown-signature', where, sentence);
}

function checkOrder(chain: readonly ChainCertificate[]): void {
  const root = chain.at(-1) as ChainCertificate;
  if (!isIssued(root, root)) {
    const sentence = `${root.where} did not sign itself: the chain does not end at a root.`;
    throw new X509Error('root-not-self-signed', root.where, sentence);
  }
  for (const [index, one] of chain.slice(0, -1).entries()) {
    if (isIssued(one, one)) throw selfSigned(one.where, index === 0);
    const next = chain[index + 1] as ChainCertificate;
    if (!isIssued(one, next)) throw notIssuedBy(next, one, chain);
  }
}

function isIssued(one: ChainCertificate, issuer: ChainCertificate): boolean {
  return isIssuedBy(one.certificate, issuer.certificate);
}

function selfSigned(where: string, isClient: boolean): X509Error {
  if (!isClient) {
    const sentence = `${where} signed itself; a root belongs in rootCertificate alone.`;
    return new X509Error('intermediate-is-self-signed', where, sentence);
  }
  const sentence = `${where} signed itself; a client certificate needs an issuer, because the root is never sent.`;
  return new X509Error('certificate-is-root', where, sentence);
}

function notIssuedBy(next: ChainCertificate, one: ChainCertificate, chain: readonly ChainCertificate[]): X509Error {
  const { where } = next;
  if (next.fields.keyUsage?.keyCertSign === false && one.certificate.issuer === next.certificate.subject) {
    const sentence = `The key usage of ${where} does not allow it to sign certificates.`;
    return new X509Error('key-usage', where, sentence);
  }
  const issuer = chain.find((other) => isIssued(one, other));
  if (issuer) {
    const sentence = `${where} is in the place of the issuer of ${one.where}, which is ${issuer.where}.`;
    return new X509Error('chain-order', where, sentence);
  }
  const sentence = `${one.where} was not issued by ${where}: a certificate between them is missing or wrong.`;
  return new X509Error('chain-incomplete', one.where, sentence);
}

/**
 * RFC 5280, sections 4.2.1.9 and 6.1.4 (k) to (n). `below` are the issuers between this one and the client certificate.
 */
function checkAuthority({ where, certificate, fields }: ChainCertificate, below: readonly ChainCertificate[]): void {
  if (!certificate.ca) {
    const sentence = `${where} is not the certificate of an authority (basic constraints).`;
    throw new X509Error('issuer-not-authority', where, sentence);
  }
  const counted = below.filter((one) => one.certificate.subject !== one.certificate.issuer).length;
  if (fields.pathLength !== undefined && counted > fields.pathLength) {
    const sentence = `${where} allows ${fields.pathLength} authorities below it, but has ${counted}.`;
    throw new X509Error('path-too-long', where, sentence);
  }
}

/**
 * Whether a certificate with these extended key usages can be a client's. Undefined, the extension is absent, allows
 * every use (RFC 5280, section 4.2.1.12).
 */
export function allowsClientAuthentication({ keyUsage }: X509Certificate): boolean {
  const usages = keyUsage as readonly string[] | undefined;
  return usages === undefined || usages.includes(oids.clientAuth) || usages.includes(oids.anyExtendedKeyUsage);
}

/**
 * The extended key usage of an issuer limits the certificates that it issues: OpenSSL, Go and the CA/Browser Forum's
 * section 7.1.2.10.6 agree. A client signs the handshake (RFC 8446, section 4.4.3; RFC 5246, sections 7.4.6 and 7.4.8).
 */
function checkUsage({ where, certificate, fields }: ChainCertificate, isClient: boolean): void {
  if (!allowsClientAuthentication(certificate)) {
    const sentence = `The extended key usage of ${where} does not allow client authentication.`;
    throw new X509Error('extended-key-usage', where, sentence);
  }
  if (isClient && fields.keyUsage?.digitalSignature === false) {
    const sentence = `The key usage of ${where} does not allow digital signatures, which a TLS client makes.`;
    throw new X509Error('key-usage', where, sentence);
  }
}

function checkDates({ where, certificate }: ChainCertificate, now: number): void {
  const { validFromDate: from, validToDate: to } = certificate;
  if (!(now >= from.getTime())) {
    throw new X509Error('not-yet-valid', where, `${where} is not valid before ${from.toISOString()}.`);
  }
  // OpenSSL counts the last second, notAfter, as expired: the identity ends before a peer would refuse it.
  if (!(now < to.getTime())) throw new X509Error('expired', where, `${where} expired on ${to.toISOString()}.`);
}
