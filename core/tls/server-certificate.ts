// Step 3: the certificate of the API server is verified: trust, dates, name and pins, on resumed sessions too.
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CountersignError, type ErrorCode, type Evidence } from '../errors.ts';
import { shownAlternativeNames } from '../x509/alternative-names.ts';
import { inDates, issuerText, pinOf, subjectText } from '../x509/certificate.ts';
import { isIssuedBy, trustedRoots } from '../x509/trust.ts';

/** The expected identity of the server. */
export interface ServerExpectation {
  /** Name or address the certificate must carry. */
  readonly name: string;
  readonly pins: readonly string[] | undefined;
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
  let last = leaf;
  for (
    let next = last.issuerCertificate;
    next && inDates(last, now) && chain.length < 16;
    next = last.issuerCertificate
  ) {
    if (next.raw.equals(last.raw) || !isIssuedBy(last, next)) break;
    chain.push(next);
    last = next;
  }
  if (withRoot && inDates(last, now) && !isIssuedBy(last, last)) {
    const root = trustedRoots(serverRoots).find((one) => isIssuedBy(last, one));
    if (root) chain.push(root);
  }
  return chain;
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
 * Dates, name and pins. A full handshake has had its trust and dates checked by OpenSSL; a resumed one is offered only
 * while the chain of its session is inside its dates, and has had nothing else checked (Node skips checkServerIdentity,
 * and there is no certificate on the wire), so this runs on both.
 */
export function verifyServer(chain: ServerChain, expected: ServerExpectation, now: number): void {
  if (!inDates(chain[0], now)) throw outsideDates(chain[0], now);
  checkName(chain[0], expected.name);
  checkPins(chain, expected.pins);
}

/** Throws `server-certificate-name-mismatch`. */
export function checkName(leaf: X509Certificate, name: string): void {
  if (!carriesName(leaf, name)) throw nameMismatch(leaf, name);
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

/** X509_verify_cert's verdicts (openssl/x509_vfy.h) as Node names them. */
const verdicts: Readonly<Record<string, { readonly code: ErrorCode; readonly says: string }>> = {
  UNABLE_TO_GET_ISSUER_CERT: untrusted('its issuer is not among the trusted authorities, nor was it served'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted('its issuer is not among the trusted authorities, nor was it served'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted(
    'the server sent no intermediate certificate, and the issuer is not a trusted authority',
  ),
  SELF_SIGNED_CERT_IN_CHAIN: untrusted('its chain ends at a root that is not trusted'),
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted('it is self-signed'),
  CERT_UNTRUSTED: untrusted('its authority is not trusted for servers'),
  CERT_REVOKED: invalid('it is revoked'),
  CERT_REJECTED: invalid('its authority is not allowed to issue server certificates'),
  CERT_CHAIN_TOO_LONG: invalid('its chain is too long'),
  CERT_SIGNATURE_FAILURE: invalid('a signature in its chain does not hold'),
  INVALID_CA: invalid('an issuer in its chain is not an authority'),
  INVALID_PURPOSE: invalid('it may not be used for server authentication'),
  PATH_LENGTH_EXCEEDED: invalid('its chain is longer than an issuer allows'),
};

function untrusted(says: string) {
  return { code: 'server-certificate-untrusted', says } as const;
}
function invalid(says: string) {
  return { code: 'server-certificate-invalid', says } as const;
}

/** The verdict of OpenSSL on the server's chain; `error` is what Node made of it. */
export function verificationFailure(
  error: NodeJS.ErrnoException,
  chain: ServerChain | undefined,
  now: number,
): CountersignError {
  const code = error.code ?? '';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return outsideDates(
      chain?.find((one) => !inDates(one, now)),
      now,
      code,
    );
  }
  const leaf = chain?.[0];
  const { code: verdict, says } = verdicts[code] ?? unnamed(error);
  const evidence: Evidence = {
    reason: code,
    ...(leaf ? { subject: subjectText(leaf), issuer: issuerText(leaf) } : {}),
  };
  return new CountersignError(verdict, `The certificate of the API server is refused: ${says}.`, {
    evidence,
    cause: error,
  });
}

/**
 * Node has no name for most verdicts, the ones of OpenSSL's security level among them (SSL_CTX_set_security_level):
 * their sentence says what is wrong (X509_verify_cert_error_string: constant words, nothing of the certificate).
 */
function unnamed({ message }: Error) {
  if (/too weak/.test(message)) return invalid(`its key or signature, or its issuer's, is too weak (${message})`);
  return invalid(/^[\w ,'()-]{1,100}$/.test(message) ? message : 'it does not verify');
}

export function outsideDates(certificate: X509Certificate | undefined, now: number, reason?: string): CountersignError {
  const notYet = certificate ? now < Date.parse(certificate.validFrom) : reason === 'CERT_NOT_YET_VALID';
  const which = certificate ? ` (${subjectText(certificate)})` : '';
  const from = dateText(certificate?.validFrom);
  const to = dateText(certificate?.validTo);
  const says = notYet ? `is not valid before ${from ?? 'a later date'}` : `expired${to ? ` on ${to}` : ''}`;
  return new CountersignError('server-certificate-expired', `The certificate of the API server${which} ${says}.`, {
    evidence: {
      reason: notYet ? 'CERT_NOT_YET_VALID' : 'CERT_HAS_EXPIRED',
      ...(certificate ? { subject: subjectText(certificate), validFrom: from ?? '', validTo: to ?? '' } : {}),
    },
  });
}

/**
 * Undefined also for an unreadable date of an untrusted certificate. Node 24.21 makes a Date of uninitialised memory
 * then, but its text is correct.
 */
function dateText(text: string | undefined): string | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

function nameMismatch(leaf: X509Certificate, name: string): CountersignError {
  const carried = shownAlternativeNames(leaf);
  return new CountersignError(
    'server-certificate-name-mismatch',
    `The certificate of the API server is not for ${name}; it is for ${carried.join(', ') || 'no name at all'}.`,
    { evidence: { expected: name, names: carried } },
  );
}
