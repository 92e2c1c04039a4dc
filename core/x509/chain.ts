// Checks a client certificate and its issuers up to the root: order, signatures, authority, usage, strength and dates.
import { X509Certificate } from 'node:crypto';
import { CountersignError } from '../errors.ts';
import { unusable } from '../identity/unusable.ts';
import { hasReadableDates } from './certificate-dates.ts';
import { certificateKeyFault, keyFaultWords } from './key-limits.ts';
import { octetsOf, type PemBlock, pemBlocks } from './pem.ts';
import { readUsageFields, type UsageFields } from './usage-fields.ts';

export interface ChainCertificate {
  /** The key of the identity document, with the position for intermediates. */
  readonly where: string;
  readonly certificate: X509Certificate;
  readonly fields: UsageFields;
}

/** The certificates in `text`, in their order. Throws `identity-unusable` for anything that is not a certificate. */
export function readCertificates(text: string, where: string, isList: boolean): ChainCertificate[] {
  return pemBlocks(text, where).map((block, index) => readBlock(block, isList ? `${where}[${index}]` : where));
}

function readBlock(block: PemBlock, place: string): ChainCertificate {
  if (block.label !== 'CERTIFICATE') {
    throw unusable('pem-malformed', place, `${place} holds a PEM block that is not a certificate.`);
  }
  const fault = certificateKeyFault(octetsOf(block));
  if (fault && fault !== 'key-malformed') {
    throw unusable(fault, place, `${place} is a certificate with a key ${keyFaultWords[fault]}.`);
  }
  try {
    if (fault) throw new Error('Its key cannot be found.');
    const certificate = new X509Certificate(block.text);
    // Parsed when they are first asked for: what cannot be read must be found here, not where it is used.
    void certificate.publicKey;
    if (!hasReadableDates(certificate)) throw new Error('Its dates cannot be read.');
    return { where: place, certificate, fields: readUsageFields(certificate.raw) };
  } catch {
    throw unusable('pem-malformed', place, `${place} holds a certificate that cannot be parsed.`);
  }
}

/** The one certificate in `text`. */
export function readCertificate(text: string, where: string): ChainCertificate {
  const links = readCertificates(text, where, false);
  const link = links[0];
  if (link === undefined || links.length > 1) {
    throw unusable('certificate-count', where, `${where} must hold one PEM certificate, but holds ${links.length}.`);
  }
  return link;
}

/** `chain` is the client certificate, its issuers in order, the root. Throws `identity-unusable` for the first defect. */
export function checkChain(chain: readonly ChainCertificate[], now: number): void {
  for (const rule of rulesFor(chain, now, true)) rule();
}

/**
 * Every defect in place of the first, for whoever puts an identity together. Without `endsAtRoot` the last certificate
 * is one whose issuer is missing: it is judged like the others, and the order not at all.
 */
export function chainDefects(chain: readonly ChainCertificate[], now: number, endsAtRoot: boolean): CountersignError[] {
  return rulesFor(chain, now, endsAtRoot).flatMap((rule) => {
    try {
      rule();
      return [];
    } catch (thrown) {
      if (thrown instanceof CountersignError) return [thrown];
      throw thrown;
    }
  });
}

function rulesFor(chain: readonly ChainCertificate[], now: number, endsAtRoot: boolean): (() => void)[] {
  return [
    ...chain.flatMap((link, index) => [
      () => checkKey(link),
      // The root is trusted for what it is, not for its own signature (RFC 5280, section 6.1: trust anchors are input).
      ...(endsAtRoot && index === chain.length - 1 ? [] : [() => checkSignatureAlgorithm(link)]),
    ]),
    ...(endsAtRoot ? [() => checkOrder(chain)] : []),
    ...chain.flatMap((link, index) => [
      ...(index > 0 ? [() => checkAuthority(link, chain.slice(1, index))] : []),
      () => checkUsage(link, index === 0),
    ]),
    ...chain.map((link) => () => checkDates(link, now)),
  ];
}

/** NIST SP 800-57 part 1 and the CA/Browser Forum's section 6.1.5 set the sizes. */
function checkKey({ where, certificate }: ChainCertificate): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    if (bits >= 2048) return;
    throw unusable('weak-key', where, `The RSA key of ${where} has ${bits} bits; 2048 is the least.`);
  }
  if (type !== 'ec') throw unusable('key-type', where, `The key of ${where} is neither RSA nor EC.`);
  if (!['prime256v1', 'secp384r1', 'secp521r1'].includes(details?.namedCurve ?? '')) {
    throw unusable('weak-key', where, `The EC key of ${where} is not on the curve P-256, P-384 or P-521.`);
  }
}

/** RFC 4055 and RFC 5758: RSA PKCS#1 v1.5 and ECDSA with SHA-256, SHA-384, SHA-512. */
const soundSignatures = new Set([
  ...['11', '12', '13'].map((arc) => `1.2.840.113549.1.1.${arc}`),
  ...['2', '3', '4'].map((arc) => `1.2.840.10045.4.3.${arc}`),
]);
const rsassaPss = '1.2.840.113549.1.1.10';
/** SHA-256, SHA-384 and SHA-512 (RFC 4055, section 2.1), DER of the OID as hex. */
const soundPssHashes = new Set(['01', '02', '03'].map((arc) => `6086480165030402${arc}`));

function checkSignatureAlgorithm({ where, certificate, fields }: ChainCertificate): void {
  const oid = certificate.signatureAlgorithmOid;
  if (soundSignatures.has(oid)) return;
  if (oid === rsassaPss && soundPssHashes.has(fields.pssHash ?? '')) return;
  const name = certificate.signatureAlgorithm ?? oid;
  if (/sha-?1$|sha1|md[245]/i.test(name) || fields.pssHash === 'sha1' || fields.pssHash === '2b0e03021a') {
    throw unusable(
      'weak-signature',
      where,
      `${where} is signed with ${name}${fields.pssHash ? ' and SHA-1' : ''}, which is broken.`,
    );
  }
  throw unusable(
    'unknown-signature',
    where,
    `${where} is signed with ${name}; SHA-256, SHA-384 or SHA-512 with RSA or ECDSA is needed.`,
  );
}

function checkOrder(chain: readonly ChainCertificate[]): void {
  const last = chain.length - 1;
  const root = chain[last] as ChainCertificate;
  if (!isIssuedBy(root, root)) {
    throw unusable(
      'root-not-self-signed',
      root.where,
      `${root.where} did not sign itself: the chain does not end at a root.`,
    );
  }
  chain.slice(0, last).forEach((link, index) => {
    if (isIssuedBy(link, link)) {
      throw index === 0
        ? unusable(
            'certificate-is-root',
            link.where,
            `${link.where} signed itself; a client certificate needs an issuer, because the root is never sent.`,
          )
        : unusable(
            'intermediate-is-self-signed',
            link.where,
            `${link.where} signed itself; a root belongs in rootCertificate alone.`,
          );
    }
    const issuer = chain[index + 1] as ChainCertificate;
    if (isIssuedBy(link, issuer)) return;
    if (issuer.fields.keyUsage?.keyCertSign === false && link.certificate.issuer === issuer.certificate.subject) {
      throw unusable(
        'key-usage',
        issuer.where,
        `The key usage of ${issuer.where} does not allow it to sign certificates.`,
      );
    }
    const elsewhere = chain.find((other) => isIssuedBy(link, other));
    throw elsewhere
      ? unusable(
          'chain-order',
          issuer.where,
          `${issuer.where} stands where the issuer of ${link.where} belongs, which is ${elsewhere.where}.`,
        )
      : unusable(
          'chain-incomplete',
          link.where,
          `${link.where} was not issued by ${issuer.where}: a certificate between them is missing or wrong.`,
        );
  });
}

/** Names, key identifiers and the issuer's key usage by checkIssued, then the signature itself. */
export function isIssuedBy(link: ChainCertificate, issuer: ChainCertificate): boolean {
  if (!link.certificate.checkIssued(issuer.certificate)) return false;
  try {
    return link.certificate.verify(issuer.certificate.publicKey);
  } catch {
    return false;
  }
}

/** RFC 5280, sections 4.2.1.9 and 6.1.4 (k) to (n). `below` are the issuers between this one and the client certificate. */
function checkAuthority({ where, certificate, fields }: ChainCertificate, below: readonly ChainCertificate[]): void {
  if (!certificate.ca) {
    throw unusable(
      'issuer-not-authority',
      where,
      `${where} is not the certificate of an authority (basic constraints).`,
    );
  }
  const counted = below.filter((link) => link.certificate.subject !== link.certificate.issuer).length;
  if (fields.pathLength !== undefined && counted > fields.pathLength) {
    throw unusable(
      'path-too-long',
      where,
      `${where} allows ${fields.pathLength} authorities below it, but has ${counted}.`,
    );
  }
}

/** id-kp-clientAuth and anyExtendedKeyUsage. */
const clientAuthUsages = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

/**
 * No extended key usage means every one (RFC 5280, section 4.2.1.12); that of an issuer limits what it issues, which
 * OpenSSL, Go and the CA/Browser Forum's section 7.1.2.10.6 all hold to. A client signs the handshake
 * (RFC 8446, section 4.4.3; RFC 5246, sections 7.4.6 and 7.4.8).
 */
function checkUsage({ where, certificate, fields }: ChainCertificate, isClient: boolean): void {
  const usages = certificate.keyUsage as string[] | undefined;
  if (usages !== undefined && !usages.some((usage) => clientAuthUsages.includes(usage))) {
    throw unusable(
      'extended-key-usage',
      where,
      `The extended key usage of ${where} does not allow client authentication.`,
    );
  }
  if (isClient && fields.keyUsage?.digitalSignature === false) {
    throw unusable(
      'key-usage',
      where,
      `The key usage of ${where} does not allow digital signatures, which a TLS client makes.`,
    );
  }
}

function checkDates({ where, certificate }: ChainCertificate, now: number): void {
  if (!(now >= certificate.validFromDate.getTime())) {
    throw unusable('not-yet-valid', where, `${where} is not valid before ${certificate.validFromDate.toISOString()}.`);
  }
  // OpenSSL counts the very second of notAfter as past, so that an identity is dropped before a peer would refuse it.
  if (!(now < certificate.validToDate.getTime())) {
    throw unusable('expired', where, `${where} expired on ${certificate.validToDate.toISOString()}.`);
  }
}
