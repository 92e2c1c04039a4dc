// Classifies the error of a request by how far it got, and says whether the request can have been processed.
import type { Target } from '../destination/target.ts';
import { CountersignError, type Step } from '../errors.ts';
import { type Alert, alertIn, isAboutCertificate } from '../tls/alerts.ts';
import type { Deadline, Phase, RequestAttempt } from '../tls/attempt.ts';
import { certificateChanged, type Handshake } from '../tls/handshake.ts';
import {
  type ConnectionEnd,
  isDisconnection,
  isRecordError,
  rejectedByAlert,
  rejectedByDisconnection,
  rejectedByRecordError,
} from '../tls/handshake-failure.ts';

export interface Failure {
  readonly error: CountersignError;
  /** `no` only if proven: no byte was sent, or the server never finished the handshake. */
  readonly processed: 'no' | 'maybe';
  /** A kept-alive connection had died; a new one can succeed. */
  readonly stale: boolean;
}

export interface ExchangeState {
  readonly handshake: Omit<Handshake, 'client'> | undefined;
  readonly reused: boolean;
  /** Part of an answer arrived: a server does not answer a client that it rejected. */
  readonly answerBegan: boolean;
  /** The whole request goes to the kernel in one write: if it fails, nothing was sent. */
  readonly singleWrite: boolean;
  /** How the underlying socket ended, if it was observed. */
  readonly ended?: ConnectionEnd | undefined;
}

/** Before the head of the answer was complete. */
export function requestFailure(error: NodeJS.ErrnoException, state: ExchangeState): Failure {
  // The connection phases and the limits of a response throw their own errors; a renegotiation can come after the
  // request.
  if (error instanceof CountersignError) {
    const isOfResponse = error.code === 'response-too-large';
    const isLate = state.answerBegan || isOfResponse || error.evidence?.reason === certificateChanged;
    return { error, processed: isLate ? 'maybe' : 'no', stale: false };
  }
  if (error.code?.startsWith('HPE_')) return { error: malformedAnswer(error), processed: 'maybe', stale: false };
  if (state.answerBegan) return { error: answerCutShort(error), processed: 'maybe', stale: false };
  const alert = alertIn(error);
  const fresh = !state.reused;
  if (alert && fresh && (state.handshake?.asked || isAboutCertificate(alert.name) || isLateDemand(alert, state))) {
    // TLS 1.3: the server verifies after our Finished, so its verdict can arrive after the request. Until a ticket
    // proves otherwise it has not finished the handshake and read no request (RFC 8446, section 4.4.4); for other
    // alerts this is only likely. A TLS 1.2 server finishes before the request is sent, and can read it before a
    // renegotiation.
    const isUnfinished = state.handshake?.isFinished === false;
    const processed = isUnfinished && isAboutCertificate(alert.name) ? 'no' : 'maybe';
    return { error: rejectedByAlert(alert, error), processed, stale: false };
  }
  if (isDisconnection(error) || alert) {
    const nothingSent = error.syscall === 'write' && state.singleWrite && state.reused;
    const { asked = false, resumed = false, isFinished = false } = state.handshake ?? {};
    return {
      error:
        fresh && asked && !resumed
          ? rejectedByDisconnection(error, state.ended, isFinished)
          : noAnswer(error, state.reused, alert),
      processed: nothingSent ? 'no' : 'maybe',
      stale: state.reused,
    };
  }
  // Until a ticket confirms our Finished, a record that does not open is the refusal of a server that kept older keys.
  if (isRecordError(error) && fresh && state.handshake?.asked && !state.handshake.isFinished) {
    return { error: rejectedByRecordError(error), processed: 'maybe', stale: false };
  }
  return {
    error: new CountersignError(
      'response-incomplete',
      `The connection failed before a response arrived (${error.code ?? 'unknown'}).`,
      {
        evidence: { reason: error.code ?? 'unknown' },
        cause: error,
      },
    ),
    processed: 'maybe',
    stale: state.reused,
  };
}

/** TLS 1.2 has no other alert for a client that had no certificate to send (RFC 5246, section 7.4.6). */
function isLateDemand({ name }: Alert, { handshake }: ExchangeState): boolean {
  return handshake?.renegotiated === true && name === 'handshake_failure';
}

function answerCutShort(cause: NodeJS.ErrnoException): CountersignError {
  return new CountersignError('response-incomplete', 'The connection ended in the head of the response.', {
    evidence: { reason: cause.code ?? 'unknown' },
    cause,
  });
}

function noAnswer(cause: NodeJS.ErrnoException, reused: boolean, alert: Alert | undefined): CountersignError {
  const on = reused ? 'a connection that was kept open' : 'a new connection';
  const how = alert ? ` and with the alert ${alert.name}` : '';
  return new CountersignError('response-incomplete', `The API closed ${on} without a byte of a response${how}.`, {
    evidence: {
      reason: cause.code ?? 'unknown',
      connection: reused ? 'reused' : 'new',
      ...(alert ? { alert: alert.name } : {}),
    },
    cause,
  });
}

/** Errors of llhttp: the text is the parser's, not the peer's. */
function malformedAnswer(error: NodeJS.ErrnoException): CountersignError {
  const reason = error.code ?? 'unknown';
  if (isHttp2((error as { rawPacket?: unknown }).rawPacket)) {
    return new CountersignError('response-malformed', 'The API responds in HTTP/2, which was not negotiated.', {
      evidence: { reason: 'http2-only' },
      hint: 'The customer must offer HTTP/1.1 beside HTTP/2, and select the protocol by ALPN.',
      cause: error,
    });
  }
  const detail =
    reason === 'HPE_HEADER_OVERFLOW'
      ? 'The head of the response is larger than 64 KB.'
      : `The API sent something that is not an HTTP response (${reason}).`;
  return new CountersignError('response-malformed', detail, { evidence: { reason }, cause: error });
}

/** A server's first frame is SETTINGS of stream 0, with entries of six bytes (RFC 9113, sections 3.4 and 6.5). */
function isHttp2(packet: unknown): boolean {
  if (!Buffer.isBuffer(packet) || packet.length < 9) return false;
  return packet.readUIntBE(0, 3) % 6 === 0 && packet[3] === 4 && packet.readUInt32BE(5) === 0;
}

/** The phase at the deadline decides the error. */
export function deadlineFailure(attempt: RequestAttempt, deadline: Deadline, target: Target): Failure {
  const within = `within ${deadline.timeoutMs} ms`;
  const { code, detail, ...more } = overdue[attempt.phase];
  return {
    error: new CountersignError(code, detail(within, target), {
      ...more,
      evidence: { timeoutMs: deadline.timeoutMs, phase: attempt.phase },
    }),
    processed: attempt.phase === 'request' || attempt.phase === 'response' ? 'maybe' : 'no',
    stale: false,
  };
}

const overdue = {
  resolve: {
    code: 'name-resolution-failed',
    detail: (within, { host }) => `The DNS gave no answer for ${host} ${within}.`,
  },
  connect: {
    code: 'connection-timeout',
    detail: (within, { port }) => `The API server did not accept the connection on port ${port} ${within}.`,
  },
  handshake: {
    code: 'handshake-timeout',
    detail: (within) => `The API server accepted the connection but did not finish the TLS handshake ${within}.`,
  },
  verify: {
    code: 'handshake-timeout',
    step: 5,
    hint: 'The customer must check why its API takes so long to verify the client certificate: a revocation list, an OCSP responder or a directory that does not answer.',
    detail: (within) =>
      `The API server asked for a client certificate, received it, and did not finish the TLS handshake ${within}.`,
  },
  request: { code: 'response-timeout', detail: (within) => `The API did not start its response ${within}.` },
  response: {
    code: 'response-timeout',
    detail: (within) => `The API started its response but did not finish it ${within}.`,
  },
} as const satisfies Record<
  Phase,
  {
    code: ConstructorParameters<typeof CountersignError>[0];
    detail: (within: string, target: Target) => string;
    step?: Step;
    hint?: string;
  }
>;
