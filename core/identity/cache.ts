// Keeps the identities in use: one shared read each, read again in the background, the old one serving meanwhile.
import { createHash } from 'node:crypto';
import { asCountersignError, type CountersignError } from '../errors.ts';
import { checkIdentity } from './check.ts';
import { createGate } from './gate.ts';
import type { Identity, IdentitySource, Stage, StoredIdentity } from './identity.ts';
import { requireIdentityName } from './name.ts';
import { createRefusals } from './refusals.ts';

export interface IdentityCacheOptions {
  readonly source: IdentitySource;
  /** Age at which an identity is read again in the background. */
  readonly ttlMs: number;
  /** Of each identity, the version that is read; AWSCURRENT if not given. */
  readonly stage?: Stage;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Identities kept at most; the ones not asked for lately go first. */
  readonly capacity?: number;
  /** A read failed, or what was read is unusable, while an older version is held; the older one stays. */
  readonly onRefreshFailure?: (name: string, error: CountersignError) => void;
  /** Another version has taken the place of the one that was held. */
  readonly onRefresh?: (name: string, identity: Identity) => void;
  /** An identity is handed out no more: replaced, expired, gone or dropped for room. What was made with it can be closed. */
  readonly onLetGo?: (identity: Identity) => void;
}

export interface IdentityCache {
  /**
   * The identity at once when it is held and inside its dates, else a promise of it. The same object is handed out for as
   * long as version and content are the same. Rejects with `identity-not-found`, `-unusable` or `-unavailable`.
   */
  get(name: string): Identity | Promise<Identity>;
  /**
   * The read under way behind an identity that is held, which never rejects. Lambda stops the process when an answer is
   * returned: who answers waits for it first, or it may never end. The same promise for the same read.
   */
  refreshing(name: string): Promise<void> | undefined;
  /** Reads again now, at most once in 5 s for each identity: in between, what `get` gives. */
  reload(name: string): Promise<Identity>;
  /** Identities held. */
  readonly size: number;
}

/** For whoever made the cache. */
export interface OwnIdentityCache extends IdentityCache {
  /** What is held, under way or refused is no longer handed out: the next `get` reads. */
  drop(name: string): void;
}

interface Entry {
  readonly identity: Identity;
  /** SHA-256 of version and document: enough to see a change, without keeping the key in memory twice. */
  readonly digest: string;
  /** Until then `get` needs to look no further; never past the identity's own end. */
  freshUntil: number;
  reloadableFrom: number;
  /** When the store first said that there is no such identity. */
  missingSince: number | undefined;
  wasUsed: boolean;
}

interface Load {
  /** When the store was asked, in milliseconds since 1970; infinite while the read waits for its turn. */
  begunAt: number;
  readonly identity: Promise<Identity>;
  /** For whoever waits without needing it. */
  ended?: Promise<void>;
}

/** Longer than the SDK tries (6 s): such a read stood still with its process, and what ends it is a timer, not the store. */
const maxLoadMs = 10_000;
/** After a failed read, and between two "not found" that are believed. A shorter TTL shortens it. */
const retryMs = 5_000;
const reloadCooldownMs = 5_000;
const refusalMs = 5_000;
const maxRefusals = 1_000;
/** Far below the 10,000 GetSecretValue calls a second of an account (AWS Secrets Manager quotas), far above one function's need. */
const maxReads = 32;
const maxWaitingReads = 1_000;

export function createIdentityCache(options: IdentityCacheOptions): OwnIdentityCache {
  const { source, ttlMs, stage = 'AWSCURRENT', now = Date.now, capacity = 10_000 } = options;
  const { onRefreshFailure, onRefresh, onLetGo } = options;
  const patienceMs = Math.min(retryMs, ttlMs);
  const entries = new Map<string, Entry>();
  const loads = new Map<string, Load>();
  const refusals = createRefusals(refusalMs, maxRefusals);
  const gate = createGate(maxReads, maxWaitingReads);

  function get(name: string): Identity | Promise<Identity> {
    const entry = entries.get(name);
    if (entry === undefined) return first(name);
    const time = now();
    entry.wasUsed = true;
    if (time < entry.freshUntil) return entry.identity;
    if (time >= entry.identity.usableUntil) return first(name);
    refreshBehind(name, entry, time);
    return entry.identity;
  }

  async function first(name: string): Promise<Identity> {
    const running = underWay(name);
    if (running !== undefined) return running.identity;
    requireIdentityName(name);
    const refusal = refusals.find(name, now());
    if (refusal !== undefined) throw refusal;
    return load(name);
  }

  /** Nobody waits for this read, so nobody hears of its failure but onRefreshFailure. */
  function refreshBehind(name: string, entry: Entry, time: number): void {
    if (underWay(name) !== undefined) return;
    if (gate.isFull) keepUntil(entry, time + Math.min(1_000, patienceMs));
    else load(name).catch(() => {});
  }

  function underWay(name: string): Load | undefined {
    const running = loads.get(name);
    return running !== undefined && now() - running.begunAt <= maxLoadMs ? running : undefined;
  }

  function load(name: string): Promise<Identity> {
    const running: Load = {
      begunAt: Number.POSITIVE_INFINITY,
      identity: gate
        .run(() => {
          running.begunAt = now();
          return source.read(name, stage);
        })
        .then((stored) => (isReplaced() ? get(name) : accept(name, stored)))
        .catch((thrown: unknown) => (isReplaced() ? get(name) : refuse(name, asCountersignError(thrown))))
        .finally(() => isReplaced() || loads.delete(name)),
    };
    /** By a younger read, whose word counts; whoever waits for this one gets that. */
    const isReplaced = () => loads.get(name) !== running;
    loads.set(name, running);
    return running.identity;
  }

  function accept(name: string, stored: StoredIdentity): Identity {
    const time = now();
    const digest = createHash('sha256').update(`${stored.version}\0${stored.document}`).digest('base64');
    const held = entries.get(name);
    if (held?.digest === digest && time < held.identity.usableUntil) {
      held.missingSince = undefined;
      keepUntil(held, time + ttlMs);
      return held.identity;
    }
    const identity = checkIdentity(name, stored, time);
    const reloadableFrom = held?.reloadableFrom ?? 0;
    const entry = { identity, digest, freshUntil: 0, reloadableFrom, missingSince: undefined, wasUsed: true };
    keepUntil(entry, time + ttlMs);
    entries.set(name, entry);
    refusals.delete(name);
    if (entries.size > capacity) dropOne(name);
    if (held !== undefined) {
      if (held.identity.version !== identity.version) onRefresh?.(name, identity);
      onLetGo?.(held.identity);
    }
    return identity;
  }

  /** The held identity stays while it is usable, unless the store has said twice, patienceMs apart, that it is gone. */
  function refuse(name: string, error: CountersignError): Identity {
    const time = now();
    const held = entries.get(name);
    if (held !== undefined) {
      const isMissing = error.code === 'identity-not-found';
      const isGone = isMissing && held.missingSince !== undefined && time - held.missingSince >= patienceMs;
      const stays = !isGone && time < held.identity.usableUntil;
      if (isMissing) held.missingSince ??= time;
      keepUntil(held, time + patienceMs);
      if (!stays) {
        entries.delete(name);
        onLetGo?.(held.identity);
      }
      onRefreshFailure?.(name, error);
      if (stays) return held.identity;
    }
    if (error.code === 'identity-not-found' || error.code === 'identity-unusable') refusals.add(name, error, time);
    throw error;
  }

  function keepUntil(entry: Entry, time: number): void {
    entry.freshUntil = Math.min(time, entry.identity.usableUntil);
  }

  /** Second chance: whoever was asked for since the hand last passed stays, and the hand moves on; `get` pays one write. */
  function dropOne(newest: string): void {
    for (const [name, entry] of entries) {
      if (!entry.wasUsed && name !== newest) {
        entries.delete(name);
        onLetGo?.(entry.identity);
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
      const running = loads.get(name);
      if (running === undefined || !entries.has(name)) return undefined;
      running.ended ??= running.identity.then(nothing, nothing);
      return running.ended;
    },
    async reload(name) {
      const running = underWay(name);
      if (running !== undefined) return running.identity;
      const entry = entries.get(name);
      const time = now();
      if (entry === undefined || time < entry.reloadableFrom) return get(name);
      entry.reloadableFrom = time + reloadCooldownMs;
      return load(name);
    },
    drop(name) {
      loads.delete(name);
      refusals.delete(name);
      const held = entries.get(name);
      if (held === undefined) return;
      entries.delete(name);
      onLetGo?.(held.identity);
    },
    get size() {
      return entries.size;
    },
  };
}

function nothing(): void {}
