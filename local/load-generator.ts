// Generates load: callers that call without a pause, or with a short one, until they are stopped. Used by the rotation
// demo, the rotation benchmark and the tests.
import { setTimeout as wait } from 'node:timers/promises';

export interface LoadOptions<Result> {
  /** Calls at the same time. */
  readonly callers: number;
  /** Makes one call. `caller` counts from 0, `n` from 1 over all callers. Must not reject. */
  readonly call: (caller: number, n: number) => Promise<Result>;
  /** Milliseconds between a call and the next one of the same caller. Default 0. */
  readonly pauseMs?: number;
}

export interface Load<Result> {
  /** Of the completed calls, in the order in which they completed. */
  readonly results: readonly Result[];
  /** Starts no further call once `minimum` calls (default 0) have started, and waits for those in progress. */
  stop(minimum?: number): Promise<void>;
}

export function startLoad<Result>({ callers, call, pauseMs = 0 }: LoadOptions<Result>): Load<Result> {
  const results: Result[] = [];
  let started = 0;
  let wanted = Number.POSITIVE_INFINITY;

  async function keepCalling(caller: number): Promise<void> {
    while (started < wanted) {
      started += 1;
      results.push(await call(caller, started));
      if (pauseMs > 0) await wait(pauseMs);
    }
  }

  const running = Promise.all(Array.from({ length: callers }, (_, caller) => keepCalling(caller)));
  return {
    results,
    async stop(minimum = 0) {
      wanted = Math.min(wanted, minimum);
      await running;
    },
  };
}

/** Milliseconds since 1970, in fractions: one clock for all processes of the machine, which never goes back. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
