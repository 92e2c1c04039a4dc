// Caches identities: one shared read for each, refreshed in the background while the cached one stays in use.
import { createHash } from 'node:crypto';
import { BoundedMap } from '../bounded-map.ts';
import { asCountersignError, type CountersignError } from '../errors.ts';
import { checkIdentity } from './check.ts';
import {
  type Identity,
  type IdentitySource,
  requireIdentityName,
  type Stage,
  type StoredIdentity,
} from './identity.ts';
import { createSemaphore } from './semaphore.ts';

export interface IdentityCacheOptions {
  readonly source: IdentitySource;
  /** Age at which an identity is read again in the background. */
  readonly ttlMs: number;
  /** The stage that is read; AWSCURRENT by default. */
  readonly stage?: Stage;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Maximum number of identities, 10,000 by default; the ones that were not used lately are evicted first. */
  readonly capacity?: number;
  /** A read failed, or its result is unusable, while an older version is cached; the older one stays. */
  readonly onRefreshFailure?: (name: string, error: CountersignError) => void;
  /** Another version has replaced the cached one. */
  readonly onRefresh?: (name: string, identity: Identity) => void;
  /**
   * Called when an identity is evicted: replaced, expired, deleted, or over capacity. Its connections can be closed.
   */
  readonly onEvicted?: (identity: Identity) => void;
}

export interface IdentityCache {
  /**
   * The identity itself if it is cached and inside its dates, else a promise of it. The same object is returned as long
   * as version and content are the same. Rejects with `identity-not-found`, `-unusable` or `-unavailable`.
   */
  get(name: string): Identity | Promise<Identity>;
  /**
   * The background read of a cached identity, if one is running; never rejects, and is the same promise for the same
   * read. Lambda stops the process once the answer is returned: await it before that, or the read may never end.
   */
  refreshing(name: string): Promise<void> | undefined;
  /** Reads again now, at most once in 5 s for each identity; in between it returns the result of `get`. */
  reload(name: string): Promise<Identity>;
  /**
   * Milliseconds since the store was asked for the cached identity, if that is longer ago than its TTL. By the wall
   * clock: the time during which Lambda froze the process counts.
   */
  overdueAge(name: string): number | undefined;
  /** Number of cached identities. */
  readonly size: number;
}

/** With the operations of its owner. */
export interface OwnIdentityCache extends IdentityCache {
  /** Removes the cached identity, the running read and the cached error: the next `get` reads. */
  drop(name: string): void;
}

interface Entry {
  readonly identity: Identity;
  /** SHA-256 of version and document: detects a change without a second copy of the key in memory. */
  readonly digest: string;
  /** When the store was asked for it, in milliseconds since 1970. */
  askedAt: number;
  /** Milliseconds since 1970. Until then `get` returns the identity; at most the end of the identity. */
  freshUntil: number;
  reloadableFrom: number;
  /** When the store first answered that the identity does not exist. */
  missingSince: number | undefined;
  wasUsed: boolean;
}

interface Read {
  /** When the request was sent, in milliseconds since 1970; infinite while the read waits for a place. */
  startedAt: number;
  readonly identity: Promise<Identity>;
  /** Resolves when the read ends, successfully or not. */
  ended?: Promise<void>;
}

/**
 * Longer than the SDK tries (6 s): the process was frozen during such a read, and a timer will end it, not the store.
 */
const maxReadMs = 10_000;
/** After a failed read, and between the two "not found" that delete an identity. A shorter TTL shortens it. */
const maxRetryIntervalMs = 5_000;
const reloadCooldownMs = 5_000;
/** How long `identity-not-found` and `identity-unusable` are cached. */
const errorTtlMs = 5_000;
const maxErrors = 1_000;
/** An account has 10,000 GetSecretValue calls a second (AWS Secrets Manager quotas); one function needs far fewer. */
const maxReads = 32;
const maxWaitingReads = 1_000;

export function createIdentityCache(options: IdentityCacheOptions): OwnIdentityCache {
  const { source, ttlMs, stage = 'AWSCURRENT', now = Date.now, capacity = 10_000 } = options;
  const { onRefreshFailure, onRefresh, onEvicted } = options;
  const retryIntervalMs = Math.min(maxRetryIntervalMs, ttlMs);
  const entries = new Map<string, Entry>();
  const reads = new Map<string, Read>();
  const errors = new BoundedMap<string, CountersignError>({ maxEntries: maxErrors, ttlMs: errorTtlMs, now });
  const semaphore = createSemaphore(maxReads, maxWaitingReads);

  function get(name: string): Identity | Promise<Identity> {
    const entry = entries.get(name);
    if (entry === undefined) return readFirst(name);
    const time = now();
    entry.wasUsed = true;
    if (time < entry.freshUntil) return entry.identity;
    if (time >= entry.identity.usableUntil) return readFirst(name);
    refreshInBackground(name, entry, time);
    return entry.identity;
  }

  async function readFirst(name: string): Promise<Identity> {
    const running = runningRead(name);
    if (running !== undefined) return running.identity;
    requireIdentityName(name);
    const error = errors.get(name);
    if (error !== undefined) throw error;
    return read(name);
  }

  /** No caller waits for this read: onRefreshFailure reports its failure. */
  function refreshInBackground(name: string, entry: Entry, time: number): void {
    if (runningRead(name) !== undefined) return;
    if (semaphore.isFull) keepUntil(entry, time + Math.min(1_000, retryIntervalMs));
    else read(name).catch(() => {});
  }

  function runningRead(name: string): Read | undefined {
    const running = reads.get(name);
    return running !== undefined && now() - running.startedAt <= maxReadMs ? running : undefined;
  }

  function read(name: string): Promise<Identity> {
    const running: Read = {
      startedAt: Number.POSITIVE_INFINITY,
      identity: semaphore
        .run(() => {
          running.startedAt = now();
          return source.read(name, stage);
        })
        .then((stored) => (isReplaced() ? get(name) : accept(name, stored, running.startedAt)))
        .catch((thrown: unknown) => (isReplaced() ? get(name) : fail(name, asCountersignError(thrown))))
        .finally(() => isReplaced() || reads.delete(name)),
    };
    /** By a later read, whose result is returned to the callers of this one. */
    const isReplaced = () => reads.get(name) !== running;
    reads.set(name, running);
    return running.identity;
  }

  /** The TTL begins when the store was asked: Lambda can freeze the process while the answer is on its way. */
  function accept(name: string, stored: StoredIdentity, askedAt: number): Identity {
    const time = now();
    const digest = createHash('sha256').update(`${stored.version}\0${stored.document}`).digest('base64');
    const held = entries.get(name);
    if (held?.digest === digest && time < held.identity.usableUntil) {
      held.missingSince = undefined;
      held.askedAt = askedAt;
      keepUntil(held, askedAt + ttlMs);
      return held.identity;
    }
    const identity = checkIdentity(name, stored, time);
    const reloadableFrom = held?.reloadableFrom ?? 0;
    const entry = { identity, digest, askedAt, freshUntil: 0, reloadableFrom, missingSince: undefined, wasUsed: true };
    keepUntil(entry, askedAt + ttlMs);
    entries.set(name, entry);
    errors.delete(name);
    if (entries.size > capacity) evictOne(name);
    if (held !== undefined) {
      if (held.identity.version !== identity.version) onRefresh?.(name, identity);
      onEvicted?.(held.identity);
    }
    return identity;
  }

  /**
   * The cached identity stays while it is usable, unless the store answered "not found" twice, retryIntervalMs apart.
   */
  function fail(name: string, error: CountersignError): Identity {
    const time = now();
    const held = entries.get(name);
    if (held !== undefined) {
      const isMissing = error.code === 'identity-not-found';
      const isGone = isMissing && held.missingSince !== undefined && time - held.missingSince >= retryIntervalMs;
      const stays = !isGone && time < held.identity.usableUntil;
      if (isMissing) held.missingSince ??= time;
      keepUntil(held, time + retryIntervalMs);
      if (!stays) {
        entries.delete(name);
        onEvicted?.(held.identity);
      }
      onRefreshFailure?.(name, error);
      if (stays) return held.identity;
    }
    if (error.code === 'identity-not-found' || error.code === 'identity-unusable') errors.set(name, error);
    throw error;
  }

  function keepUntil(entry: Entry, time: number): void {
    entry.freshUntil = Math.min(time, entry.identity.usableUntil);
  }

  /** Second-chance replacement: an identity that was used since the last pass moves to the end of the queue. */
  function evictOne(newest: string): void {
    for (const [name, entry] of entries) {
      if (!entry.wasUsed && name !== newest) {
        entries.delete(name);
        onEvicted?.(entry.identity);
        return;
      }
      entry.wasUsed = false;
      entries.delete(name);
      entries.set(name, entry);
    }
  }

  return {
    get,
    refreshing(name) {
      const running = reads.get(name);
      if (running === undefined || !entries.has(name)) return undefined;
      running.ended ??= running.identity.then(
        () => {},
        () => {},
      );
      return running.ended;
    },
    async reload(name) {
      const running = runningRead(name);
      if (running !== undefined) return running.identity;
      const entry = entries.get(name);
      const time = now();
      if (entry === undefined || time < entry.reloadableFrom) return get(name);
      entry.reloadableFrom = time + reloadCooldownMs;
      return read(name);
    },
    overdueAge(name) {
      const askedAt = entries.get(name)?.askedAt;
      const ageMs = now() - (askedAt ?? Number.POSITIVE_INFINITY);
      return ageMs >= ttlMs ? ageMs : undefined;
    },
    drop(name) {
      reads.delete(name);
      errors.delete(name);
      const held = entries.get(name);
      if (held === undefined) return;
      entries.delete(name);
      onEvicted?.(held.identity);
    },
    get size() {
      return entries.size;
    },
  };
}
