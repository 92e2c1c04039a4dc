// Reads the identities in use again every few seconds, so that no call goes out with files that were replaced.
import type { IdentityCache } from '../../core/identity/cache.ts';

/** Reading one takes about 1.5 ms: 25 every 2.5 s are 1.5 % of a process. With more in use, they take turns. */
const maxReadsAtOnce = 25;
/** An identity that was not used for so long is no longer reloaded, in milliseconds. */
const idleMs = 3_600_000;
const maxNames = 10_000;

/**
 * Milliseconds between two reloads, and the time to live of the identity cache. An entry that is just young enough is
 * read at the next reload, so both together are at most `--identity-ttl-seconds`.
 */
export function reloadIntervalMs(identityTtlMs: number): number {
  return identityTtlMs / 2;
}

export interface IdentityReloader {
  /** A call uses the identity: reload it from now on. */
  markUsed(name: string): void;
  /** Reads the identities whose turn it is. A timer calls this, too. */
  reload(): void;
  close(): void;
}

/**
 * Calls `get` of the cache: free below the time to live; above it, the cache reads in the background.
 * `now` in milliseconds since 1970.
 */
export function createIdentityReloader(
  identities: Pick<IdentityCache, 'get'>,
  intervalMs: number,
  now: () => number = Date.now,
): IdentityReloader {
  /** Milliseconds since 1970; the identity that was reloaded longest ago comes first. */
  const lastUsed = new Map<string, number>();
  const reload = () => {
    const time = now();
    for (const [name, used] of [...lastUsed].slice(0, maxReadsAtOnce)) {
      lastUsed.delete(name);
      if (time - used > idleMs) continue;
      const identity = identities.get(name);
      if (identity instanceof Promise) identity.then(() => lastUsed.set(name, used)).catch(() => {});
      else lastUsed.set(name, used);
    }
  };
  const timer = setInterval(reload, intervalMs).unref();
  return {
    markUsed(name) {
      if (lastUsed.size < maxNames || lastUsed.has(name)) lastUsed.set(name, now());
    },
    reload,
    close: () => clearInterval(timer),
  };
}
