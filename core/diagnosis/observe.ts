// Makes one connection to diagnose: dials, records the handshake of a call, and probes.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import { authorityOf, type Target } from '../destination/target.ts';
import { asCountersignError } from '../errors.ts';
import { deadlineFailure } from '../http/exchange-failure.ts';
import type { Identity } from '../identity/identity.ts';
import { type Deadline, newRequestAttempt, settleBefore } from '../tls/attempt.ts';
import { dialTarget } from '../tls/dial.ts';
import { type HandshakeObserver, performHandshake } from '../tls/handshake.ts';
import { createCaptureReader } from '../tls/handshake-capture/capture-reader.ts';
import { connectRecorded } from '../tls/handshake-capture/recorded-socket.ts';
import { newHandshakeProgress } from '../tls/handshake-failure.ts';
import { contextOf } from '../tls/secure-context.ts';
import { hasAsked, type Observation, withAlert } from './observation.ts';
import { type ProbeRequest, sendProbe, waitForVerdict, waitQuietly } from './probe.ts';

export interface ObservationTerms {
  readonly identity: Identity;
  readonly destination: Destination;
  readonly target: Target;
  /** Undefined: nothing is sent after the handshake. */
  readonly probe: ProbeRequest | undefined;
  readonly deadline: Deadline;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly lookup: LookupFunction | undefined;
}

/**
 * Reports a failure of the server in the observation. Rejects only if the connection itself is not allowed or not
 * possible (`destination-forbidden`, `identity-unusable`, `internal-error`). Leaves nothing open.
 */
export async function observe(terms: ObservationTerms): Promise<Observation> {
  const asking = await observeOnce(terms, true);
  if (!canBeAboutStaple(asking)) return asking;
  const asCalled = await observeOnce(terms, false);
  return asCalled.capture.certificates.length > 0 ? asCalled : asking;
}

/**
 * Some servers end the handshake if a client asks for a stapled OCSP response (RFC 6066, section 8) and they cannot
 * make one: wolfSSL without an alert, OpenSSL with `internal_error` if its callback fails. A call does not ask.
 */
function canBeAboutStaple({ failure, capture }: Observation): boolean {
  if (failure?.code !== 'tls-negotiation-failed' || capture.certificates.length > 0) return false;
  const alert = failure.evidence?.alert;
  return alert === undefined ? failure.evidence?.reason === 'ECONNRESET' : alert === 'internal_error';
}

async function observeOnce(terms: ObservationTerms, askedForStaple: boolean): Promise<Observation> {
  const { deadline, target } = terms;
  const reader = createCaptureReader();
  const { capture } = reader;
  const attempt = newRequestAttempt();
  const seen: Observation = {
    ...newHandshakeProgress(),
    attempt,
    capture,
    askedForStaple,
    address: undefined,
    isReady: false,
    failure: undefined,
    answer: undefined,
    answerBegan: false,
    servedAt: 0,
    readyAt: 0,
    endedAt: 0,
    connectedAt: 0,
  };
  const open: { socket?: Socket; tls?: TLSSocket } = {};

  const observer: HandshakeObserver = {
    progress: seen,
    connect(socket, options) {
      const push = (bytes: Buffer) => {
        reader.push(bytes);
        noteServed();
      };
      // In TLS 1.3 the secret opens bytes that came before it.
      const secret = (line: Buffer) => {
        reader.secret(line);
        noteServed();
      };
      open.tls = connectRecorded(socket, { ...options, requestOCSP: askedForStaple }, { ...reader, push, secret });
      return open.tls;
    },
    explain(error) {
      const answered = seen.answered || capture.finished || capture.messages.includes('server_hello_done');
      return { error: withAlert(error, capture), progress: { ...seen, answered, asked: hasAsked(seen) } };
    },
  };

  try {
    await settleBefore(deadline, connectAndProbe(), () => {
      throw deadlineFailure(attempt, deadline, target).error;
    });
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.step === undefined && !error.code.startsWith('response-')) throw error;
    seen.failure = error;
  } finally {
    attempt.abandoned = true;
    attempt.stop?.();
    seen.answerBegan = (open.tls?.bytesRead ?? 0) > 0;
    open.tls?.destroy();
    open.socket?.destroy();
    reader.close();
    seen.endedAt = performance.now();
  }
  return seen;

  async function connectAndProbe(): Promise<void> {
    const { destination, identity, probe, now } = terms;
    const context = contextOf(identity, destination);
    const socket = await dialTarget(target, destination, identity.name, terms.lookup, attempt);
    open.socket = socket;
    seen.connectedAt = performance.now();
    seen.address = socket.remoteAddress;
    noteEnd(socket);

    attempt.phase = 'handshake';
    // A server that does not ask for the client certificate is a finding here, not an error.
    const options = { destination, target, context, requireMutual: false, now };
    const { socket: tls } = await performHandshake(socket, options, attempt, undefined, observer);
    seen.isReady = true;
    seen.readyAt = performance.now();

    attempt.phase = 'request';
    if (!probe) return await waitQuietly(tls, seen);
    await waitForVerdict(tls, seen);
    seen.answer = await sendProbe(tls, target, authorityOf(target, destination.serverName), probe, seen);
  }

  function noteEnd(socket: Socket): void {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') seen.ended ??= 'reset';
    });
    socket.once('end', () => {
      seen.ended ??= 'close';
    });
  }

  function noteServed(): void {
    if (seen.servedAt > 0 || capture.certificates.length === 0) return;
    seen.servedAt = performance.now();
  }
}
