// Lookups that never end fail only calls to their own names; other names are still resolved.
import { expect, it } from 'vitest';
import type { Destination } from '../../../core/destination/destination.ts';
import { type LookupFunction, resolveTarget } from '../../../core/destination/resolve.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import type { CountersignError } from '../../../core/errors.ts';

/** Identities without destinations of their own share one object. */
const anywhere: Destination = {
  host: '*',
  port: 443,
  minTlsVersion: 'TLSv1.2',
  maxTlsVersion: 'TLSv1.3',
  requireMutual: false,
  network: 'public',
};

/** A resolver that answers when the test says so, and at once for names that begin with `good`. */
function resolver() {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const lookup: LookupFunction = (host) => {
    asked.push(host);
    const answer = [{ address: '8.8.8.8' }];
    return host.startsWith('good')
      ? Promise.resolve(answer)
      : new Promise((resolve) => waiting.push(() => resolve(answer)));
  };
  const resolve = (host: string, by: string) => resolveTarget(parseTarget(`https://${host}/`), anywhere, by, lookup);
  return { asked, waiting, resolve };
}

it('concurrent calls to one host share a lookup', async () => {
  const { asked, waiting, resolve } = resolver();
  const results = Array.from({ length: 50 }, () => resolve('slow.example', 'platform'));
  expect(asked).toEqual(['slow.example']);
  waiting[0]?.();
  expect(new Set((await Promise.all(results)).map(([first]) => first?.address))).toEqual(new Set(['8.8.8.8']));
  // What is answered is not kept.
  await Promise.all([resolve('good.example', 'platform'), resolve('good.example', 'platform')]);
  await resolve('good.example', 'platform');
  expect(asked).toEqual(['slow.example', 'good.example', 'good.example']);
});

it('hanging lookups of one caller block that caller only', async () => {
  const { asked, waiting, resolve } = resolver();
  const flooding = 'flooding';
  const hanging = Array.from({ length: 16 }, (_, index) => resolve(`slow${index}.example`, flooding));
  const error = await resolve('slow16.example', flooding).catch((thrown: CountersignError) => thrown);
  expect(error).toMatchObject({
    code: 'name-resolution-failed',
    retryable: true,
    message: 'slow16.example was not looked up: too many earlier look-ups are still pending.',
    evidence: { host: 'slow16.example', reason: 'too-many-lookups' },
  });
  expect(asked).toHaveLength(16);
  expect(await resolve('good.example', 'platform')).toHaveLength(1);

  waiting[0]?.();
  await hanging[0];
  expect(await resolve('good.example', flooding)).toHaveLength(1);
});

it('hanging lookups of all callers leave threads for other names', async () => {
  const { asked, waiting, resolve } = resolver();
  for (let index = 0; index < 30; index++) resolve(`slow${index}.example`, `identity-${index}`).catch(() => {});
  expect(asked).toHaveLength(24);
  await expect(resolve('good.example', 'platform')).rejects.toMatchObject({
    evidence: { reason: 'too-many-lookups' },
  });
  waiting[0]?.();
  await expect.poll(() => resolve('good.example', 'platform').catch(() => [])).toHaveLength(1);
});
