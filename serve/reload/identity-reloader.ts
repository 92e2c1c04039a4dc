// Asks for the identities in use every few seconds, so that changed files are taken up without a call that still has the old ones.
import type { IdentityCache } from '../../core/identity/cache.ts';

/** Reading one takes 1.5 ms: so many every two and a half seconds are 1.5% of a process. With more in use, they take turns. */
const maxEachTime = 25;
/** Of an identity that nobody asks for any more, in milliseconds. */
const forgottenAfterMs = 3_600_000;
const maxNames = 10_000;

/**
 * How often to ask, and the time to live of the cache that is asked: one that is just not old enough is read the next time,
 * so that both together are at most `--identity-ttl-seconds`. Both in milliseconds.
 */
export function readEveryMs(identityTtlMs: number): number {
  return identityTtlMs / 2;
}

export interface KeptIdentities {
  /** Somebody calls with it. */
  used(name: string): void;
  /** Asks for those whose turn it is; the timer does, too. */
  ask(): void;
  close(): void;
}

/** Below the cache's time to live `get` costs nothing; past it, the cache reads again behind it. `now` in milliseconds since 1970. */
export function keepIdentities(
  identities: Pick<IdentityCache, 'get'>,
  everyMs: number,
  now: () => number = Date.now,
): KeptIdentities {
  /** In milliseconds since 1970, the one that was asked for longest ago first. */
  const lastUsed = new Map<string, number>();
  const ask = () => {
    const time = now();
    for (const [name, used] of [...lastUsed].slice(0, maxEachTime)) {
      lastUsed.delete(name);
      if (time - used > forgottenAfterMs) continue;
      const found = identities.get(name);
      if (found instanceof Promise) found.then(() => lastUsed.set(name, used)).catch(() => {});
      else lastUsed.set(name, used);
    }
  };
  const timer = setInterval(ask, everyMs).unref();
  return {
    used(name) {
      if (lastUsed.size < maxNames || lastUsed.has(name)) lastUsed.set(name, now());
    },
    ask,
    close: () => clearInterval(timer),
  };
}
