// AWSPREVIOUS, for destinations that do not trust AWSCURRENT yet: read only when one of them rejects that, and let go with it.
import type { Target } from '../destination/target.ts';
import { asCountersignError, type CountersignError } from '../errors.ts';
import { createIdentityCache, type IdentityCache, type IdentityCacheOptions } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import { createRefusals } from '../identity/refusals.ts';
import { createTrustedVersions } from './trusted-versions.ts';

export interface Fallback extends Pick<IdentityCache, 'refreshing'> {
  /** The previous version at once, when this destination was found to accept it in the last ten minutes and it still serves. */
  remembered(current: Identity, target: Target): Identity | undefined;
  /** The previous version, when it is usable; it may be the same as `current`. Never rejects. */
  previousOf(current: Identity): Promise<Identity | undefined>;
  /** The destination accepts `previous`, and not `current`. */
  remember(current: Identity, previous: Identity, target: Target): void;
  /** The destination says that it does not accept `current`; `previous` could not be tried there in this call. */
  suppose(current: Identity, previous: Identity, target: Target): void;
  /** The destination says that it does not accept the previous version, which was remembered or supposed. */
  ruleOut(current: Identity, target: Target): void;
  /** What was remembered or supposed holds no longer. */
  forget(current: Identity, target: Target): void;
  /** `current` is handed out no more; what came before it may be another version now. */
  letGo(current: Identity): void;
  /** Destinations remembered. */
  readonly size: number;
}

/** `onLetGo` is told of a previous version that is handed out no more. */
export interface FallbackOptions extends Pick<IdentityCacheOptions, 'source' | 'ttlMs' | 'now' | 'onLetGo'> {
  /** The store did not give it where it was needed. That there is none, or none that is usable, is nothing to tell. */
  readonly onUnavailable?: (name: string, error: CountersignError) => void;
}

/** A store that cannot be reached is not asked for each rejected call anew. */
const retryMs = 5_000;
const maxFailures = 1_000;

export function createFallback(options: FallbackOptions): Fallback {
  const { onUnavailable, ...reading } = options;
  const { now = Date.now } = reading;
  // Nobody is told of a refresh that failed: a version that was removed, or has expired, is what becomes of them all.
  const identities = createIdentityCache({ ...reading, stage: 'AWSPREVIOUS' });
  const trusted = createTrustedVersions(now);
  const failures = createRefusals(retryMs, maxFailures);

  /** Undefined when it would have to be read first. */
  function held(name: string): Identity | undefined {
    const found = identities.get(name);
    if (!(found instanceof Promise)) return found;
    found.catch(() => {});
    return undefined;
  }

  return {
    remembered(current, target) {
      if (trusted.size === 0) return undefined;
      const previous = trusted.find(current, target);
      if (previous === undefined || held(current.name) === previous) return previous;
      trusted.forget(current, target);
      return undefined;
    },
    async previousOf({ name }) {
      if (failures.find(name, now()) !== undefined) return undefined;
      try {
        return await identities.get(name);
      } catch (thrown) {
        const error = asCountersignError(thrown);
        // Calls that waited for the same read tell it once.
        const isFirst = failures.find(name, now()) === undefined;
        failures.add(name, error, now());
        if (isFirst && error.code === 'identity-unavailable') onUnavailable?.(name, error);
        return undefined;
      }
    },
    remember: trusted.remember,
    suppose: trusted.suppose,
    ruleOut: trusted.ruleOut,
    forget: trusted.forget,
    letGo(current) {
      trusted.forgetAll(current);
      failures.delete(current.name);
      identities.drop(current.name);
    },
    refreshing: identities.refreshing,
    get size() {
      return trusted.size;
    },
  };
}
