// Step 3: the certificate of the API server is verified: trust, dates, name and pins, on resumed sessions too.
import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls';
import { CountersignError, type ErrorCode, type Evidence } from '../errors.ts';

/** What the server must prove to be. */
export interface ServerExpectation {
  /** Name or address the certificate must carry. */
  readonly name: string;
  readonly pins: readonly string[] | undefined;
}

/** A server's chain, leaf first, each signed by the next. */
export type ServerChain = readonly [X509Certificate, ...X509Certificate[]];

/**
 * The chain of a full handshake. Node hands out issuers by name alone, so that a server could slip a pinned certificate
 * in: each link's signature is verified here, and the chain ends where one does not hold.
 */
export function chainOf(socket: TLSSocket): ServerChain | undefined {
  let peer: PeerCertificate | DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  if (!peer?.raw) return undefined;
  const chain: [X509Certificate, ...X509Certificate[]] = [new X509Certificate(peer.raw)];
  while (
    'issuerCertificate' in peer &&
    peer.issuerCertificate?.raw &&
    peer.issuerCertificate !== peer &&
    chain.length < 16
  ) {
    peer = peer.issuerCertificate as DetailedPeerCertificate;
    const issuer = new X509Certificate(peer.raw);
    if (!chain.at(-1)?.checkIssued(issuer) || !chain.at(-1)?.verify(issuer.publicKey)) break;
    chain.push(issuer);
  }
  return chain;
}

/**
 * Dates, name and pins. A full handshake has had its trust and dates checked by OpenSSL; a resumed one has had nothing
 * checked (Node skips checkServerIdentity, and there is no certificate on the wire), so this runs on both.
 */
export function verifyServer(chain: ServerChain, expected: ServerExpectation, now: number): void {
  for (const certificate of chain) {
    if (now > certificate.validToDate.getTime() || now < certificate.validFromDate.getTime()) {
      throw outsideDates(certificate, now);
    }
  }
  if (!carriesName(chain[0], expected.name)) throw nameMismatch(chain[0], expected.name);
  if (expected.pins?.length && !chain.some((certificate) => expected.pins?.includes(pinOf(certificate)))) {
    throw new CountersignError(
      'server-certificate-pin-mismatch',
      `None of the ${chain.length} certificates of the server's chain matches the pins of the destination.`,
      { evidence: { served: chain.map(pinOf), pinned: expected.pins } },
    );
  }
}

/** RFC 9525, section 6: subjectAltName alone, a wildcard for one whole label, never the common name. */
function carriesName(leaf: X509Certificate, name: string): boolean {
  if (isIP(name)) return leaf.checkIP(name) !== undefined;
  return leaf.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
}

/** RFC 7469, section 2.4: SHA-256 of the SubjectPublicKeyInfo. */
export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

/** `CN=api.acme.example, O=Acme`: Node separates the parts of a name by newlines. */
export function nameText(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ').slice(0, 500);
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

/** The verdict of OpenSSL on the server's chain, or undefined when the error is not one. */
export function verificationFailure(
  error: NodeJS.ErrnoException,
  chain: ServerChain | undefined,
  now: number,
): CountersignError | undefined {
  const code = error.code ?? '';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const outside = chain?.find((one) => now > one.validToDate.getTime() || now < one.validFromDate.getTime());
    return outsideDates(outside, now, code);
  }
  const leaf = chain?.[0];
  const verdict = verdicts[code] ?? weakness(error);
  if (!verdict) return undefined;
  const evidence: Evidence = {
    reason: code,
    ...(leaf ? { subject: nameText(leaf.subject), issuer: nameText(leaf.issuer) } : {}),
  };
  return new CountersignError(verdict.code, `The certificate of the API server is refused: ${verdict.says}.`, {
    evidence,
  });
}

/** OpenSSL's security level (SSL_CTX_set_security_level): keys and signatures that are too weak end the handshake. */
function weakness(error: NodeJS.ErrnoException) {
  if (/KEY_TOO_SMALL|MD_TOO_WEAK|EE_KEY_TOO_SMALL|CA_KEY_TOO_SMALL/.test(error.code ?? '')) {
    return invalid('its key or signature is too weak');
  }
  return undefined;
}

function outsideDates(certificate: X509Certificate | undefined, now: number, reason?: string): CountersignError {
  const notYet = certificate ? now < certificate.validFromDate.getTime() : reason === 'CERT_NOT_YET_VALID';
  const which = certificate ? ` (${nameText(certificate.subject)})` : '';
  const from = certificate?.validFromDate.toISOString();
  const to = certificate?.validToDate.toISOString();
  const says = notYet ? `is not valid before ${from ?? 'a later date'}` : `expired${to ? ` on ${to}` : ''}`;
  return new CountersignError('server-certificate-expired', `The certificate of the API server${which} ${says}.`, {
    evidence: {
      reason: notYet ? 'CERT_NOT_YET_VALID' : 'CERT_HAS_EXPIRED',
      ...(certificate ? { subject: nameText(certificate.subject), validFrom: from ?? '', validTo: to ?? '' } : {}),
    },
  });
}

function nameMismatch(leaf: X509Certificate, name: string): CountersignError {
  const carried = (leaf.subjectAltName ?? '').split(', ').filter(Boolean).slice(0, 20);
  return new CountersignError(
    'server-certificate-name-mismatch',
    `The certificate of the API server is not for ${name}; it is for ${carried.join(', ') || 'no name at all'}.`,
    { evidence: { expected: name, names: carried } },
  );
}
