// Limits how many reads of a store run at once, and how many wait.
import { CountersignError } from '../errors.ts';

export interface Semaphore {
  /**
   * Runs `task` when a place is free, first come first served. Throws `identity-unavailable` if too many wait already.
   */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** True if `run` would have to wait. */
  readonly isFull: boolean;
}

export function createSemaphore(places: number, maxWaiting: number): Semaphore {
  let taken = 0;
  const waiting: (() => void)[] = [];

  async function enter(): Promise<void> {
    if (taken < places) {
      taken += 1;
      return;
    }
    if (waiting.length >= maxWaiting) {
      throw new CountersignError('identity-unavailable', 'Too many identities are being read at once.', {
        evidence: { reason: 'too-many-reads' },
        hint: 'Try again shortly; if it lasts, look for a caller that asks for a great many identities.',
      });
    }
    // The place passes directly to the task that waited longest: a new one cannot take it in between.
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  return {
    async run(task) {
      await enter();
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else taken -= 1;
      }
    },
    get isFull() {
      return taken >= places;
    },
  };
}
