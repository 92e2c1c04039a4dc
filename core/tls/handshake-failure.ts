// Classifies a handshake error: the step, the meaning, and who must act.
import { asCountersignError, CountersignError } from '../errors.ts';
import { type Alert, alertIn, isAboutCertificate, rejectionBy } from './alerts.ts';
import { type NegotiationTerms, negotiationFailure, reasonByAlert, reasonByOpenssl } from './negotiation-failure.ts';
import type { ServerChain } from './server-certificate.ts';
import { isCertificateVerdict, verificationFailure } from './verification-failure.ts';

export type ConnectionEnd = 'close' | 'reset';

/** How far a handshake got; decides which step a failure belongs to. */
export interface HandshakeProgress {
  /** The server's flight was read whole, and our certificate is on its way. */
  answered: boolean;
  /** The server asked for a client certificate in the handshake; undefined while that is not known. */
  asked: boolean | undefined;
  /** The server asked in a renegotiation that the request started (TLS 1.2). */
  askedLate: boolean;
  /** The server renegotiated after the request, and OpenSSL does not tell whether it asked (TLS 1.2). */
  renegotiated: boolean;
  /** The chain that OpenSSL verified, once the handshake was complete. */
  chain: ServerChain | undefined;
  /** OpenSSL's verification of the server failed, which Node reports once the handshake is complete. */
  unverified: boolean;
  /** How the socket ended, if it was observed. */
  ended: ConnectionEnd | undefined;
}

export function newHandshakeProgress(): HandshakeProgress {
  return {
    answered: false,
    asked: undefined,
    askedLate: false,
    renegotiated: false,
    chain: undefined,
    unverified: false,
    ended: undefined,
  };
}

/** Called from a socket event: a defect that a hostile server triggers must end the call, not the process. */
export function handshakeFailure(
  error: NodeJS.ErrnoException,
  progress: HandshakeProgress,
  terms: NegotiationTerms,
  now: () => number,
): CountersignError {
  try {
    return classify(error, progress, terms, now);
  } catch (defect) {
    return asCountersignError(defect);
  }
}

function classify(
  error: NodeJS.ErrnoException,
  progress: HandshakeProgress,
  terms: NegotiationTerms,
  now: () => number,
): CountersignError {
  const alert = alertIn(error);
  if (alert) return alertFailure(alert, progress, terms, error);
  const code = error.code ?? 'unknown';
  if (progress.unverified || isCertificateVerdict(code)) {
    const { serverRoots } = terms.destination;
    return verificationFailure(error, { chain: progress.chain, serverRoots, now: now() });
  }
  if (isDisconnection(error)) return disconnected(error, progress);
  if (isRecordError(error) && progress.answered && progress.asked) return rejectedByRecordError(error);
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_HTTP_REQUEST') {
    return new CountersignError(
      'server-not-tls',
      'The server did not answer with TLS; the port may serve plain HTTP.',
      { evidence: { reason: code }, cause: error },
    );
  }
  const reason = reasonByOpenssl(code, terms.destination);
  if (reason) return negotiationFailure(reason, terms, { evidence: { openssl: code }, cause: error });
  return new CountersignError('tls-negotiation-failed', `The handshake failed (${reasonOf(error)}).`, {
    evidence: { reason: code },
    cause: error,
  });
}

/** The peer closed or reset the connection. */
export function isDisconnection(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE' || error.code === 'ECONNABORTED';
}

/**
 * A record that does not open, or is malformed. A server that ends the handshake under other keys than ours, such as
 * mbedTLS 3.6 over TLS 1.3, sends its alert in such a record. The names are OpenSSL's (include/openssl/sslerr.h).
 */
export function isRecordError({ code = '' }: NodeJS.ErrnoException): boolean {
  return code.startsWith('ERR_SSL_') && recordErrors.has(code.slice('ERR_SSL_'.length));
}

const recordErrors: ReadonlySet<string> = new Set([
  'APP_DATA_IN_HANDSHAKE',
  'BAD_RECORD_TYPE',
  'DATA_LENGTH_TOO_LONG',
  'DECRYPTION_FAILED',
  'DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
  'ENCRYPTED_LENGTH_TOO_LONG',
  'INVALID_ALERT',
  'LENGTH_TOO_SHORT',
  'NOT_ON_RECORD_BOUNDARY',
  'PACKET_LENGTH_TOO_LONG',
  'RECORD_LAYER_FAILURE',
  'RECORD_LENGTH_MISMATCH',
  'RECORD_TOO_SMALL',
  'UNEXPECTED_RECORD',
  'UNKNOWN_ALERT_TYPE',
  'WRONG_VERSION_NUMBER',
]);

/** A record that cannot be read, once the server had our certificate and before it confirmed the handshake. */
export function rejectedByRecordError(cause: NodeJS.ErrnoException): CountersignError {
  return new CountersignError(
    'client-certificate-rejected',
    'The API server asked for a client certificate, received it, and sent a record that cannot be read instead of a response.',
    { evidence: { certainty: 'inferred', reason: cause.code ?? 'unknown' }, cause, hint: lookInLog },
  );
}

const lookInLog =
  'The customer must check in the log of its API whether it refused the client certificate; TLS does not show it.';

/** An alert in the handshake. */
function alertFailure(
  alert: Alert,
  progress: Pick<HandshakeProgress, 'answered' | 'asked'>,
  terms: NegotiationTerms,
  cause: unknown,
): CountersignError {
  if (progress.answered && (progress.asked || isAboutCertificate(alert.name))) return rejectedByAlert(alert, cause);
  // certificate_required cannot come from anything else (RFC 8446, section 6.2).
  if (alert.name === 'certificate_required') return rejectedByAlert(alert, cause);
  const evidence = { alert: alert.name, certainty: 'observed' };
  const reason = reasonByAlert(alert.name, terms.destination);
  if (reason) return negotiationFailure(reason, terms, { evidence, cause });
  return new CountersignError(
    'tls-negotiation-failed',
    `The API server ended the handshake with the alert ${alert.name}.`,
    { evidence, cause },
  );
}

/** An alert after the server had our certificate. */
export function rejectedByAlert(alert: Alert, cause: unknown): CountersignError {
  const { means, hint } = rejectionBy(alert.name);
  return new CountersignError(
    'client-certificate-rejected',
    `The API server refused the client certificate with the alert ${alert.name}: ${means}.`,
    {
      evidence: { alert: alert.name, certainty: isAboutCertificate(alert.name) ? 'observed' : 'inferred' },
      cause,
      ...(hint ? { hint } : {}),
    },
  );
}

/**
 * A close or a reset after our certificate was sent means a refusal, but only by inference. `isFinished`: the server
 * completed the handshake with the certificate, so other causes are as likely.
 */
export function rejectedByDisconnection(
  cause: unknown,
  ended: ConnectionEnd | undefined,
  isFinished = false,
): CountersignError {
  // Node has one code for both.
  const unwatched = (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNRESET' ? 'reset or closed' : 'closed';
  const how = ended ? { close: 'closed', reset: 'reset' }[ended] : unwatched;
  if (isFinished) {
    return new CountersignError(
      'client-certificate-rejected',
      `The API server completed the handshake with the client certificate and ${how} the connection without a byte of a response.`,
      {
        evidence: { certainty: 'inferred', handshake: 'complete' },
        cause,
        hint: 'The customer must check in the log of its API why: the client certificate, no common ALPN protocol (the platform offers http/1.1), or a rule for client addresses.',
      },
    );
  }
  return new CountersignError(
    'client-certificate-rejected',
    `The API server asked for a client certificate, received it, and ${how} the connection without a byte of a response.`,
    {
      evidence: { certainty: 'inferred' },
      cause,
      hint: lookInLog,
    },
  );
}

function disconnected(error: NodeJS.ErrnoException, progress: HandshakeProgress): CountersignError {
  if (progress.answered && progress.asked) return rejectedByDisconnection(error, progress.ended);
  return new CountersignError(
    'tls-negotiation-failed',
    'The API server closed the connection during the handshake and gave no reason.',
    { evidence: { reason: error.code ?? 'unknown' }, cause: error },
  );
}

/** OpenSSL's reason; the message itself has memory addresses and build paths. */
function reasonOf(error: NodeJS.ErrnoException): string {
  const { reason } = error as { reason?: unknown };
  return typeof reason === 'string' && /^[\w /.,:-]{1,80}$/.test(reason) ? reason : (error.code ?? 'no reason given');
}
