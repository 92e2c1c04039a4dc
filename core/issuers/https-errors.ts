// The errors of a request to an issuer: trust, client certificate, status, network.
import type { TLSSocket } from 'node:tls';
import { CountersignError, type Evidence } from '../errors.ts';
import { alertIn, isAboutCertificate } from '../tls/alerts.ts';
import { opensslWords } from '../tls/verification-failure.ts';

/** The error of Node is no cause: it can contain bytes of the response and the certificate of the server. */
export function exchangeFailure(
  error: unknown,
  socket: TLSSocket | null,
  clientCertificateShown: boolean,
  isOutOfTime: boolean,
): CountersignError {
  if (error instanceof CountersignError) return error;
  if (isOutOfTime) return unavailable('The issuer did not respond in time.', { reason: 'timeout' });
  const alert = alertIn(error);
  if (alert && clientCertificateShown && (isAboutCertificate(alert.name) || alert.name === 'handshake_failure')) {
    return new CountersignError(
      'issuer-refused',
      `The issuer rejected the current certificate with the alert ${alert.name}.`,
      { evidence: { alert: alert.name } },
    );
  }
  if (alert) return unavailable(`The issuer ended the handshake with the alert ${alert.name}.`, { alert: alert.name });
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  // An Error in Node's types; in fact the code of OpenSSL's verification, or of the check of names.
  if (socket?.authorizationError) return untrusted(code, error as Error);
  const evidence = { reason: code, ...(clientCertificateShown ? { clientCertificateShown } : {}) };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') {
    return unavailable('The name of the issuer cannot be resolved.', evidence);
  }
  if (code.startsWith('HPE_')) return unavailable('The response of the issuer is not HTTP.', evidence);
  if (code.startsWith('ERR_SSL_')) return unavailable('The TLS handshake with the issuer failed.', evidence);
  return unavailable('The connection to the issuer failed before the response was complete.', evidence);
}

function unavailable(detail: string, evidence: Evidence): CountersignError {
  return new CountersignError('issuer-unavailable', detail, { evidence });
}

/** Node has no code for some verdicts of OpenSSL: their words are the reason then. */
function untrusted(code: string, error: Error): CountersignError {
  const words = code === 'UNSPECIFIED' ? ` (${opensslWords(error)})` : '';
  const detail =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? "The certificate of the issuer's server is for another name."
      : `The certificate of the issuer's server is not trusted${words}.`;
  return new CountersignError('issuer-unavailable', detail, {
    evidence: { reason: words ? 'other' : code },
    retryable: false,
    hint: 'The platform must compare the url and the roots in the renewal of the identity with what the issuer serves; if they are right, another server answers in its place.',
  });
}

/** RFC 9110, section 7.8: a server must not switch to a protocol that was not requested. */
export function protocolSwitched(status: number): CountersignError {
  return unavailable('The issuer switched to another protocol instead of responding.', { reason: `http-${status}` });
}

/** For an unexpected status: 408, 425, 429 and 5xx are temporary, others are a refusal. */
export function statusFailure(status: number, about: string): CountersignError {
  const evidence = { reason: `http-${status}` };
  if (status >= 500 || status === 408 || status === 425 || status === 429) {
    return new CountersignError('issuer-unavailable', `The issuer responded ${about} with HTTP ${status}.`, {
      evidence,
    });
  }
  return new CountersignError('issuer-refused', `The issuer responded ${about} with HTTP ${status}.`, { evidence });
}

/** Whether the client certificate may be the cause: a refusal, or a reset connection, which may have lost an alert. */
export function mayBeClientCertificate(error: unknown): boolean {
  if (!(error instanceof CountersignError)) return false;
  if (error.code === 'issuer-refused') return true;
  const { clientCertificateShown, reason } = error.evidence ?? {};
  return (
    error.code === 'issuer-unavailable' &&
    clientCertificateShown === true &&
    (reason === 'ECONNRESET' || reason === 'EPIPE')
  );
}
