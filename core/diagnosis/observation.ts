// The observation of one connection: how far it got, what the server sent, and how it ended.

import type { CountersignError } from '../errors.ts';
import { requestFailure } from '../http/exchange-failure.ts';
import { alertIn } from '../tls/alerts.ts';
import type { RequestAttempt } from '../tls/attempt.ts';
import type { HandshakeCapture } from '../tls/handshake-capture/capture.ts';
import type { HandshakeProgress } from '../tls/handshake-failure.ts';

export interface ProbeAnswer {
  readonly status: number;
  /** Lower-case names; never leaves the diagnosis. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Enough bytes to recognise a page. */
  readonly bodyStart: Buffer;
}

/**
 * Filled while the connection goes on. `asked` is what Node knows of the first handshake, for a capture that could not
 * be read as far as the CertificateRequest.
 */
export interface Observation extends HandshakeProgress {
  readonly attempt: RequestAttempt;
  readonly capture: HandshakeCapture;
  /** False: as a call, this connection did not ask for a stapled OCSP response. */
  readonly askedForStaple: boolean;
  /** IP address of the server, once connected. */
  address: string | undefined;
  /** The handshake is complete and the server is verified: a request can be sent. */
  isReady: boolean;
  failure: CountersignError | undefined;
  answer: ProbeAnswer | undefined;
  /** The server sent a byte of application data, HTTP or not. A record without content does not count. */
  answerBegan: boolean;
  /** performance.now() in milliseconds, 0 if not reached: connected, certificate received, ready, ended. */
  connectedAt: number;
  servedAt: number;
  readyAt: number;
  endedAt: number;
}

/** True if the server proved that it read our certificate and continued. */
export function tookCertificate(seen: Pick<Observation, 'capture' | 'isReady' | 'askedLate'>): boolean {
  // TLS 1.2: its Finished comes after it has read ours. TLS 1.3: a server that asked cannot make a ticket before it has
  // read our Finished, because the ticket's secret covers that (RFC 8446, section 4.6.1). After a renegotiation only
  // the answer shows it.
  if (!seen.isReady || seen.askedLate) return false;
  return seen.capture.protocol === 'TLSv1.2' || seen.capture.messages.includes('new_session_ticket');
}

/** True if our Certificate message was sent, with a certificate or without. Node closes some connections before. */
export function answeredRequest({ capture }: Pick<Observation, 'capture'>): boolean {
  return capture.sentCertificate !== undefined;
}

/** The server asked before a request could be sent; undefined while unknown. */
export function askedAtOnce(seen: Pick<Observation, 'capture' | 'asked'>): boolean | undefined {
  return seen.capture.asked ?? seen.asked;
}

/**
 * The server asked in the handshake, or in a renegotiation that the request started. The start of a renegotiation
 * proves nothing: an attacker on the path can send a HelloRequest in the clear, and a server can renegotiate without
 * asking.
 */
export function hasAsked(seen: Pick<Observation, 'capture' | 'asked' | 'askedLate'>): boolean {
  return askedAtOnce(seen) === true || seen.askedLate;
}

/** The error of an invocation that had met this error in the same place. */
export function failureBehindHandshake(
  error: NodeJS.ErrnoException,
  seen: Observation,
  answerBegan: boolean,
): CountersignError {
  const failure = withAlert(error, seen.capture);
  // It asked with no signature algorithm of ours: see isLateDemand of core/http/exchange-failure.ts.
  if (seen.renegotiated && alertIn(failure)?.name === 'handshake_failure') seen.askedLate = true;
  return requestFailure(failure, {
    handshake: {
      protocol: seen.capture.protocol ?? '',
      cipher: seen.capture.cipher ?? '',
      resumed: false,
      asked: hasAsked(seen),
      isFinished: tookCertificate(seen),
      server: { subject: '', issuer: '', fingerprint256: '', validTo: '' },
    },
    reused: false,
    answerBegan,
    singleWrite: true,
    ended: seen.ended,
  }).error;
}

/** Node hides an alert whose number OpenSSL has no name for and reports the close after it; the capture has both. */
export function withAlert(error: NodeJS.ErrnoException, capture: HandshakeCapture): NodeJS.ErrnoException {
  if (alertIn(error)) return error;
  // A warning in the clear ends nothing, and an attacker on the path can insert it. Under the keys of TLS 1.3 the level
  // has no meaning (RFC 8446, section 6): only close_notify and user_canceled are not failures. An alert in the clear
  // behind the server's Finished is not from the server: OpenSSL does not read it.
  const alert = capture.alerts.findLast(({ code, level, encrypted, afterFinished }) => {
    const isFatal = encrypted || (level === 'fatal' && !afterFinished);
    return isFatal && code !== 0 && code !== 90;
  });
  if (!alert) return error;
  return Object.assign(new Error(`SSL alert number ${alert.code}`, { cause: error }), {
    code: error.code ?? 'ECONNRESET',
  });
}
