import { describe, expect, it, onTestFinished } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { createIdentityReloader, reloadIntervalMs } from '../../../serve/reload/identity-reloader.ts';
import { newIdentity } from '../../support/serve/installation.ts';
import { documentOf } from '../../support/stage.ts';

describe('the reloader', () => {
  it('reads the identities in turn, and drops those that are unused or gone', async () => {
    const asked: string[] = [];
    let now = 0;
    const get = (name: string) => {
      asked.push(name);
      if (name === 'gone') return Promise.reject(new CountersignError('identity-not-found', 'Gone.'));
      return Promise.resolve({} as never);
    };
    const reloader = createIdentityReloader({ get }, 1_000_000, () => now);
    onTestFinished(reloader.close);
    const names = Array.from({ length: 60 }, (_, n) => `identity-${n}`);
    for (const name of ['gone', ...names]) reloader.markUsed(name);
    reloader.reload();
    await new Promise(setImmediate);
    expect(asked.splice(0)).toEqual(['gone', ...names.slice(0, 24)]);
    reloader.reload();
    await new Promise(setImmediate);
    expect(asked.splice(0)).toEqual(names.slice(24, 49));
    now = 3_600_001;
    reloader.markUsed('identity-3');
    for (let n = 0; n < 4; n++) reloader.reload();
    await new Promise(setImmediate);
    reloader.reload();
    expect(new Set(asked)).toEqual(new Set(['identity-3']));
  });
});

describe('the reloader with the cache', () => {
  it.each([0, 1, 1_249, 2_499, 2_500, 2_501, 4_999])(
    'reads an identity again within the time to live, if it was first read %i ms after the start',
    async (firstReadAt) => {
      const ttlMs = 5_000;
      const document = documentOf(newIdentity(), []);
      const start = Date.now();
      let time = 0;
      const reads: number[] = [];
      const read = async () => {
        reads.push(time);
        return { version: 'v1', stage: 'AWSCURRENT' as const, document };
      };
      const now = () => start + time;
      const identities = createIdentityCache({ source: { read }, ttlMs: reloadIntervalMs(ttlMs), now });
      const reloader = createIdentityReloader(identities, 1_000_000_000, now);
      onTestFinished(reloader.close);
      for (; time < 60_000; time += 1) {
        if (time === firstReadAt) {
          reloader.markUsed('platform');
          await identities.get('platform');
        }
        if (time % reloadIntervalMs(ttlMs) !== 0) continue;
        reloader.reload();
        await new Promise(setImmediate);
      }
      const gaps = reads.slice(1).map((at, index) => at - (reads[index] as number));
      expect(gaps.length).toBeGreaterThan(10);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(ttlMs);
    },
  );
});
