// Remembers for ten minutes which destinations accept the previous certificate and not the current one.
import { BoundedMap } from '../bounded-map.ts';
import type { Target } from '../destination/target.ts';
import type { Identity } from '../identity/identity.ts';

export interface TrustedVersions {
  /** The version to begin with at this destination while `current` is in use, or undefined once its time is over. */
  find(current: Identity, target: Target): Identity | undefined;
  remember(current: Identity, previous: Identity, target: Target): void;
  /** As `remember`, where nothing is known yet: the destination turned `current` down, and `previous` was not tried. */
  suppose(current: Identity, previous: Identity, target: Target): void;
  /** The destination turned the previous version down too: until the time is over, nothing is supposed. */
  ruleOut(current: Identity, target: Target): void;
  forget(current: Identity, target: Target): void;
  /** All that was found while it was in use: another one may be trusted everywhere. */
  forgetAll(current: Identity): void;
  readonly size: number;
}

interface Found {
  readonly current: Identity;
  /** Undefined: it was turned down. */
  readonly previous: Identity | undefined;
}

const lifeMs = 600_000;

/** At most `maxEntries`. `now` in milliseconds since 1970. */
export function createTrustedVersions(now: () => number = Date.now, maxEntries = 1_000): TrustedVersions {
  const versions = new BoundedMap<string, Found>({ maxEntries, ttlMs: lifeMs, now });

  function find(current: Identity, target: Target): Found | undefined {
    const key = keyOf(current, target);
    const found = versions.get(key);
    if (found === undefined) return undefined;
    if (found.current === current) return found;
    versions.delete(key);
    return undefined;
  }

  function remember(current: Identity, previous: Identity | undefined, target: Target): void {
    versions.set(keyOf(current, target), { current, previous });
  }

  return {
    find: (current, target) => find(current, target)?.previous,
    remember,
    suppose(current, previous, target) {
      if (find(current, target) === undefined) remember(current, previous, target);
    },
    ruleOut: (current, target) => remember(current, undefined, target),
    forget(current, target) {
      versions.delete(keyOf(current, target));
    },
    forgetAll(current) {
      versions.deleteWhere((found) => found.current === current);
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
