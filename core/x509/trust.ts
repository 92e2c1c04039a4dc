// Finds the issuer of a certificate and the trusted roots: the same for invocations, diagnoses, imports and `serve`.
import { X509Certificate } from 'node:crypto';
import { getCACertificates, rootCertificates } from 'node:tls';
import { BoundedMap } from '../bounded-map.ts';
import { findExtension, readCertificateFields } from './certificate.ts';
import { derObjectIdentifier, readElements, readInside, tag } from './der.ts';
import { sameName } from './distinguished-name.ts';
import { isWithinKeyLimits, publicKeyIdentifier } from './keys.ts';
import { oids } from './oids.ts';
import { canonicalBytes, readPem } from './pem.ts';

/** The signature alone, if the key of the issuer is within the limits of keys.ts. Names are not compared. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    const key = issuer.publicKey;
    return isWithinKeyLimits(key) && certificate.verify(key);
  } catch {
    return false;
  }
}

/** Names, key identifiers and the key usage of the issuer (OpenSSL's X509_check_issued), then the signature. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && isSignedBy(certificate, issuer);
}

export type IssuedBy = typeof isIssuedBy;

/**
 * A server can send 32 certificates that all have one name, and each signature takes up to a millisecond in which the
 * process does nothing else. A real chain of five takes a dozen.
 */
const mostChecks = 40;

/**
 * isIssuedBy for one assessment: each pair is verified once. After `maxChecks` pairs, the answer is false for all
 * others.
 */
export function createIssuedBy(maxChecks = mostChecks): IssuedBy {
  const known = new Map<string, boolean>();
  return (certificate, issuer) => {
    // Comparing names is free: only pairs that match are counted.
    if (!certificate.checkIssued(issuer)) return false;
    const pair = `${certificate.fingerprint256} ${issuer.fingerprint256}`;
    const before = known.get(pair);
    if (before !== undefined) return before;
    if (known.size === maxChecks) return false;
    const is = isSignedBy(certificate, issuer);
    known.set(pair, is);
    return is;
  };
}

/**
 * The roots that servers are verified with. `pem`: those of a destination. Undefined: those that Node passes to OpenSSL
 * by default, with NODE_EXTRA_CA_CERTS and --use-system-ca (17 ms to parse, once for the process). Blocks that are not
 * certificates are ignored.
 */
export function trustedRoots(pem: string | undefined): readonly X509Certificate[] {
  if (pem !== undefined) return certificatesFromPem(pem);
  defaultRoots.certificates ??= getCACertificates('default').map((root) => new X509Certificate(root));
  return defaultRoots.certificates;
}

const defaultRoots: { certificates?: readonly X509Certificate[] } = {};

/** The certificates of a text; other blocks are ignored. Throws the error of Node for a damaged certificate. */
export function certificatesFromPem(pem: string): X509Certificate[] {
  const blocks = readPem(pem).filter(({ label, hasEnd }) => hasEnd && label === 'CERTIFICATE');
  return blocks.map(({ text }) => new X509Certificate(text));
}

/** Where a chain ends: the first of its certificates that is trusted or that a trusted one issued. */
export interface AnchoredChain {
  readonly index: number;
  readonly anchor: X509Certificate;
}

/**
 * Undefined if the chain leads to no trusted certificate. Candidates are found by the bytes of their names, because to
 * parse all default roots takes 17 ms; without a candidate, names are compared as RFC 5280, section 7.1 says.
 */
export function anchorOf(chain: readonly X509Certificate[], pem: string | undefined): AnchoredChain | undefined {
  const key = pem ?? 'default';
  const anchors = anchorsOf.get(key) ?? readAnchors(pem);
  anchorsOf.set(key, anchors);
  return findAnchor(chain, anchors, false) ?? findAnchor(chain, anchors, true);
}

interface Anchors {
  readonly ders: readonly Buffer[];
  /** By fingerprint: each issuer's signature is verified once. */
  readonly known: BoundedMap<string, { readonly anchor: X509Certificate | undefined }>;
}

const anchorsOf = new BoundedMap<string, Anchors>({ maxEntries: 100 });

function readAnchors(pem: string | undefined): Anchors {
  const ders =
    pem === undefined
      ? getCACertificates('default').map(canonicalBytes)
      : certificatesFromPem(pem).map((certificate) => certificate.raw);
  return { ders, known: new BoundedMap({ maxEntries: 1_000 }) };
}

function findAnchor(
  chain: readonly X509Certificate[],
  { ders, known }: Anchors,
  byComparison: boolean,
): AnchoredChain | undefined {
  for (const [index, certificate] of chain.entries()) {
    const key = `${byComparison} ${certificate.fingerprint256}`;
    const anchor = (known.get(key) ?? { anchor: issuingAnchor(certificate, ders, byComparison) }).anchor;
    known.set(key, { anchor });
    if (anchor) return { index, anchor };
  }
  return undefined;
}

function issuingAnchor(
  certificate: X509Certificate,
  ders: readonly Buffer[],
  byComparison: boolean,
): X509Certificate | undefined {
  const { raw } = certificate;
  const issuer = readCertificateFields(raw)?.issuer;
  if (!issuer || ders.some((der) => der.equals(raw))) return issuer && certificate;
  const isCandidate = (der: Buffer) =>
    byComparison ? sameName(readCertificateFields(der)?.subject ?? der, issuer) : der.includes(issuer);
  return ders
    .filter(isCandidate)
    .map((der) => new X509Certificate(der))
    .find((anchor) => isIssuedBy(certificate, anchor));
}

/** The public web's roots as Node bundles them, PEM (Mozilla's list). NODE_EXTRA_CA_CERTS does not add to it. */
export const publicRoots: readonly string[] = rootCertificates;

/**
 * The public root above `chain`, or in it. `chain` is the client certificate and its issuers, with or without the root.
 * Under a public root, no certificate that is issued after March 2027 can allow client authentication (Chrome Root
 * Program Policy 1.8). A root is recognised by name and key: a cross-signed one is another certificate.
 */
export function publicRootOf(
  chain: readonly X509Certificate[],
  roots: readonly string[] = publicRoots,
): X509Certificate | undefined {
  const bySubject = Map.groupBy(
    roots.map((pem) => new X509Certificate(pem)),
    ({ subject }) => subject,
  );
  for (const certificate of chain) {
    const key = publicKeyIdentifier(certificate.publicKey);
    const own = bySubject.get(certificate.subject)?.find((root) => publicKeyIdentifier(root.publicKey) === key);
    if (own) return own;
    const issuer = bySubject.get(certificate.issuer)?.find((root) => isSignedBy(certificate, root));
    if (issuer) return issuer;
  }
  return undefined;
}

/** Names of one certificate that are read; a list this long takes OpenSSL itself a while. */
const mostSubtrees = 4096;
const identifier = derObjectIdentifier(oids.nameConstraints);

/**
 * Lower case. Empty without the extension; one empty subtree, which excludes every name, if it cannot be read. The
 * search of the bytes costs 1 µs, and almost no certificate has the extension.
 */
export function excludedDnsNames({ raw }: X509Certificate): readonly string[] {
  if (!raw.includes(identifier)) return [];
  const value = findExtension(raw, oids.nameConstraints);
  const parts = value && readInside(value, tag.sequence, 2);
  if (!parts) return value ? [''] : [];
  const excluded = parts.find(({ tag: kind }) => kind === 0xa1);
  const subtrees = excluded ? readElements(excluded.content, mostSubtrees) : [];
  return (subtrees ?? [undefined]).flatMap((subtree) => {
    const base = subtree ? readElements(subtree.content, 3)?.[0] : undefined;
    if (!base) return [''];
    return base.tag === 0x82 ? [base.content.toString('latin1').toLowerCase()] : [];
  });
}

/** A subtree `example.com` holds that name and all below it, `.example.com` those below it, an empty one every name. */
export function isInSubtree(name: string, subtree: string): boolean {
  const host = name.toLowerCase().replace(/\.$/, '');
  const below = subtree.startsWith('.') ? subtree : `.${subtree}`;
  return subtree === '' || host === subtree || host.endsWith(below);
}
