// Remembers for a few seconds which names cannot be served and why, apart from the identities that can.
import type { CountersignError } from '../errors.ts';

export interface Refusals {
  find(name: string, now: number): CountersignError | undefined;
  add(name: string, error: CountersignError, now: number): void;
  delete(name: string): void;
  readonly size: number;
}

/** Bounded by `capacity`, oldest out first: all live equally long, so the oldest is the one that ends soonest. */
export function createRefusals(lifeMs: number, capacity: number): Refusals {
  const refusals = new Map<string, { readonly error: CountersignError; readonly until: number }>();
  return {
    find(name, now) {
      const refusal = refusals.get(name);
      if (refusal === undefined) return undefined;
      if (now < refusal.until) return refusal.error;
      refusals.delete(name);
      return undefined;
    },
    add(name, error, now) {
      refusals.delete(name);
      refusals.set(name, { error, until: now + lifeMs });
      if (refusals.size > capacity) refusals.delete(refusals.keys().next().value as string);
    },
    delete(name) {
      refusals.delete(name);
    },
    get size() {
      return refusals.size;
    },
  };
}
