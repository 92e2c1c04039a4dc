// The identity cache with a clock and a source that are passed in: reads, refreshes and evictions.
import { describe, expect, it, vi } from 'vitest';
import { CountersignError, type ErrorCode } from '../../../core/errors.ts';
import { createIdentityCache, type IdentityCacheOptions } from '../../../core/identity/cache.ts';
import type { Identity, IdentitySource, StoredIdentity } from '../../../core/identity/identity.ts';
import { failureOf, makeChain, makeKeys, store } from '../../support/identity/identities.ts';

const chain = makeChain();
const day = 86_400_000;
const first = store(makeKeys(chain), 'v1');
const second = store(makeKeys(chain), 'v2');
const unusable = store('{}', 'v3');

/** A store of which a test decides each answer; a read waits while `gate` is set. */
function openStore() {
  const held = new Map<string, StoredIdentity | ErrorCode>();
  const state = { reads: 0, atOnce: 0, mostAtOnce: 0, gate: undefined as Promise<void> | undefined, stage: '' };
  const source: IdentitySource = {
    async read(name, stage) {
      state.stage = stage;
      state.reads += 1;
      state.atOnce += 1;
      state.mostAtOnce = Math.max(state.mostAtOnce, state.atOnce);
      await state.gate;
      state.atOnce -= 1;
      const answer = held.get(name) ?? 'identity-not-found';
      if (typeof answer === 'string') throw new CountersignError(answer, 'The test says so.');
      return answer;
    },
  };
  return { source, held, state };
}

function setUp(options: Partial<IdentityCacheOptions> = {}) {
  const clock = { time: Date.now() };
  const at = openStore();
  const failures: [string, ErrorCode][] = [];
  const refreshed: [string, string][] = [];
  const cache = createIdentityCache({
    source: at.source,
    ttlMs: 60_000,
    now: () => clock.time,
    onRefreshFailure: (name, error) => failures.push([name, error.code]),
    onRefresh: (name, identity) => refreshed.push([name, identity.version]),
    ...options,
  });
  at.held.set('platform', first);
  return { cache, clock, failures, refreshed, ...at };
}

/** Lets reads that need no outside event come to their end. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a cached identity', () => {
  it('is read once for concurrent calls, and then returned without a read', async () => {
    const { cache, state } = setUp();
    const all = await Promise.all(Array.from({ length: 50 }, () => cache.get('platform')));
    expect(new Set(all).size).toBe(1);
    expect(state.reads).toBe(1);
    expect(cache.get('platform')).toBe(all[0]);
    expect(cache.size).toBe(1);
  });

  it('is read again in the background after its TTL, and stays the same object if nothing changed', async () => {
    const { cache, clock, state, refreshed } = setUp();
    const identity = await cache.get('platform');
    clock.time += 59_999;
    expect(cache.get('platform')).toBe(identity);
    expect(state.reads).toBe(1);
    clock.time += 1;
    for (let i = 0; i < 10; i += 1) expect(cache.get('platform')).toBe(identity);
    await settle();
    expect(state.reads).toBe(2);
    expect(cache.get('platform')).toBe(identity);
    expect(state.reads).toBe(2);
    expect(refreshed).toEqual([]);
  });

  it('is replaced by a new version, which is reported', async () => {
    const { cache, clock, held, refreshed } = setUp();
    const identity = await cache.get('platform');
    held.set('platform', second);
    clock.time += 60_000;
    expect(cache.get('platform')).toBe(identity);
    await settle();
    expect(cache.get('platform')).toMatchObject({ version: 'v2' });
    expect(refreshed).toEqual([['platform', 'v2']]);
  });

  it('is replaced by other content under the same version', async () => {
    const { cache, clock, held } = setUp();
    const identity = await cache.get('platform');
    held.set('platform', { ...second, version: 'v1' });
    clock.time += 60_000;
    cache.get('platform');
    await settle();
    expect(cache.get('platform')).not.toBe(identity);
  });

  it('is never replaced by an unusable version', async () => {
    const { cache, clock, held, failures, state } = setUp();
    const identity = await cache.get('platform');
    held.set('platform', unusable);
    clock.time += 60_000;
    cache.get('platform');
    await settle();
    expect(cache.get('platform')).toBe(identity);
    expect(failures).toEqual([['platform', 'identity-unusable']]);
    expect(state.reads).toBe(2);
    held.set('platform', second);
    clock.time += 5_000;
    expect(cache.get('platform')).toBe(identity);
    await settle();
    expect(cache.get('platform')).toMatchObject({ version: 'v2' });
  });

  it('is still returned while the store is down, which is read every 5 s and not with every call', async () => {
    const { cache, clock, held, failures, state } = setUp();
    const identity = await cache.get('platform');
    held.set('platform', 'identity-unavailable');
    for (clock.time += 60_000; failures.length < 10; clock.time += 1_000) {
      expect(cache.get('platform')).toBe(identity);
      await settle();
    }
    expect(state.reads).toBe(11);
    expect(failures[0]).toEqual(['platform', 'identity-unavailable']);
  });

  it('is returned until it expires; then the call fails after one awaited read', async () => {
    const { cache, clock, held } = setUp();
    held.set('platform', store(makeKeys(chain, { notAfter: new Date(clock.time + day) }), 'v1'));
    const identity = await cache.get('platform');
    held.set('platform', 'identity-unavailable');
    clock.time = identity.usableUntil - 1;
    expect(cache.get('platform')).toBe(identity);
    await settle();
    clock.time += 1;
    expect((await failureOf(() => cache.get('platform'))).code).toBe('identity-unavailable');
    held.set('platform', second);
    expect(await cache.get('platform')).toMatchObject({ version: 'v2' });
  });

  it('is rejected as expired if the store still has the same version', async () => {
    const { cache, clock, held } = setUp({ ttlMs: 30 * day });
    held.set('platform', store(makeKeys(chain, { notAfter: new Date(clock.time + day) }), 'v1'));
    const identity = await cache.get('platform');
    clock.time = identity.usableUntil;
    const failure = await failureOf(() => cache.get('platform'));
    expect(failure.evidence?.reason).toBe('expired');
    expect(cache.size).toBe(0);
  });

  it('survives one "not found", and is evicted at a second one 5 s later', async () => {
    const { cache, clock, held, failures } = setUp();
    const identity = await cache.get('platform');
    held.delete('platform');
    clock.time += 60_000;
    cache.get('platform');
    await settle();
    expect(cache.get('platform')).toBe(identity);
    await cache.reload('platform');
    expect(cache.get('platform')).toBe(identity);
    clock.time += 5_000;
    cache.get('platform');
    await settle();
    expect((await failureOf(() => cache.get('platform'))).code).toBe('identity-not-found');
    expect(failures).toHaveLength(3);
  });

  it('that was missing for a moment is used as before', async () => {
    const { cache, clock, held } = setUp();
    const identity = await cache.get('platform');
    for (const isThere of [false, true, false, true]) {
      if (isThere) held.set('platform', first);
      else held.delete('platform');
      clock.time += 60_000;
      cache.get('platform');
      await settle();
      expect(cache.get('platform')).toBe(identity);
    }
  });

  it('never throws from a background read, not even the error of a listener', async () => {
    const escaped = vi.fn();
    process.on('unhandledRejection', escaped);
    const clock = { time: Date.now() };
    const { source, held } = openStore();
    held.set('platform', first);
    const cache = createIdentityCache({
      source,
      ttlMs: 1_000,
      now: () => clock.time,
      onRefreshFailure: () => {
        throw new Error('The listener failed.');
      },
    });
    const identity = await cache.get('platform');
    held.set('platform', 'identity-unavailable');
    clock.time += 3_600_000;
    expect(cache.get('platform')).toBe(identity);
    await settle();
    expect(cache.get('platform')).toBe(identity);
    await settle();
    process.off('unhandledRejection', escaped);
    expect(escaped).not.toHaveBeenCalled();
  });
});

describe('a reload', () => {
  it('reads at once, once for concurrent calls, and not again for 5 s', async () => {
    const { cache, clock, held, state, refreshed } = setUp();
    const identity = await cache.get('platform');
    held.set('platform', second);
    const reloaded = await Promise.all([cache.reload('platform'), cache.reload('platform')]);
    expect(reloaded.map(({ version }) => version)).toEqual(['v2', 'v2']);
    expect(state.reads).toBe(2);
    expect(refreshed).toHaveLength(1);
    clock.time += 4_999;
    held.set('platform', first);
    expect(await cache.reload('platform')).toBe(reloaded[0]);
    expect(state.reads).toBe(2);
    clock.time += 1;
    expect((await cache.reload('platform')).fingerprint256).toBe(identity.fingerprint256);
    expect(state.reads).toBe(3);
  });

  it('shares a background read in progress', async () => {
    const { cache, clock, state } = setUp();
    await cache.get('platform');
    const gate = Promise.withResolvers<void>();
    state.gate = gate.promise;
    clock.time += 60_000;
    cache.get('platform');
    const reloaded = cache.reload('platform');
    gate.resolve();
    await reloaded;
    expect(state.reads).toBe(2);
  });

  it('keeps the identity if the store fails, and reads one that is not cached', async () => {
    const { cache, held, failures } = setUp();
    const identity = await cache.reload('platform');
    held.set('platform', 'identity-unavailable');
    expect(await cache.reload('platform')).toBe(identity);
    expect(failures).toEqual([['platform', 'identity-unavailable']]);
  });
});

describe('an evicted identity', () => {
  it('is read at the next call', async () => {
    const letGo: Identity[] = [];
    const { cache, held } = setUp({ onEvicted: (identity) => letGo.push(identity) });
    const identity = await cache.get('platform');
    held.set('platform', second);
    cache.drop('platform');
    expect(letGo).toEqual([identity]);
    expect(cache.size).toBe(0);
    expect((await cache.get('platform')).version).toBe('v2');
    cache.drop('somebody-else');
    expect(letGo).toHaveLength(1);
  });

  it('during a read ignores the result of that read', async () => {
    const { cache, held, state } = setUp();
    let open = () => {};
    state.gate = new Promise((resolve) => {
      open = resolve;
    });
    const asked = Promise.resolve(cache.get('platform'));
    await settle();
    cache.drop('platform');
    held.delete('platform');
    state.gate = undefined;
    open();
    expect((await failureOf(() => asked)).code).toBe('identity-not-found');
    expect(state.reads).toBe(2);
  });

  it('is read again even after a cached failure', async () => {
    const { cache, held } = setUp();
    held.delete('platform');
    await failureOf(() => cache.get('platform'));
    held.set('platform', first);
    expect((await failureOf(() => cache.get('platform'))).code).toBe('identity-not-found');
    cache.drop('platform');
    expect((await cache.get('platform')).version).toBe('v1');
  });
});

describe('the stage of a cache', () => {
  it('is AWSCURRENT, or the configured one', async () => {
    const usual = setUp();
    await usual.cache.get('platform');
    expect(usual.state.stage).toBe('AWSCURRENT');
    const other = setUp({ stage: 'AWSPREVIOUS' });
    await other.cache.get('platform');
    expect(other.state.stage).toBe('AWSPREVIOUS');
  });
});

describe('a background read of a cached identity', () => {
  it('can be awaited, and is undefined if none is in progress', async () => {
    const { cache, clock, held } = setUp();
    const reading = cache.get('platform');
    // Every caller that needs this read is already waiting.
    expect(cache.refreshing('platform')).toBeUndefined();
    await reading;
    expect(cache.refreshing('platform')).toBeUndefined();
    held.set('platform', second);
    clock.time += 60_000;
    cache.get('platform');
    expect(await cache.refreshing('platform')).toBeUndefined();
    expect(cache.get('platform')).toMatchObject({ version: 'v2' });
    expect(cache.refreshing('platform')).toBeUndefined();
  });

  it('never rejects, not even when it evicts the identity', async () => {
    const { cache, clock, held } = setUp();
    const identity = await cache.get('platform');
    held.set('platform', 'identity-not-found');
    for (const time of [60_000, 5_000]) {
      clock.time += time;
      expect(cache.get('platform')).toBe(identity);
      expect(cache.refreshing('platform')).toBeInstanceOf(Promise);
      expect(cache.refreshing('platform')).toBe(cache.refreshing('platform'));
      await cache.refreshing('platform');
    }
    expect(cache.size).toBe(0);
  });
});

describe('a read that was frozen with its process', () => {
  /** The test decides when each read of the store ends. */
  function setUpSlow() {
    const clock = { time: Date.now() };
    const reads: PromiseWithResolvers<StoredIdentity>[] = [];
    const failures: string[] = [];
    const cache = createIdentityCache({
      source: {
        read() {
          const read = Promise.withResolvers<StoredIdentity>();
          reads.push(read);
          return read.promise;
        },
      },
      ttlMs: 60_000,
      now: () => clock.time,
      onRefreshFailure: (_name, error) => failures.push(error.code),
    });
    return { cache, clock, reads, failures };
  }

  it('is shared for 10 s and then replaced, and its result is ignored', async () => {
    const { cache, clock, reads, failures } = setUpSlow();
    const identity = cache.get('platform') as Promise<Identity>;
    await settle();
    reads[0]?.resolve(first);
    await identity;
    clock.time += 60_000;
    cache.get('platform');
    await settle();
    clock.time += 10_000;
    cache.get('platform');
    const shared = cache.reload('platform');
    await settle();
    expect(reads).toHaveLength(2);
    clock.time += 1;
    cache.get('platform');
    await settle();
    expect(reads).toHaveLength(3);
    reads[2]?.resolve(second);
    await cache.refreshing('platform');
    expect(cache.get('platform')).toMatchObject({ version: 'v2' });
    reads[1]?.reject(new CountersignError('identity-unavailable', 'The timer ended it.'));
    // Callers that waited for it get the replacement.
    expect(await shared).toMatchObject({ version: 'v2' });
    expect(cache.get('platform')).toMatchObject({ version: 'v2' });
    expect(failures).toEqual([]);
  });

  it('is no longer awaited after 10 s', async () => {
    const { cache, clock, reads } = setUpSlow();
    const early = cache.get('platform') as Promise<Identity>;
    await settle();
    clock.time += 10_001;
    const late = cache.get('platform') as Promise<Identity>;
    await settle();
    expect(reads).toHaveLength(2);
    reads[0]?.resolve(first);
    reads[1]?.resolve(second);
    expect(await late).toMatchObject({ version: 'v2' });
    expect(await early).toMatchObject({ version: 'v2' });
  });

  it('does not count as old while it is queued', async () => {
    const { cache, clock, reads } = setUpSlow();
    const others = Array.from({ length: 32 }, (_, i) => cache.get(`other-${i}`) as Promise<Identity>);
    await settle();
    const identity = cache.get('platform') as Promise<Identity>;
    clock.time += 10_001;
    const again = cache.get('platform') as Promise<Identity>;
    for (const read of reads) read.resolve(first);
    await Promise.all(others);
    await settle();
    expect(reads).toHaveLength(33);
    reads[32]?.resolve(second);
    expect(await identity).toBe(await again);
  });
});

describe('names without an identity', () => {
  it.each([
    ['unknown', undefined, 'identity-not-found'],
    ['broken', unusable, 'identity-unusable'],
  ] as const)('%s: the failure is cached for 5 s', async (name, document, code) => {
    const { cache, clock, held, state } = setUp();
    if (document) held.set(name, document);
    for (let i = 0; i < 20; i += 1) expect((await failureOf(() => cache.get(name))).code).toBe(code);
    expect(state.reads).toBe(1);
    clock.time += 4_999;
    await failureOf(() => cache.get(name));
    expect(state.reads).toBe(1);
    held.set(name, first);
    clock.time += 1;
    expect(await cache.get(name)).toMatchObject({ name, version: 'v1' });
  });

  it('a failure of the store is not cached: the next call reads it', async () => {
    const { cache, held } = setUp();
    held.set('platform', 'identity-unavailable');
    expect((await failureOf(() => cache.get('platform'))).code).toBe('identity-unavailable');
    held.set('platform', first);
    expect(await cache.get('platform')).toMatchObject({ version: 'v1' });
  });

  it.each(['', 'Platform', '-a', 'a/b', '../platform', 'a'.repeat(64), 'plätform', 'a\n', '__proto__'])(
    'the malformed name %j is rejected without a read',
    async (name) => {
      const { cache, state } = setUp();
      const failure = await failureOf(() => cache.get(name));
      expect(failure.code).toBe('identity-not-found');
      expect(failure.evidence?.reason).toBe('name-form');
      expect((await failureOf(() => cache.reload(name))).code).toBe('identity-not-found');
      expect(state.reads).toBe(0);
    },
  );
});

describe('a flood of unknown names', () => {
  it('(10,000 at once) reads 32 at a time, queues 1,000 and evicts no cached identity', async () => {
    const { cache, state } = setUp();
    const identity = await cache.get('platform');
    const gate = Promise.withResolvers<void>();
    state.gate = gate.promise;
    const failures = Array.from({ length: 10_000 }, (_, i) => failureOf(() => cache.get(`wrong-${i}`)));
    await settle();
    expect(state.reads).toBe(1 + 32);
    gate.resolve();
    const codes = (await Promise.all(failures)).map(({ code }) => code);
    expect(state.mostAtOnce).toBe(32);
    expect(state.reads).toBe(1 + 32 + 1_000);
    expect(codes.filter((code) => code === 'identity-not-found')).toHaveLength(1_032);
    expect(codes.filter((code) => code === 'identity-unavailable')).toHaveLength(10_000 - 1_032);
    expect(cache.get('platform')).toBe(identity);
  });

  it('delays a background read while all slots are used', async () => {
    const { cache, clock, held, state } = setUp();
    await cache.get('platform');
    const gate = Promise.withResolvers<void>();
    state.gate = gate.promise;
    const failures = Array.from({ length: 32 }, (_, i) => failureOf(() => cache.get(`wrong-${i}`)));
    await settle();
    held.set('platform', second);
    clock.time += 60_000;
    expect(cache.get('platform')).toMatchObject({ version: 'v1' });
    expect(state.reads).toBe(33);
    gate.resolve();
    await Promise.all(failures);
    clock.time += 1_000;
    cache.get('platform');
    await settle();
    expect(cache.get('platform')).toMatchObject({ version: 'v2' });
  });
});

describe('the limit of the cache', () => {
  it('evicts the identity that was not requested', async () => {
    const { cache, held, state } = setUp({ capacity: 3 });
    for (const name of ['a', 'b', 'c', 'd']) held.set(name, first);
    for (const name of ['a', 'b', 'c', 'd']) await cache.get(name);
    expect(cache.size).toBe(3);
    for (const name of ['c', 'd']) expect(cache.get(name)).not.toBeInstanceOf(Promise);
    const before = state.reads;
    held.set('e', first);
    await cache.get('e');
    for (const name of ['c', 'd', 'e']) expect((cache.get(name) as Identity).name).toBe(name);
    expect(state.reads).toBe(before + 1);
  });
});
