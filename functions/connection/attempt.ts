// One attempt at a call: which phase it is in, how long each took, and how to stop it.

/** In this order; a reused connection begins at `request`. */
export type Phase = 'resolve' | 'connect' | 'handshake' | 'request' | 'response';

export interface Attempt {
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

export function newAttempt(): Attempt {
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

/** Never negative, which Node's timers warn of in the log: a busy process may come to its timer late. */
export function remainingMs(deadline: Deadline): number {
  return Math.max(0, deadline.at - performance.now());
}
