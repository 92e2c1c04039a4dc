// AWSPREVIOUS, for destinations that do not trust AWSCURRENT yet. It is read only when a destination rejects
// AWSCURRENT.
import { BoundedMap } from '../bounded-map.ts';
import type { Target } from '../destination/target.ts';
import { asCountersignError, type CountersignError } from '../errors.ts';
import { createIdentityCache, type IdentityCache, type IdentityCacheOptions } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';

export interface Fallback extends Pick<IdentityCache, 'refreshing'> {
  /** The previous version, if this destination accepted it in the last ten minutes and it is still in the cache. */
  remembered(current: Identity, target: Target): Identity | undefined;
  /** The previous version, if it is usable; it may be the same as `current`. Never rejects. */
  previousOf(current: Identity): Promise<Identity | undefined>;
  /** The destination accepted `previous` and rejected `current`. */
  remember(current: Identity, previous: Identity, target: Target): void;
  /** The destination rejected `current`; `previous` could not be tried in this call. */
  assumePrevious(current: Identity, previous: Identity, target: Target): void;
  /** The destination rejected the previous version too. For ten minutes nothing is assumed for it. */
  markRejected(current: Identity, target: Target): void;
  evict(current: Identity, target: Target): void;
  /** Evicts all entries of an identity when `current` is evicted: another version may come before the next one. */
  evictAll(current: Identity): void;
  /** Number of destinations remembered. */
  readonly size: number;
}

export interface FallbackOptions extends Pick<IdentityCacheOptions, 'source' | 'ttlMs' | 'now' | 'onEvicted'> {
  /** Called when the store did not answer. A missing or unusable previous version is not reported. */
  readonly onUnavailable?: (name: string, error: CountersignError) => void;
}

/** After a failure the store is not asked again for this long: each rejected call would ask it. */
const retryAfterMs = 5_000;
const maxFailures = 1_000;

export function createFallback(options: FallbackOptions): Fallback {
  const { onUnavailable, ...reading } = options;
  const { now = Date.now } = reading;
  const identities = createIdentityCache({ ...reading, stage: 'AWSPREVIOUS' });
  const acceptance = createAcceptanceCache(now);
  const failures = new BoundedMap<string, CountersignError>({ maxEntries: maxFailures, ttlMs: retryAfterMs, now });

  /** Undefined when it would have to be read first. */
  function cached(name: string): Identity | undefined {
    const found = identities.get(name);
    if (!(found instanceof Promise)) return found;
    found.catch(() => {});
    return undefined;
  }

  return {
    remembered(current, target) {
      if (acceptance.size === 0) return undefined;
      const previous = acceptance.find(current, target);
      if (previous === undefined || cached(current.name) === previous) return previous;
      acceptance.evict(current, target);
      return undefined;
    },
    async previousOf({ name }) {
      if (failures.get(name) !== undefined) return undefined;
      try {
        return await identities.get(name);
      } catch (thrown) {
        const error = asCountersignError(thrown);
        // Calls that waited for the same read report it once.
        const isFirst = failures.get(name) === undefined;
        failures.set(name, error);
        if (isFirst && error.code === 'identity-unavailable') onUnavailable?.(name, error);
        return undefined;
      }
    },
    remember: acceptance.remember,
    assumePrevious(current, previous, target) {
      if (!acceptance.has(current, target)) acceptance.remember(current, previous, target);
    },
    markRejected: (current, target) => acceptance.remember(current, undefined, target),
    evict: acceptance.evict,
    evictAll(current) {
      acceptance.evictAll(current);
      failures.delete(current.name);
      identities.drop(current.name);
    },
    refreshing: identities.refreshing,
    get size() {
      return acceptance.size;
    },
  };
}

export interface AcceptanceCache {
  /** The previous version that this destination accepts while `current` is in use. */
  find(current: Identity, target: Target): Identity | undefined;
  has(current: Identity, target: Target): boolean;
  /** `previous` is undefined for a destination that rejected it. */
  remember(current: Identity, previous: Identity | undefined, target: Target): void;
  evict(current: Identity, target: Target): void;
  evictAll(current: Identity): void;
  readonly size: number;
}

interface Acceptance {
  readonly current: Identity;
  readonly previous: Identity | undefined;
}

const tenMinutesMs = 600_000;

/** `now` is in milliseconds since 1970. */
export function createAcceptanceCache(now: () => number, maxEntries = 1_000): AcceptanceCache {
  const entries = new BoundedMap<string, Acceptance>({ maxEntries, ttlMs: tenMinutesMs, now });

  function entryOf(current: Identity, target: Target): Acceptance | undefined {
    const key = keyOf(current, target);
    const entry = entries.get(key);
    if (entry === undefined || entry.current === current) return entry;
    entries.delete(key);
    return undefined;
  }

  return {
    find: (current, target) => entryOf(current, target)?.previous,
    has: (current, target) => entryOf(current, target) !== undefined,
    remember: (current, previous, target) => entries.set(keyOf(current, target), { current, previous }),
    evict: (current, target) => entries.delete(keyOf(current, target)),
    evictAll: (current) => entries.deleteWhere((entry) => entry.current === current),
    get size() {
      return entries.size;
    },
  };
}

/** A host contains no space (destination/target.ts). */
function keyOf({ name }: Identity, { host, port }: Target): string {
  return `${name} ${host}:${port}`;
}
