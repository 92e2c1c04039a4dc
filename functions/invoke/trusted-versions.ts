// Remembers for ten minutes which destinations accept the previous certificate and not the current one.
import type { Target } from '../destination/target.ts';
import type { Identity } from '../identity/identity.ts';

export interface TrustedVersions {
  /** The version found for this destination while `current` was in use, or undefined once its time is over. */
  find(current: Identity, target: Target): Identity | undefined;
  remember(current: Identity, previous: Identity, target: Target): void;
  forget(current: Identity, target: Target): void;
  /** All that was found while it was in use: another one may be trusted everywhere. */
  forgetAll(current: Identity): void;
  readonly size: number;
}

interface Found {
  readonly current: Identity;
  readonly previous: Identity;
  /** Milliseconds since 1970. */
  readonly until: number;
}

const lifeMs = 600_000;

/** Bounded by `capacity`, oldest out first: all live equally long. `now` is milliseconds since 1970. */
export function createTrustedVersions(now: () => number = Date.now, capacity = 1_000): TrustedVersions {
  const versions = new Map<string, Found>();
  return {
    find(current, target) {
      const key = keyOf(current, target);
      const found = versions.get(key);
      if (found === undefined) return undefined;
      if (found.current === current && now() < found.until) return found.previous;
      versions.delete(key);
      return undefined;
    },
    remember(current, previous, target) {
      const key = keyOf(current, target);
      versions.delete(key);
      versions.set(key, { current, previous, until: now() + lifeMs });
      if (versions.size > capacity) versions.delete(versions.keys().next().value as string);
    },
    forget(current, target) {
      versions.delete(keyOf(current, target));
    },
    forgetAll(current) {
      for (const [key, found] of versions) if (found.current === current) versions.delete(key);
    },
    get size() {
      return versions.size;
    },
  };
}

/** No host has a space in it (destination/target.ts). */
function keyOf({ name }: Identity, { host, port }: Target): string {
  return `${name} ${host}:${port}`;
}
