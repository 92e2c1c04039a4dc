// One attempt at a call: which phase it is in, how long each took, how to stop it, and by when all must have ended.
import { CountersignError } from '../errors.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';

/** In this order; a reused connection begins at `request`. */
export type Phase = 'resolve' | 'connect' | 'handshake' | 'request' | 'response';

export interface RequestAttempt {
  phase: Phase;
  /** Milliseconds; 0 where the phase did not take place. */
  dnsMs: number;
  connectMs: number;
  tlsMs: number;
  /** performance.now() when the connection was ready for the request. */
  readyAt: number;
  /** Ends what is under way in the connection phases; set by whoever is working. */
  stop: (() => void) | undefined;
  /** True once nobody waits for the outcome any more. */
  abandoned: boolean;
}

export function newRequestAttempt(): RequestAttempt {
  return { phase: 'request', dnsMs: 0, connectMs: 0, tlsMs: 0, readyAt: 0, stop: undefined, abandoned: false };
}

/** The one point in time by which a call must have ended, on performance.now()'s clock, in milliseconds. */
export interface Deadline {
  readonly at: number;
  readonly timeoutMs: number;
}

export function deadlineIn(timeoutMs: number, startedAt = performance.now()): Deadline {
  return { at: startedAt + timeoutMs, timeoutMs };
}

/** Hundredths of a millisecond are as much as a reader can use. */
export function roundMs(ms: number): number {
  return Math.max(0, Math.round(ms * 100) / 100);
}

/** Never negative, which Node's timers warn of in the log: a busy process may come to its timer late. */
export function remainingMs(deadline: Deadline): number {
  return Math.max(0, deadline.at - performance.now());
}

/** What `work` comes to, if it does by the deadline (and within `mostMs`); else what `late` gives or throws. */
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

/** A store that is slow does not get more time than the call has. */
export function identityBefore(deadline: Deadline, loading: Promise<Identity>): Promise<Identity> {
  return settleBefore(deadline, loading, () => {
    const detail = `The identity store did not answer within ${deadline.timeoutMs} ms.`;
    throw new CountersignError('identity-unavailable', detail, { evidence: { reason: 'timeout' } });
  });
}

/** Secrets Manager answers in 10 to 30 ms; a store that is down must not make calls slow. */
const mostRefreshMs = 500;

/**
 * To be awaited, when there is anything, before an answer is returned: Lambda stops the process then, and a read that is
 * still under way stops with it. A read that was waited for in vain once is left alone: a store that hangs costs one call.
 */
export function refreshBefore(
  deadline: Deadline,
  identities: Pick<IdentityCache, 'refreshing'>,
  name: string,
): Promise<void> | undefined {
  const refreshing = identities.refreshing(name);
  if (refreshing === undefined || givenUp.has(refreshing)) return undefined;
  const late = () => {
    if (remainingMs(deadline) > 0) givenUp.add(refreshing);
  };
  return settleBefore(deadline, refreshing, late, mostRefreshMs);
}

const givenUp = new WeakSet<Promise<void>>();
