// Reads certificates and certificate requests: the fields that node:crypto does not show, their names and their dates.
import { createHash, createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { comparableNames, findAlternativeNames } from './alternative-names.ts';
import { type DerElement, integerOf, oidOf, readElements, readInside, tag } from './der.ts';
import { readName, sameName } from './distinguished-name.ts';
import { oids, signatureDigests } from './oids.ts';
import { readPem } from './pem.ts';

/** DER or PEM of one certificate; undefined if it, its key or its dates cannot be read. */
export function parseCertificate(bytes: Buffer | string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(bytes);
    // Node parses the key when it is first read: damage must show here, not where the key is used.
    void certificate.publicKey;
    return hasReadableDates(certificate) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Must be checked before `validFromDate` and `validToDate` are read. For a date that OpenSSL cannot read, Node 24.21
 * returns uninitialised memory: mostly an invalid Date, sometimes a valid one. `validFrom` and `validTo` are correct
 * ("Bad time value").
 */
export function hasReadableDates({ validFrom, validTo }: X509Certificate): boolean {
  return !Number.isNaN(Date.parse(validFrom)) && !Number.isNaN(Date.parse(validTo));
}

/** `now` in milliseconds since 1970. False for a date that cannot be read, whose number is NaN. */
export function inDates(certificate: X509Certificate, now: number): boolean {
  return now >= Date.parse(certificate.validFrom) && now <= Date.parse(certificate.validTo);
}

const dayMs = 86_400_000;
/** A certificate expires soon when fewer days than this are left: people need weeks to replace one. */
export const expirySoonDays = 30;

/** Whole days from `now` (milliseconds since 1970) to `end`, rounded down; negative if it is past. */
export function daysUntil(end: number, now: number): number {
  return Math.floor((end - now) / dayMs);
}

/** Also true if it has expired. Milliseconds since 1970. */
export function expiresSoon(end: number, now: number): boolean {
  return end - now < expirySoonDays * dayMs;
}

/** SHA-256 of the SubjectPublicKeyInfo, `sha256/…` in base64 (RFC 7469, section 2.4). */
export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

export interface CertificateFields {
  /** DER of the Name. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** The content of the serial number, as it is in the certificate; it may be negative. */
  readonly serialNumber: Buffer;
  /** The object identifier of the algorithm that it is signed with. */
  readonly signature: string;
  /** DER of the SEQUENCE of extensions; undefined if there are no extensions. */
  readonly extensions: Buffer | undefined;
}

/** RFC 5280, section 4.1. Undefined if the bytes are not a certificate. */
export function readCertificateFields(der: Buffer): CertificateFields | undefined {
  const [tbs, algorithm] = readInside(der, tag.sequence, 3) ?? [];
  const fields = tbs?.tag === tag.sequence ? readElements(tbs.content, 10) : undefined;
  const signature = algorithm?.tag === tag.sequence ? oidOf(readElements(algorithm.content, 2)?.[0]) : undefined;
  if (!fields || !signature) return undefined;
  // serialNumber, signature, issuer, validity, subject; the version before them is optional.
  const [serialNumber, , issuer, , subject] = fields[0]?.tag === tag.context0 ? fields.slice(1) : fields;
  if (serialNumber?.tag !== tag.integer || issuer?.tag !== tag.sequence || subject?.tag !== tag.sequence) {
    return undefined;
  }
  return {
    issuer: issuer.whole,
    subject: subject.whole,
    serialNumber: serialNumber.content,
    signature,
    extensions: fields.find((field) => field.tag === tag.context3)?.content,
  };
}

/** RFC 4514, escaped and cut (distinguished-name.ts). Empty if the certificate has no subject. */
export function subjectText({ raw }: X509Certificate): string {
  const fields = readCertificateFields(raw);
  return fields ? readName(fields.subject).text : '';
}

export function issuerText({ raw }: X509Certificate): string {
  const fields = readCertificateFields(raw);
  return fields ? readName(fields.issuer).text : '';
}

const mostExtensions = 64;

/**
 * The parts of each extension: object identifier, `critical` if it is there, OCTET STRING. Undefined if one is damaged.
 */
function readExtensions(extensions: Buffer | undefined): (readonly DerElement[])[] | undefined {
  if (extensions === undefined) return [];
  const found = readInside(extensions, tag.sequence, mostExtensions)?.map(({ content }) => readElements(content, 3));
  return found?.some((parts) => parts === undefined) ? undefined : (found as DerElement[][] | undefined);
}

function extensionValue(extensions: readonly (readonly DerElement[])[], oid: string): Buffer | undefined {
  const parts = extensions.find(([type]) => oidOf(type) === oid);
  return parts?.find((part) => part.tag === tag.octetString)?.content;
}

/** The content of the extension's OCTET STRING. */
export function findExtension(certificate: Buffer, oid: string): Buffer | undefined {
  return extensionValue(readExtensions(readCertificateFields(certificate)?.extensions) ?? [], oid);
}

/** The object identifiers of the critical extensions (RFC 5280, section 4.2). DER. */
export function criticalExtensions(certificate: Buffer): readonly string[] {
  const extensions = readExtensions(readCertificateFields(certificate)?.extensions) ?? [];
  return extensions.flatMap(([type, critical]) => {
    const isCritical = critical?.tag === tag.boolean && critical.content[0] === 0xff;
    return isCritical ? (oidOf(type) ?? []) : [];
  });
}

/** Fields that decide what a certificate can be used for, and that node:crypto does not show. */
export interface UsageFields {
  /** RFC 5280, section 4.2.1.3; undefined if the extension is absent, and then every use is allowed. */
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | undefined;
  /** RFC 5280, section 4.2.1.9; undefined if there is no limit. */
  readonly pathLength: number | undefined;
  /**
   * RFC 4055, section 3.1: the OID of the hash in RSASSA-PSS, SHA-1's if it is left out; undefined for other
   * algorithms.
   */
  readonly pssHash: string | undefined;
}

/** Undefined if the extensions are damaged: OpenSSL does not look into those that it was not asked for. */
export function readUsageFields(der: Buffer): UsageFields | undefined {
  const fields = readCertificateFields(der);
  const extensions = fields && readExtensions(fields.extensions);
  const usage = extensions && extensionValue(extensions, oids.keyUsage);
  const constraints = extensions && extensionValue(extensions, oids.basicConstraints);
  const [bits] = (usage && readElements(usage, 1)) ?? [];
  const parts = constraints && readInside(constraints, tag.sequence, 2);
  if (!extensions || (usage && bits?.tag !== tag.bitString) || (constraints && !parts)) return undefined;
  return {
    // The first content octet counts unused bits; bit 0 is the highest one of the next octet.
    keyUsage: bits && {
      digitalSignature: ((bits.content[1] ?? 0) & 0x80) !== 0,
      keyCertSign: ((bits.content[1] ?? 0) & 0x04) !== 0,
    },
    pathLength: integerOf(parts?.find((part) => part.tag === tag.integer)),
    pssHash: fields.signature === oids.rsassaPss ? pssHashOf(der) : undefined,
  };
}

const sha1 = '1.3.14.3.2.26';

/** RSASSA-PSS-params: hashAlgorithm is `[0]`, explicit. */
function pssHashOf(der: Buffer): string {
  const [, algorithm] = readInside(der, tag.sequence, 3) ?? [];
  const [, parameters] = (algorithm && readElements(algorithm.content, 2)) ?? [];
  const hash = (parameters && readElements(parameters.content, 4))?.find((part) => part.tag === tag.context0);
  return oidOf((hash && readInside(hash.content, tag.sequence, 2))?.[0]) ?? sha1;
}

/** The names that a certificate bears or a request asks for. */
export interface CertificateNames {
  /** DER of the Name. */
  readonly subject: Buffer;
  /** The extension subjectAltName, DER; undefined if it is absent. */
  readonly alternativeNames: Buffer | undefined;
}

/** Of a certificate (DER), byte for byte. Undefined if the bytes are not a certificate. */
export function namesOfCertificate(certificate: Buffer): CertificateNames | undefined {
  const fields = readCertificateFields(certificate);
  if (!fields) return undefined;
  const { subject, extensions } = fields;
  return { subject, alternativeNames: extensions && findAlternativeNames(extensions) };
}

/**
 * The same subject (RFC 5280, section 7.1: Go writes PrintableString where a request had UTF8String), and the same
 * alternative names in any order.
 */
export function hasSameNames(one: CertificateNames, other: CertificateNames): boolean {
  const names = ({ alternativeNames }: CertificateNames) => comparableNames(alternativeNames).toSorted().join(' ');
  return sameName(one.subject, other.subject) && names(one) === names(other);
}

/** A certificate request (PKCS#10, RFC 2986). */
export interface RequestFields extends CertificateNames {
  readonly publicKey: KeyObject;
  /** False if the request was not signed with the key that is in it. */
  readonly isSigned: boolean;
}

const mostRequest = { characters: 65_536, attributes: 16 } as const;
const requestLabels = ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'];

/** PEM; text around it is ignored. Undefined if it is not a request, or its key is neither RSA nor EC. */
export function readCertificateRequest(pem: string): RequestFields | undefined {
  if (pem.length > mostRequest.characters) return undefined;
  const block = readPem(pem).find(({ label, hasEnd }) => hasEnd && requestLabels.includes(label));
  const [info, algorithm, signature] = (block?.bytes && readInside(block.bytes, tag.sequence, 3)) ?? [];
  const [, subject, spki, attributes] = info?.tag === tag.sequence ? (readElements(info.content, 4) ?? []) : [];
  const isRequest =
    algorithm?.tag === tag.sequence && signature?.tag === tag.bitString && subject?.tag === tag.sequence;
  const publicKey = spki && isRequest ? readKey(spki.whole) : undefined;
  if (!info || !isRequest || !publicKey) return undefined;
  const digest = signatureDigests.get(oidOf(readElements(algorithm.content, 2)?.[0]) ?? '');
  return {
    subject: subject.whole,
    publicKey,
    alternativeNames: requestedNames(attributes?.content),
    isSigned: digest !== undefined && isSignedWith(publicKey, digest, info.whole, signature.content),
  };
}

function requestedNames(attributes: Buffer | undefined): Buffer | undefined {
  for (const attribute of (attributes && readElements(attributes, mostRequest.attributes)) ?? []) {
    const [type, values] = readElements(attribute.content, 2) ?? [];
    if (values && oidOf(type) === oids.extensionRequest) return findAlternativeNames(values.content);
  }
  return undefined;
}

function readKey(spki: Buffer): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: spki, type: 'spki', format: 'der' });
    return key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** `bits` is the content of a BIT STRING, whose first octet counts unused bits: a signature has 0. */
function isSignedWith(key: KeyObject, digest: string, signed: Buffer, bits: Buffer): boolean {
  try {
    return bits[0] === 0 && verify(digest, signed, key, bits.subarray(1));
  } catch {
    return false;
  }
}

/**
 * Disables `getPeerCertificate` of a TLS socket, which Node calls for checkServerIdentity after a verified handshake.
 * In Node 24.21, `getPeerCertificate(true)` ends the process with SIGSEGV if a certificate of the chain has an EC key
 * whose curve has no NIST name (secp256k1, brainpool). `getPeerX509Certificate()` is safe. The caller must check the
 * name of the server itself.
 */
export function avoidLegacyCertificate(tls: TLSSocket): void {
  tls.getPeerCertificate = (() => ({})) as unknown as typeof tls.getPeerCertificate;
}
