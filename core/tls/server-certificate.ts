// Step 3: the certificate of the API server is verified: trust, dates, name and pins, on resumed sessions too.
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CountersignError } from '../errors.ts';
import { shownAlternativeNames } from '../x509/alternative-names.ts';
import { inDates, pinOf, subjectText } from '../x509/certificate.ts';
import { anchorOf, createIssuedBy, excludedDnsNames, isInSubtree, isIssuedBy, trustedRoots } from '../x509/trust.ts';
import { outsideDates } from './verification-failure.ts';

/** The expected identity of the server. */
export interface ServerExpectation {
  /** Name or address the certificate must carry. */
  readonly name: string;
  readonly pins: readonly string[] | undefined;
  /** PEM; if undefined, the default roots. */
  readonly serverRoots: string | undefined;
}

/** A server's chain, leaf first, each signed by the next. */
export type ServerChain = readonly [X509Certificate, ...X509Certificate[]];

/**
 * The chain of a full handshake. Node links the certificates a server sends by name alone, so that a server could slip
 * a pinned one in: each link's signature is verified here, and the chain ends where one does not hold. It also ends
 * with the first certificate outside its dates: the key in it did sign the one below, but what signed it counts no
 * longer. A root is seldom sent; `withRoot` looks it up among the trusted ones, for pins and reports.
 */
export function chainOf(
  socket: TLSSocket,
  now: number,
  serverRoots: string | undefined,
  withRoot: boolean,
): ServerChain | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (!leaf) return undefined;
  const chain: [X509Certificate, ...X509Certificate[]] = [leaf];
  const unused = otherCertificates(leaf);
  const issuedBy = createIssuedBy(maxChecks);
  let last = leaf;
  while (inDates(last, now)) {
    const index = unused.findIndex((one) => issuedBy(last, one));
    const [next] = index === -1 ? [] : unused.splice(index, 1);
    if (next === undefined) break;
    chain.push(next);
    last = next;
  }
  if (withRoot && inDates(last, now) && !isIssuedBy(last, last)) {
    const root = trustedRoots(serverRoots).find((one) => isIssuedBy(last, one));
    if (root) chain.push(root);
  }
  return chain;
}

const maxLength = 15;
/** Signatures that are checked to build a chain: a hostile one can need any number, a real one of five needs four. */
const maxChecks = 13;

/**
 * The certificates that the server sent after the leaf, in its order, which can be any, without duplicates.
 */
function otherCertificates(leaf: X509Certificate): X509Certificate[] {
  const seen = new Set([leaf.fingerprint256]);
  const others: X509Certificate[] = [];
  let next = leaf.issuerCertificate;
  for (let count = 0; next !== undefined && count < 32 && others.length < maxLength - 1; count += 1) {
    if (!seen.has(next.fingerprint256)) others.push(next);
    seen.add(next.fingerprint256);
    if (next === next.issuerCertificate) break;
    next = next.issuerCertificate;
  }
  return others;
}

/**
 * The first moment at which a verified chain is no longer valid, in milliseconds since 1970. A certificate that was
 * outside its dates from the start is not among what OpenSSL went by: servers still send cross-signed roots that
 * expired.
 */
export function validUntil(chain: ServerChain, now: number): number {
  return Math.min(...chain.filter((one) => inDates(one, now)).map((one) => one.validToDate.getTime()));
}

/**
 * Dates, name, name constraints and pins. A full handshake has had its trust and dates checked by OpenSSL; a resumed
 * one is offered only while the chain of its session is inside its dates, and has had nothing else checked (Node skips
 * checkServerIdentity, and there is no certificate on the wire), so this runs on both.
 */
export function verifyServer(chain: ServerChain, expected: ServerExpectation, now: number): void {
  if (!inDates(chain[0], now)) throw outsideDates(chain[0], now);
  checkName(chain[0], expected.name);
  checkConstraints(chain, expected.name, expected.serverRoots);
  checkPins(chain, expected.pins);
}

/** Throws `server-certificate-name-mismatch`. */
export function checkName(leaf: X509Certificate, name: string): void {
  if (!carriesName(leaf, name)) throw nameMismatch(leaf, name);
}

/**
 * OpenSSL compares excluded names with the names in the certificate: an authority that may not issue for
 * `test.example.com` could still issue `*.example.com`, which matches it (CVE-2025-61727 in Go). If only a wildcard
 * matches, the requested name is compared here. The path must lead to a trusted certificate, because a server can hide
 * the constrained authority behind another certificate of the same name. 15 to 35 µs for a wildcard, 3 µs otherwise.
 * Throws `server-certificate-invalid`.
 */
export function checkConstraints(chain: ServerChain, name: string, serverRoots: string | undefined): void {
  const [leaf, ...issuers] = chain;
  if (isIP(name) || leaf.checkHost(name, { subject: 'never', wildcards: false }) !== undefined) return;
  const anchored = anchorOf(chain, serverRoots);
  const path = issuers.slice(0, anchored?.index);
  if (anchored && path.every(({ ca }) => ca)) {
    const forbidding = [...path, anchored.anchor].find((issuer) =>
      excludedDnsNames(issuer).some((subtree) => isInSubtree(name, subtree)),
    );
    if (!forbidding) return;
    const subject = subjectText(forbidding);
    throw new CountersignError(
      'server-certificate-invalid',
      `The certificate of the API server is refused: the name constraints of ${subject} exclude ${name}, which only a wildcard covers.`,
      { evidence: { reason: 'name-constraints', subject } },
    );
  }
  throw new CountersignError(
    'server-certificate-invalid',
    'The certificate of the API server is refused: the served certificates cannot be followed to a trusted authority, so the name constraints of its wildcard cannot be checked.',
    { evidence: { reason: 'chain-unclear', subject: subjectText(leaf) } },
  );
}

/** Throws `server-certificate-pin-mismatch`. */
export function checkPins(chain: readonly X509Certificate[], pins: readonly string[] | undefined): void {
  if (!pins?.length || chain.some((certificate) => pins.includes(pinOf(certificate)))) return;
  throw new CountersignError(
    'server-certificate-pin-mismatch',
    `No certificate of the server's chain (${chain.length}) matches the pins of the destination.`,
    { evidence: { served: chain.map(pinOf), pinned: pins } },
  );
}

/** RFC 9525, section 6: subjectAltName alone, a wildcard for one whole label, never the common name. */
function carriesName(leaf: X509Certificate, name: string): boolean {
  if (isIP(name)) return leaf.checkIP(name) !== undefined;
  if (leaf.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined) return true;
  return name.includes('_') && hasWildcardFor(leaf, name.toLowerCase());
}

/** OpenSSL matches no wildcard with an underscore (valid_star in crypto/x509/v3_utl.c); Node and curl do. */
function hasWildcardFor({ subjectAltName = '' }: X509Certificate, name: string): boolean {
  // Node quotes a name that contains a comma: splitting would make several of it (CVE-2021-44532).
  if (subjectAltName.includes('"')) return false;
  const parent = name.slice(name.indexOf('.') + 1);
  if (name.startsWith('.') || !parent.includes('.')) return false;
  return subjectAltName.split(', ').some((one) => one.toLowerCase() === `dns:*.${parent}`);
}

function nameMismatch(leaf: X509Certificate, name: string): CountersignError {
  const carried = shownAlternativeNames(leaf);
  // Browsers, Go and RFC 9525 read no common name; OpenSSL and old clients do.
  const isCommonNameOnly = carried.length === 0 && !isIP(name) && leaf.checkHost(name) !== undefined;
  return new CountersignError(
    'server-certificate-name-mismatch',
    isCommonNameOnly
      ? `The certificate of the API server has ${name} only as its common name, which does not count; it has no subject alternative name.`
      : `The certificate of the API server is not for ${name}; it is for ${carried.join(', ') || 'no name at all'}.`,
    {
      evidence: { ...(carried.length === 0 ? { reason: 'no-alternative-names' } : {}), expected: name, names: carried },
      ...(carried.length === 0
        ? { hint: 'The customer must install a certificate with subject alternative names.' }
        : {}),
    },
  );
}
