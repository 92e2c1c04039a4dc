// Puts certificates in any order into the order of a chain: the client certificate, its issuers, the root.
import type { KeyObject, X509Certificate } from 'node:crypto';
import { issuerText, subjectText } from './certificate.ts';
import { readCertificates } from './chain.ts';
import { publicKeyIdentifier } from './keys.ts';
import { isIssuedBy } from './trust.ts';

export interface AssembledChain {
  /** PEM. */
  readonly certificate: string;
  /** PEM, in issuer order; empty if the root signed the certificate itself. */
  readonly intermediateCertificates: string;
  /** PEM. */
  readonly rootCertificate: string;
  /**
   * Subjects of the certificates that are not in the chain, as `CN=…, O=…`; a fixed text for one that cannot be read.
   */
  readonly unneeded: readonly string[];
}

export interface IncompleteChain {
  readonly fault: 'too-many-certificates' | 'no-certificate' | 'self-signed' | 'issuer-missing' | 'root-missing';
  /** One sentence, safe to show. */
  readonly sentence: string;
  /** Subject of the certificate that is missing, if it is known. */
  readonly issuer: string | undefined;
  readonly unneeded: readonly string[];
}

export interface AssembleOptions {
  /** PEM of the root that is preferred if several can be reached: customers trust it already. */
  readonly preferredRoot?: string | undefined;
}

const mostCertificates = 64;
/** Hostile certificates that all have one name would be verified each with each, at up to a millisecond a signature. */
const mostVerifications = 256;

/**
 * `certificates` are PEM, one or more to an entry, in any order, with duplicates and unrelated ones. An issuer matches
 * by name, key identifier and signature (RFC 5280, section 6.1). If several match, paths are searched breadth first,
 * each certificate once (RFC 4158, sections 2.4 and 3.5). Of the roots that are reached, the preferred one is taken,
 * then one whose path is valid as long as the certificate, then the nearest. Of several certificates for the key, the
 * newest with a complete chain is taken. Dates, usage and strength are not checked here: checkChain does that.
 */
export function assembleChain(
  texts: readonly string[],
  publicKey: KeyObject,
  options: AssembleOptions = {},
): AssembledChain | IncompleteChain {
  const { certificates, unreadable } = readAll(texts);
  const unneededBut = (used: Path) => [
    ...certificates.filter((one) => !used.includes(one)).map(subjectOf),
    ...unreadable,
  ];
  const incomplete = (fault: IncompleteChain['fault'], sentence: string, used: Path = []): IncompleteChain => {
    const last = used.at(-1);
    return { fault, sentence, issuer: last && issuerOf(last), unneeded: unneededBut(used) };
  };
  if (certificates.length > mostCertificates) {
    const sentence = `There are more than ${mostCertificates} certificates to find a chain in.`;
    return { fault: 'too-many-certificates', sentence, issuer: undefined, unneeded: [] };
  }
  const wanted = publicKeyIdentifier(publicKey);
  const own = certificates.filter((one) => publicKeyIdentifier(one.publicKey) === wanted).sort(newestFirst);
  if (own.length === 0) return incomplete('no-certificate', 'No certificate belongs to the private key.');
  const issuersOf = issuerFinder(certificates);
  const leaves = own.filter((one) => !isIssuedBy(one, one));
  const searches = leaves.map((leaf) => findPaths(leaf, issuersOf));
  for (const { toRoots } of searches) {
    const best = toRoots.toSorted(preferring(options.preferredRoot))[0];
    if (best === undefined) continue;
    const [leaf, ...issuers] = best as [X509Certificate, ...X509Certificate[]];
    const root = issuers.pop() as X509Certificate;
    return {
      certificate: leaf.toString(),
      intermediateCertificates: issuers.join(''),
      rootCertificate: root.toString(),
      unneeded: unneededBut(best),
    };
  }
  const [first] = searches;
  if (first === undefined) {
    const sentence = 'The certificate for the private key signed itself; a client certificate needs an issuer.';
    return incomplete('self-signed', sentence);
  }
  const { deadEnd } = first;
  if (deadEnd === undefined) {
    return incomplete(
      'root-missing',
      'The authorities among the certificates signed each other; no root is among them.',
    );
  }
  const hasRoot = certificates.some((one) => isIssuedBy(one, one));
  const last = deadEnd.at(-1) as X509Certificate;
  const sentence = `The issuer of "${subjectOf(last)}", which is "${issuerOf(last)}", is not among the certificates.`;
  return incomplete(deadEnd.length > 1 && !hasRoot ? 'root-missing' : 'issuer-missing', sentence, deadEnd);
}

/** Each certificate once, sorted by fingerprint: the result does not depend on the order of the input. */
function readAll(texts: readonly string[]): { certificates: X509Certificate[]; unreadable: string[] } {
  const found = new Map<string, X509Certificate>();
  const unreadable: string[] = [];
  for (const text of texts) {
    try {
      for (const { certificate } of readCertificates(text, 'certificates', true)) {
        found.set(certificate.fingerprint256, certificate);
      }
    } catch {
      if (unreadable.length < mostCertificates) unreadable.push('a certificate that cannot be read');
    }
    if (found.size > mostCertificates) break;
  }
  const sorted = [...found].sort(([one], [other]) => (one < other ? -1 : 1));
  return { certificates: sorted.map(([, certificate]) => certificate), unreadable };
}

/** A certificate that an authority signed for itself with the same key comes after those that were issued for it. */
function newestFirst(one: X509Certificate, other: X509Certificate): number {
  return (
    Number(one.ca) - Number(other.ca) ||
    other.validFromDate.getTime() - one.validFromDate.getTime() ||
    other.validToDate.getTime() - one.validToDate.getTime()
  );
}

type IssuerFinder = (certificate: X509Certificate) => readonly X509Certificate[];

/** Authorities first, then the one that is valid longest: a renewed intermediate comes before the old one. */
function issuerFinder(certificates: readonly X509Certificate[]): IssuerFinder {
  const known = new Map<X509Certificate, readonly X509Certificate[]>();
  let verifications = 0;
  const isVerified = (one: X509Certificate, other: X509Certificate) => {
    if (one.issuer !== other.subject || verifications >= mostVerifications) return false;
    verifications += 1;
    return isIssuedBy(one, other);
  };
  const byPreference = (one: X509Certificate, other: X509Certificate) =>
    Number(other.ca) - Number(one.ca) || other.validToDate.getTime() - one.validToDate.getTime();
  return (certificate) => {
    const found =
      known.get(certificate) ??
      certificates.filter((other) => other !== certificate && isVerified(certificate, other)).sort(byPreference);
    known.set(certificate, found);
    return found;
  };
}

type Path = readonly X509Certificate[];

/** The shortest path to each root, and the longest path that ends at a certificate whose issuer is missing. */
function findPaths(leaf: X509Certificate, issuersOf: IssuerFinder): { toRoots: Path[]; deadEnd: Path | undefined } {
  const seen = new Set([leaf]);
  const toRoots: Path[] = [];
  let level: Path[] = [[leaf]];
  let deadEnd: Path | undefined;
  while (level.length > 0) {
    const next: Path[] = [];
    for (const path of level) {
      const last = path.at(-1) as X509Certificate;
      if (path.length > 1 && isIssuedBy(last, last)) {
        toRoots.push(path);
        continue;
      }
      const issuers = issuersOf(last);
      if (issuers.length === 0) deadEnd = path;
      for (const issuer of issuers) {
        if (seen.has(issuer)) continue;
        seen.add(issuer);
        next.push([...path, issuer]);
      }
    }
    level = next;
  }
  return { toRoots, deadEnd };
}

function preferring(preferredRoot: string | undefined): (one: Path, other: Path) => number {
  const preferred = preferredRoot === undefined ? undefined : readAll([preferredRoot]).certificates[0];
  const rank = (path: Path) => {
    if (!outlivesLeaf(path)) return 2;
    return path.at(-1)?.fingerprint256 === preferred?.fingerprint256 ? 0 : 1;
  };
  return (one, other) => rank(one) - rank(other) || one.length - other.length;
}

/** An issuer that expires before the certificate would end the identity early. */
function outlivesLeaf([leaf, ...issuers]: Path): boolean {
  const end = leaf?.validToDate.getTime() ?? 0;
  return issuers.every((issuer) => issuer.validToDate.getTime() >= end);
}

const nameless = 'a name without a word';

function subjectOf(certificate: X509Certificate): string {
  return subjectText(certificate) || nameless;
}

function issuerOf(certificate: X509Certificate): string {
  return issuerText(certificate) || nameless;
}
