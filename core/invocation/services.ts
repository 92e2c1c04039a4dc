// Wires the identities and connections of a process together.

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

/** `now` is used for identities and connections. */
export interface ServiceOptions extends PoolOptions {
  readonly telemetry: Telemetry;
  readonly source: IdentityCacheOptions['source'];
  readonly ttlMs: number;
}

/** Connections close when their identity version is evicted. Failures in the background leave a log line. */
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
