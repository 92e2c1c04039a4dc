// What one connection showed: how far it came, what the server said on the way, and how it ended.

import type { CountersignError } from '../errors.ts';
import { requestFailure } from '../http/exchange-failure.ts';
import { alertIn } from '../tls/alerts.ts';
import type { RequestAttempt } from '../tls/attempt.ts';
import type { HandshakeCapture } from '../tls/handshake-capture/capture.ts';
import type { ConnectionEnd } from '../tls/handshake-failure.ts';
import type { ServerChain } from '../tls/server-certificate.ts';

export interface ProbeAnswer {
  readonly status: number;
  /** Lower-case names; never leaves the diagnosis. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As much as tells one page from another. */
  readonly bodyStart: Buffer;
}

/** Filled as the connection goes on; what was not reached stays as it was. */
export interface Observation {
  readonly attempt: RequestAttempt;
  readonly capture: HandshakeCapture;
  /** The server's, once the connection stood. */
  address: string | undefined;
  /** The chain that OpenSSL went by, once the handshake was complete. */
  chain: ServerChain | undefined;
  /** Bytes that went out once the server's certificate was there: our certificate is among them, unless nothing went. */
  sentBehindServer: number;
  /** What Node can tell of the first handshake, for a flight that could not be read as far as the server's question. */
  askedByNode: boolean | undefined;
  /** The server asked in a renegotiation that the request set off (TLS 1.2). */
  askedLate: boolean;
  /** The handshake was complete and the server verified: the moment at which a request may be sent. */
  isReady: boolean;
  /** What ended it, when it did not go as far as it should. */
  failure: CountersignError | undefined;
  /** How the server ended the connection, if it did. */
  ended: ConnectionEnd | undefined;
  answer: ProbeAnswer | undefined;
  /** performance.now(): the server's certificate came, the handshake was complete, all was over. */
  servedAt: number;
  readyAt: number;
  endedAt: number;
  connectedAt: number;
}

/** True when the server has proven that it took in our certificate and went on. */
export function tookCertificate(seen: Pick<Observation, 'capture' | 'isReady' | 'askedLate'>): boolean {
  // TLS 1.2: its Finished comes after it has read ours. TLS 1.3: a server that asked cannot make a ticket before it has read
  // our Finished, because the ticket's secret covers that (RFC 8446, section 4.6.1).
  // Of a renegotiation only the answer tells.
  if (!seen.isReady || seen.askedLate) return false;
  return seen.capture.protocol === 'TLSv1.2' || seen.capture.messages.includes('new_session_ticket');
}

/** An alert is all that a client without a certificate to send would say: a record of 31 bytes at most, and a ChangeCipherSpec of 6. */
const shortestAnswer = 64;

/** True when our answer to the server's question left, whatever the server made of it. Node closes some connections before. */
export function sentCertificate({
  capture,
  sentBehindServer,
}: Pick<Observation, 'capture' | 'sentBehindServer'>): boolean {
  return capture.asked === true && sentBehindServer >= shortestAnswer;
}

/** Asked before a request could be sent; undefined while that is not known. */
export function askedAtOnce(seen: Pick<Observation, 'capture' | 'askedByNode'>): boolean | undefined {
  return seen.capture.asked ?? seen.askedByNode;
}

/**
 * Asked in the handshake, or by a renegotiation that the request set off. That a renegotiation began says nothing: anybody
 * on the way may put a HelloRequest in the clear before the handshake, and a server may renegotiate without asking.
 */
export function hasAsked(seen: Pick<Observation, 'capture' | 'askedByNode' | 'askedLate'>): boolean {
  return askedAtOnce(seen) === true || seen.askedLate;
}

/** What an invocation would have ended with, had this error met it in the same place. */
export function failureBehindHandshake(
  error: NodeJS.ErrnoException,
  seen: Observation,
  answerBegan: boolean,
): CountersignError {
  return requestFailure(withAlert(error, seen.capture), {
    handshake: {
      protocol: seen.capture.protocol ?? '',
      cipher: seen.capture.cipher ?? '',
      resumed: false,
      asked: hasAsked(seen),
      // Whether the probe was processed is nothing to anybody.
      isFinished: true,
      server: { subject: '', issuer: '', fingerprint256: '', validTo: '' },
    },
    reused: false,
    answerBegan,
    singleWrite: true,
    ended: seen.ended,
  }).error;
}

/** Node swallows an alert for whose number OpenSSL has no name, and tells the close behind it: the flight has both. */
export function withAlert(error: NodeJS.ErrnoException, capture: HandshakeCapture): NodeJS.ErrnoException {
  if (alertIn(error)) return error;
  // A warning in the clear ends nothing, and anybody may have put it there. Under the keys of TLS 1.3 the level says
  // nothing (RFC 8446, section 6): only close_notify and user_canceled are no failure.
  const alert = capture.alerts.findLast(
    ({ code, level, encrypted }) => (encrypted || level === 'fatal') && code !== 0 && code !== 90,
  );
  if (!alert) return error;
  return Object.assign(new Error(`SSL alert number ${alert.code}`, { cause: error }), {
    code: error.code ?? 'ECONNRESET',
  });
}
