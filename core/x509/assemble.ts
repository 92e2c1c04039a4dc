// Puts certificates that came in any order into the order of a chain: the key's own, its issuers, the root.
import type { KeyObject } from 'node:crypto';
import { type ChainCertificate, isIssuedBy, readCertificates } from './chain.ts';

export interface AssembledChain {
  /** PEM. */
  readonly certificate: string;
  /** PEM, in issuer order; empty when the root signed the certificate itself. */
  readonly intermediateCertificates: string;
  /** PEM. */
  readonly rootCertificate: string;
  /** Subjects of those that were not needed, as `CN=…, O=…`; of one that cannot be read, a word that says so. */
  readonly unneeded: readonly string[];
}

export interface IncompleteChain {
  readonly fault: 'too-many-certificates' | 'no-certificate' | 'self-signed' | 'issuer-missing' | 'root-missing';
  /** One sentence, safe to show. */
  readonly sentence: string;
  /** Subject of the certificate that is missing, where it is known. */
  readonly issuer: string | undefined;
  readonly unneeded: readonly string[];
}

export interface AssembleOptions {
  /** PEM of a root that is preferred where several can be reached: customers trust it already. */
  readonly preferredRoot?: string | undefined;
}

const mostCertificates = 64;
/** Of hostile certificates that all have one name, each would be tried with each: 0.1 ms to 5 ms for a verification. */
const mostVerifications = 256;
const nameLength = 256;

/**
 * `certificates` are PEM, one or more to an entry, in any order, with duplicates and strangers. An issuer is one whose
 * name, key identifier and signature match (RFC 5280, section 6.1); where several do, the ways are gone in breadth, each
 * certificate once (RFC 4158, sections 2.4 and 3.5). Of the roots that are reached the preferred one is taken, then one
 * whose way is valid as long as the certificate itself, then the nearest. Dates, usage and strength are not judged here:
 * checkIdentity does that. Of several certificates for the key, the newest whose chain is complete is taken.
 */
export function assembleChain(
  certificates: readonly string[],
  publicKey: KeyObject,
  options: AssembleOptions = {},
): AssembledChain | IncompleteChain {
  const { links, unreadable } = readAll(certificates);
  const unneededBut = (used: readonly ChainCertificate[]) => [
    ...links.filter((link) => !used.includes(link)).map(subjectOf),
    ...unreadable,
  ];
  const incomplete = (fault: IncompleteChain['fault'], sentence: string, used: readonly ChainCertificate[] = []) => {
    const last = used.at(-1);
    return { fault, sentence, issuer: last && issuerOf(last), unneeded: unneededBut(used) };
  };
  if (links.length > mostCertificates) {
    const sentence = `There are more than ${mostCertificates} certificates to find a chain in.`;
    return { fault: 'too-many-certificates', sentence, issuer: undefined, unneeded: [] };
  }
  const own = links.filter(({ certificate }) => certificate.publicKey.equals(publicKey)).sort(newestFirst);
  if (own.length === 0) return incomplete('no-certificate', 'None of the certificates is for the private key.');
  const issuersOf = issuerFinder(links);
  const leaves = own.filter((link) => !isIssuedBy(link, link));
  const ways = leaves.map((leaf) => findWays(leaf, issuersOf));
  for (const { roots } of ways) {
    const best = roots.toSorted(by(options.preferredRoot))[0];
    if (best === undefined) continue;
    const [leaf, ...issuers] = best as [ChainCertificate, ...ChainCertificate[]];
    const root = issuers.pop() as ChainCertificate;
    return {
      certificate: leaf.certificate.toString(),
      intermediateCertificates: issuers.map(({ certificate }) => certificate.toString()).join(''),
      rootCertificate: root.certificate.toString(),
      unneeded: unneededBut(best),
    };
  }
  const [first] = ways;
  if (first === undefined) {
    const sentence = 'The certificate for the private key signed itself; a client certificate needs an issuer.';
    return incomplete('self-signed', sentence);
  }
  const { deadEnd } = first;
  if (deadEnd === undefined) {
    return incomplete('root-missing', 'The authorities among the certificates signed each other, and none itself.');
  }
  const hasRoot = links.some((link) => isIssuedBy(link, link));
  const last = deadEnd.at(-1) as ChainCertificate;
  const sentence = `The issuer of "${subjectOf(last)}", which is "${issuerOf(last)}", is not among the certificates.`;
  return incomplete(deadEnd.length > 1 && !hasRoot ? 'root-missing' : 'issuer-missing', sentence, deadEnd);
}

/** Each certificate once. Sorted by fingerprint, so that what comes out does not depend on the order of what goes in. */
function readAll(texts: readonly string[]): { links: ChainCertificate[]; unreadable: string[] } {
  const found = new Map<string, ChainCertificate>();
  const unreadable: string[] = [];
  for (const text of texts) {
    try {
      for (const link of readCertificates(text, 'certificates', true)) found.set(link.certificate.fingerprint256, link);
    } catch {
      if (unreadable.length < mostCertificates) unreadable.push('a certificate that cannot be read');
    }
    if (found.size > mostCertificates) break;
  }
  const links = [...found].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, link]) => link);
  return { links, unreadable };
}

/** What an authority signed for itself with the same key stands behind what it was issued. */
function newestFirst({ certificate: one }: ChainCertificate, { certificate: other }: ChainCertificate): number {
  return (
    Number(one.ca) - Number(other.ca) ||
    other.validFromDate.getTime() - one.validFromDate.getTime() ||
    other.validToDate.getTime() - one.validToDate.getTime()
  );
}

type IssuerFinder = (link: ChainCertificate) => readonly ChainCertificate[];

/** Authorities before what is none, then the one that is valid longest: a renewed intermediate goes before the old one. */
function issuerFinder(links: readonly ChainCertificate[]): IssuerFinder {
  const known = new Map<ChainCertificate, readonly ChainCertificate[]>();
  let verifications = 0;
  const isVerified = (link: ChainCertificate, other: ChainCertificate) => {
    if (link.certificate.issuer !== other.certificate.subject || verifications >= mostVerifications) return false;
    verifications += 1;
    return isIssuedBy(link, other);
  };
  return (link) => {
    const found =
      known.get(link) ??
      links
        .filter((other) => other !== link && isVerified(link, other))
        .sort(
          ({ certificate: one }, { certificate: other }) =>
            Number(other.ca) - Number(one.ca) || other.validToDate.getTime() - one.validToDate.getTime(),
        );
    known.set(link, found);
    return found;
  };
}

type Way = readonly ChainCertificate[];

/** The shortest way to each root that can be reached, and the farthest that ends at one whose issuer is not there. */
function findWays(leaf: ChainCertificate, issuersOf: IssuerFinder): { roots: Way[]; deadEnd: Way | undefined } {
  const seen = new Set([leaf]);
  const roots: Way[] = [];
  let level: Way[] = [[leaf]];
  let deadEnd: Way | undefined;
  while (level.length > 0) {
    const next: Way[] = [];
    for (const way of level) {
      const last = way.at(-1) as ChainCertificate;
      if (way.length > 1 && isIssuedBy(last, last)) {
        roots.push(way);
        continue;
      }
      const issuers = issuersOf(last);
      if (issuers.length === 0) deadEnd = way;
      for (const issuer of issuers) {
        if (seen.has(issuer)) continue;
        seen.add(issuer);
        next.push([...way, issuer]);
      }
    }
    level = next;
  }
  return { roots, deadEnd };
}

function by(preferredRoot: string | undefined): (one: Way, other: Way) => number {
  const preferred = preferredRoot === undefined ? undefined : readAll([preferredRoot]).links[0];
  const rank = (way: Way) => {
    if (!outlives(way)) return 2;
    return way.at(-1)?.certificate.fingerprint256 === preferred?.certificate.fingerprint256 ? 0 : 1;
  };
  return (one, other) => rank(one) - rank(other) || one.length - other.length;
}

/** A way that ends before the certificate does would end the identity early. */
function outlives([leaf, ...issuers]: Way): boolean {
  const end = leaf?.certificate.validToDate.getTime() ?? 0;
  return issuers.every(({ certificate }) => certificate.validToDate.getTime() >= end);
}

function subjectOf({ certificate }: ChainCertificate): string {
  return nameText(certificate.subject);
}

function issuerOf({ certificate }: ChainCertificate): string {
  return nameText(certificate.issuer);
}

/** RFC 4514: the last part first. Somebody else chose these characters, and they go to terminals and logs. */
function nameText(name: string | undefined): string {
  const text = (name ?? '')
    .split('\n')
    .reverse()
    .join(', ')
    .slice(0, nameLength)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
  return text === '' ? 'a name without a word' : text;
}
