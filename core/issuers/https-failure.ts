// An exchange with an issuer that came to nothing, told apart: settings, trust, the certificate that was shown, a status, the network.
import type { TLSSocket } from 'node:tls';
import { CountersignError, type Evidence } from '../errors.ts';
import { alertIn, isAboutCertificate } from '../tls/alerts.ts';

/**
 * What Node threw is not kept as a cause: on its errors hang the raw bytes of the answer and the certificate of the server.
 */
export function exchangeFailure(
  error: unknown,
  socket: TLSSocket | null,
  clientCertificateShown: boolean,
  isOutOfTime: boolean,
): CountersignError {
  if (error instanceof CountersignError) return error;
  if (isOutOfTime) return unavailable('The issuer did not answer in time.', { reason: 'timeout' });
  const alert = alertIn(error);
  if (alert && clientCertificateShown && (isAboutCertificate(alert.name) || alert.name === 'handshake_failure')) {
    return new CountersignError(
      'issuer-refused',
      `The issuer turned the current certificate down with the alert ${alert.name}.`,
      { evidence: { alert: alert.name } },
    );
  }
  if (alert) return unavailable(`The issuer ended the handshake with the alert ${alert.name}.`, { alert: alert.name });
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  // Node's types call it an Error; it is the code of OpenSSL's verification, or of the comparison of names.
  if (socket?.authorizationError) return untrusted(code);
  const evidence = { reason: code, ...(clientCertificateShown ? { clientCertificateShown } : {}) };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_NODATA') {
    return unavailable('The name of the issuer cannot be resolved.', evidence);
  }
  if (code.startsWith('HPE_')) return unavailable('The issuer does not answer in HTTP.', evidence);
  if (code.startsWith('ERR_SSL_')) return unavailable('No TLS connection to the issuer comes about.', evidence);
  return unavailable('The connection to the issuer failed before its answer was complete.', evidence);
}

function unavailable(detail: string, evidence: Evidence): CountersignError {
  return new CountersignError('issuer-unavailable', detail, { evidence });
}

function untrusted(reason: string): CountersignError {
  const detail =
    reason === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? 'The certificate of the server of the issuer is for another name.'
      : 'The certificate of the server of the issuer is not trusted.';
  return new CountersignError('issuer-unavailable', detail, {
    evidence: { reason },
    retryable: false,
    hint: 'The platform must compare the url and the roots in the renewal of the identity with what the issuer serves; if they are right, somebody else answers in its place.',
  });
}

/** RFC 9110, section 7.8: no server may switch to a protocol that it was not asked for. */
export function protocolSwitched(status: number): CountersignError {
  return unavailable('The issuer switched to another protocol in place of an answer.', { reason: `http-${status}` });
}

/** What a status other than the one hoped for means: 408, 425, 429 and the 5xx pass, the others are a decision. */
export function statusFailure(status: number, about: string): CountersignError {
  const evidence = { reason: `http-${status}` };
  if (status >= 500 || status === 408 || status === 425 || status === 429) {
    return new CountersignError('issuer-unavailable', `The issuer answered ${about} with HTTP ${status}.`, {
      evidence,
    });
  }
  return new CountersignError('issuer-refused', `The issuer answered ${about} with HTTP ${status}.`, { evidence });
}

/** Whether the certificate that was shown may be why: refused, or the connection gone without a word, which a lost alert looks like. */
export function mayBeTheCertificate(error: unknown): boolean {
  if (!(error instanceof CountersignError)) return false;
  if (error.code === 'issuer-refused') return true;
  const { clientCertificateShown, reason } = error.evidence ?? {};
  return (
    error.code === 'issuer-unavailable' &&
    clientCertificateShown === true &&
    (reason === 'ECONNRESET' || reason === 'EPIPE')
  );
}
