// Step 1: resolves the target and opens a TCP connection to one of its checked addresses.
import { connect, type Socket } from 'node:net';
import type { Destination } from '../destination/destination.ts';
import { type LookupFunction, type ResolvedAddress, resolveTarget } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import type { RequestAttempt } from './attempt.ts';

/**
 * Resolves and dials; records the phase and its milliseconds in `attempt`. Throws `destination-forbidden`,
 * `name-resolution-failed`, `connection-refused`, `connection-timeout` or `connection-failed`.
 */
export async function dialTarget(
  target: Target,
  destination: Destination,
  identity: string,
  lookup: LookupFunction | undefined,
  attempt: RequestAttempt,
): Promise<Socket> {
  attempt.phase = 'resolve';
  const startedAt = performance.now();
  const addresses = await resolveTarget(target, destination, identity, lookup);
  const resolvedAt = performance.now();
  attempt.dnsMs = resolvedAt - startedAt;
  if (attempt.abandoned) {
    throw new CountersignError('connection-timeout', 'The call ended before the connection began.');
  }
  attempt.phase = 'connect';
  const socket = await dial(addresses, target.port, attempt);
  attempt.connectMs = performance.now() - resolvedAt;
  return socket;
}

/** Milliseconds before the next address is tried in parallel (RFC 8305, section 5). */
const attemptDelayMs = 250;

/** Resolves with the first open connection and closes the others. */
export function dial(addresses: readonly ResolvedAddress[], port: number, attempt: RequestAttempt): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const open = new Set<Socket>();
    let next = 0;
    let firstError: NodeJS.ErrnoException | undefined;
    let timer: NodeJS.Timeout | undefined;

    const finish = (winner: Socket | undefined) => {
      clearTimeout(timer);
      next = addresses.length;
      attempt.stop = undefined;
      for (const socket of open) if (socket !== winner) socket.destroy();
    };
    const tryNext = () => {
      clearTimeout(timer);
      const address = addresses[next++];
      if (!address) return;
      const socket = connect({ host: address.address, family: address.family, port, noDelay: true, keepAlive: true });
      open.add(socket);
      socket.once('connect', () => {
        finish(socket);
        socket.removeAllListeners('error');
        resolve(socket);
      });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        open.delete(socket);
        // A refusal comes from the server itself, so it says more than a missing route.
        if (!firstError || error.code === 'ECONNREFUSED') firstError = error;
        if (next < addresses.length) tryNext();
        else if (open.size === 0) {
          finish(undefined);
          reject(dialFailure(firstError, port));
        }
      });
      if (next < addresses.length) timer = setTimeout(tryNext, attemptDelayMs);
    };
    attempt.stop = () => {
      finish(undefined);
      for (const socket of open) socket.on('error', () => {});
    };
    tryNext();
  });
}

function dialFailure(error: NodeJS.ErrnoException, port: number): CountersignError {
  const reason = error.code ?? 'unknown';
  const evidence = { reason };
  if (reason === 'ECONNREFUSED') {
    return new CountersignError(
      'connection-refused',
      `Nothing accepts connections on port ${port} of the API server.`,
      {
        evidence,
        cause: error,
      },
    );
  }
  if (reason === 'ETIMEDOUT') {
    return new CountersignError('connection-timeout', `The API server did not respond on port ${port}.`, {
      evidence,
      cause: error,
    });
  }
  return new CountersignError('connection-failed', `The connection to port ${port} failed (${reason}).`, {
    evidence,
    cause: error,
    ...(localReasons.has(reason)
      ? { hint: 'The platform ran out of sockets or memory and must reduce its load.' }
      : {}),
  });
}

const localReasons = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);
