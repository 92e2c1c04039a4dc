// Lets a limited number of store reads run at once and a limited number wait, so that a flood of names stays a trickle.
import { CountersignError } from '../errors.ts';

export interface Gate {
  /** Runs `task` when a place is free, in the order of asking. Throws `identity-unavailable` when too many wait already. */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** True when `run` would have to wait. */
  readonly isFull: boolean;
}

export function createGate(places: number, maxWaiting: number): Gate {
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
    // The place is handed over, never given back in between: nobody can slip in front.
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
