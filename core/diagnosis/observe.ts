// Makes one connection to learn from: dials, records the handshake, verifies the server as for a call, and probes.
import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import { type LookupFunction, resolveTarget } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import { asCountersignError, CountersignError } from '../errors.ts';
import { deadlineFailure } from '../http/exchange-failure.ts';
import type { Identity } from '../identity/identity.ts';
import { type Deadline, newRequestAttempt } from '../tls/attempt.ts';
import { dial } from '../tls/dial.ts';
import { createCaptureReader } from '../tls/handshake-capture/capture-reader.ts';
import { connectRecorded } from '../tls/handshake-capture/record-socket.ts';
import { type HandshakeProgress, handshakeFailure } from '../tls/handshake-failure.ts';
import { contextOf } from '../tls/secure-context.ts';
import { chainOf, verifyServer } from '../tls/server-certificate.ts';
import { avoidLegacyCertificate } from '../x509/legacy-certificate.ts';
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
 * Never rejects for what the server does, only for what forbids the connection itself (`destination-forbidden`,
 * `identity-unusable`, `internal-error`). Nothing is left open.
 */
export async function observe(terms: ObservationTerms): Promise<Observation> {
  const reader = createCaptureReader();
  const attempt = newRequestAttempt();
  const seen: Observation = {
    attempt,
    capture: reader.capture,
    address: undefined,
    chain: undefined,
    sentBehindServer: 0,
    askedByNode: undefined,
    askedLate: false,
    isReady: false,
    failure: undefined,
    ended: undefined,
    answer: undefined,
    servedAt: 0,
    readyAt: 0,
    endedAt: 0,
    connectedAt: 0,
  };
  const open: { socket?: Socket; tls?: TLSSocket } = {};
  let sentAtServed = 0;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(deadlineFailure(attempt, terms.deadline, terms.target).error),
      Math.max(1, terms.deadline.at - performance.now()),
    );
  });
  try {
    await Promise.race([walk(), late]);
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.step === undefined && !error.code.startsWith('response-')) throw error;
    seen.failure = error;
  } finally {
    clearTimeout(timer);
    attempt.abandoned = true;
    if (seen.servedAt > 0) seen.sentBehindServer = (open.socket?.bytesWritten ?? 0) - sentAtServed;
    attempt.stop?.();
    open.tls?.destroy();
    open.socket?.destroy();
    reader.close();
    seen.endedAt = performance.now();
  }
  return seen;

  async function walk(): Promise<void> {
    const { target, destination, identity, probe } = terms;
    const context = contextOf(identity, destination);
    attempt.phase = 'resolve';
    const start = performance.now();
    const addresses = await resolveTarget(target, destination, terms.lookup);
    const resolved = performance.now();
    attempt.dnsMs = resolved - start;
    if (attempt.abandoned) return;

    attempt.phase = 'connect';
    const socket = await dial(addresses, target.port, attempt);
    open.socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') seen.ended ??= 'reset';
    });
    socket.once('end', () => {
      seen.ended ??= 'close';
    });
    seen.connectedAt = performance.now();
    attempt.connectMs = seen.connectedAt - resolved;
    seen.address = socket.remoteAddress;

    attempt.phase = 'handshake';
    const name = destination.serverName ?? target.host;
    const tls = connectRecorded(
      socket,
      {
        secureContext: context,
        servername: isIP(name) ? '' : name,
        ALPNProtocols: ['http/1.1'],
        // As for a call: see handshake.ts.
        rejectUnauthorized: true,
        checkServerIdentity: () => undefined,
        requestOCSP: true,
      },
      {
        ...reader,
        push(bytes) {
          reader.push(bytes);
          markServed();
        },
        // In TLS 1.3 the bytes open only now.
        secret(line) {
          reader.secret(line);
          markServed();
        },
      },
    );
    avoidLegacyCertificate(tls);
    open.tls = tls;
    await secured(tls, name);
    seen.isReady = true;
    seen.readyAt = performance.now();

    attempt.phase = 'request';
    if (!probe) return await waitQuietly(tls, seen);
    await waitForVerdict(tls, seen);
    seen.answer = await sendProbe(tls, target, probe, seen);
  }

  function markServed(): void {
    if (seen.servedAt > 0 || reader.capture.certificates.length === 0) return;
    seen.servedAt = performance.now();
    sentAtServed = open.socket?.bytesWritten ?? 0;
  }

  /**
   * As handshake.ts does: the keys of a renegotiation are made when its flight was read. OpenSSL fills the list from a
   * CertificateRequest alone, and after a first handshake that had none it is empty.
   */
  function noteRenegotiation(tls: TLSSocket): void {
    tls.on('keylog', () => {
      seen.askedLate ||= tls.getSharedSigalgs().length > 0;
    });
  }

  /** Until the server is verified; rejects with what an invocation would have ended with. */
  function secured(tls: TLSSocket, name: string): Promise<void> {
    const { capture } = reader;
    const { serverPins: pins, serverRoots } = terms.destination;
    const expected = { name, pins };
    return new Promise((resolve, reject) => {
      tls.prependOnceListener('secure', () => {
        try {
          seen.chain = chainOf(tls, terms.now(), serverRoots, true);
        } catch {
          // A certificate that cannot be read is none.
          seen.chain = undefined;
        }
      });
      // As handshake.ts does: keys that are made while the list is full are made after the server's whole flight.
      tls.once('secureConnect', () => tls.off('keylog', noteRequest)).on('keylog', noteRequest);
      function noteRequest(): void {
        if (tls.getSharedSigalgs().length > 0) seen.askedByNode = true;
      }
      tls.on('error', (error: NodeJS.ErrnoException) => {
        const progress: HandshakeProgress = {
          answered: capture.messages.includes('server_hello_done') || capture.finished || seen.askedByNode === true,
          asked: hasAsked(seen),
          chain: seen.chain,
          unverified: tls.authorizationError !== undefined && tls.authorizationError !== null,
          ended: seen.ended,
          now: terms.now,
        };
        reject(handshakeFailure(withAlert(error, capture), progress, name));
      });
      // A second one, after a renegotiation, finds the matter settled.
      tls.once('secureConnect', () => {
        seen.askedByNode = tls.getSharedSigalgs().length > 0;
        if (!hasAsked(seen)) noteRenegotiation(tls);
        try {
          if (!seen.chain) {
            throw new CountersignError('server-certificate-invalid', 'The API server presented no certificate.');
          }
          verifyServer(seen.chain, expected, terms.now());
          resolve();
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }
}
