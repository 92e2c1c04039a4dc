// What an invocation is made with, wired together: the identities, the connections made with them, and what is told of both.

import { createIdentityCache, type IdentityCache, type IdentityCacheOptions } from '../identity/cache.ts';
import { recordIdentityTaken, recordRefreshFailure } from '../telemetry/events.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createPool, type Pool, type PoolOptions } from '../tls/connection-pool.ts';
import { createFallback, type Fallback } from './fallback.ts';

export interface Services {
  readonly telemetry: Telemetry;
  readonly identities: IdentityCache;
  readonly fallback: Fallback;
  readonly pool: Pool;
  /** Closes the connections. */
  close(): void;
}

/** `now` holds for identities and connections alike. */
export interface ServiceOptions extends PoolOptions {
  readonly telemetry: Telemetry;
  readonly source: IdentityCacheOptions['source'];
  readonly ttlMs: number;
}

/** Connections are closed with the version they were made with; what goes wrong behind a call leaves its line. */
export function openServices({ telemetry, source, ttlMs, ...options }: ServiceOptions): Services {
  const pool = createPool(options);
  const onRefreshFailure = recordRefreshFailure.bind(undefined, telemetry);
  const reading = { source, ttlMs, ...(options.now ? { now: options.now } : {}) };
  const fallback = createFallback({ ...reading, onEvicted: pool.retire, onUnavailable: onRefreshFailure });
  const identities = createIdentityCache({
    ...reading,
    onRefreshFailure,
    onRefresh: (name, identity) => {
      recordIdentityTaken(telemetry, name, identity.version);
    },
    onEvicted: (identity) => {
      pool.retire(identity);
      fallback.evictAll(identity);
    },
  });
  return { telemetry, identities, fallback, pool, close: pool.close };
}
