// One attempt at a request: its phase, the time of each phase, how to stop it, and the deadline.
import { CountersignError } from '../errors.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';

/**
 * In this order; a reused connection begins at `request`. `verify`: the server asked for our certificate, has it, and
 * must finish the handshake.
 */
export type Phase = 'resolve' | 'connect' | 'handshake' | 'verify' | 'request' | 'response';

export interface RequestAttempt {
  phase: Phase;
  /** Milliseconds; 0 if the phase did not take place. */
  dnsMs: number;
  connectMs: number;
  tlsMs: number;
  /** performance.now() when the connection was ready for the request. */
  readyAt: number;
  /** Ends the current connection phase, which sets it. */
  stop: (() => void) | undefined;
  /** True once the caller has stopped waiting. */
  abandoned: boolean;
}

export function newRequestAttempt(): RequestAttempt {
  return { phase: 'request', dnsMs: 0, connectMs: 0, tlsMs: 0, readyAt: 0, stop: undefined, abandoned: false };
}

/** When a call must have ended: performance.now() in milliseconds. */
export interface Deadline {
  readonly at: number;
  readonly timeoutMs: number;
}

export function deadlineIn(timeoutMs: number, startedAt = performance.now()): Deadline {
  return { at: startedAt + timeoutMs, timeoutMs };
}

/** Two decimals, never negative. */
export function roundMs(ms: number): number {
  return Math.max(0, Math.round(ms * 100) / 100);
}

/** Never negative, because Node's timers log a warning then. */
export function remainingMs(deadline: Deadline): number {
  return Math.max(0, deadline.at - performance.now());
}

interface Expiry {
  readonly at: number;
  readonly expire: () => void;
}

const expiries = new Set<Expiry>();
/** `at` is performance.now() at its end. */
const expiryTimer: { timeout: NodeJS.Timeout | undefined; at: number } = {
  timeout: undefined,
  at: Number.POSITIVE_INFINITY,
};

/**
 * Calls `expire` at the deadline. All deadlines have one timer: most calls end long before theirs, and to start and
 * stop a timer takes more than the rest of this. The timer does not keep the process running.
 * @returns stops waiting
 */
export function atDeadline({ at }: Deadline, expire: () => void): () => void {
  const expiry = { at, expire };
  expiries.add(expiry);
  if (at < expiryTimer.at) startExpiryTimer(at);
  return () => expiries.delete(expiry);
}

function startExpiryTimer(at: number): void {
  clearTimeout(expiryTimer.timeout);
  expiryTimer.at = at;
  expiryTimer.timeout = setTimeout(expireDue, Math.max(0, at - performance.now())).unref();
}

function expireDue(): void {
  const now = performance.now();
  let next = Number.POSITIVE_INFINITY;
  expiryTimer.at = next;
  for (const expiry of expiries) {
    if (expiry.at > now) {
      next = Math.min(next, expiry.at);
    } else {
      expiries.delete(expiry);
      expiry.expire();
    }
  }
  if (next < expiryTimer.at) startExpiryTimer(next);
}

/** The result of `work`, or of `late` once the deadline or `mostMs` milliseconds have passed. */
export async function settleBefore<T, L>(
  deadline: Deadline,
  work: Promise<T>,
  late: () => L,
  mostMs = Number.POSITIVE_INFINITY,
): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(mostMs, remainingMs(deadline)));
  });
  try {
    return await Promise.race([work, tooLate.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws `identity-unavailable` at the deadline. */
export function identityBefore(deadline: Deadline, loading: Promise<Identity>): Promise<Identity> {
  return settleBefore(deadline, loading, () => {
    const detail = `The identity store did not respond within ${deadline.timeoutMs} ms.`;
    throw new CountersignError('identity-unavailable', detail, { evidence: { reason: 'timeout' } });
  });
}

/** Milliseconds. Secrets Manager answers in 10 to 30 ms; a store that is down must not make calls slow. */
const mostRefreshMs = { answer: 500, call: 300 } as const;

/** Reads the identity anew, at most once in 5 s. Undefined if the store fails or takes longer than 300 ms. */
export function reloadBefore(
  deadline: Deadline,
  identities: Pick<IdentityCache, 'reload'>,
  name: string,
): Promise<Identity | undefined> {
  const unavailable = () => undefined;
  return settleBefore(deadline, identities.reload(name).catch(unavailable), unavailable, mostRefreshMs.call);
}

/**
 * Awaited before an answer is returned: Lambda freezes the process then, and a pending read with it. A read that timed
 * out once is not awaited again: a store that hangs delays one call only. Awaited before a call too, if that cannot be
 * repeated with another version.
 */
export function refreshBefore(
  deadline: Deadline,
  identities: Pick<IdentityCache, 'refreshing'>,
  name: string,
  before: 'answer' | 'call' = 'answer',
): Promise<void> | undefined {
  const refreshing = identities.refreshing(name);
  if (refreshing === undefined || timedOut.has(refreshing)) return undefined;
  const late = () => {
    if (remainingMs(deadline) > 0) timedOut.add(refreshing);
  };
  return settleBefore(deadline, refreshing, late, mostRefreshMs[before]);
}

const timedOut = new WeakSet<Promise<void>>();
