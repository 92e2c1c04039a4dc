import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { destinationStates } from '../../console/identity-state.ts';
import { createRecentVerdicts, type RecordedVerdict, verdictOf } from '../../console/recent-verdicts.ts';
import { destinationsSchema } from '../../core/destination/schema.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';

function noted(host: string, at: number, more: Partial<RecordedVerdict> = {}): RecordedVerdict {
  const when = new Date(at).toISOString();
  return { identity: 'platform', host, port: 443, verdict: 'access-granted', certainty: 'observed', at: when, ...more };
}

describe('recent verdicts', () => {
  it('keep the latest of each host; an older one that arrives late is ignored', () => {
    const verdicts = createRecentVerdicts();
    verdicts.add(noted('a.example', 1_000));
    verdicts.add(noted('a.example', 3_000, { verdict: 'unreachable' }));
    verdicts.add(noted('a.example', 2_000));
    expect(verdicts.of('platform')).toMatchObject([{ verdict: 'unreachable' }]);
  });

  it('are listed by identity, latest first, one for each port', () => {
    const verdicts = createRecentVerdicts();
    verdicts.add(noted('a.example', 1_000));
    verdicts.add(noted('a.example', 2_000, { port: 8443 }));
    verdicts.add(noted('a.example', 3_000, { identity: 'acme' }));
    expect(verdicts.of('platform').map(({ port }) => port)).toEqual([8443, 443]);
    expect(verdicts.of('acme').length).toBe(1);
    expect(verdicts.of('unknown')).toEqual([]);
  });

  it('are bounded: the oldest is evicted', () => {
    const verdicts = createRecentVerdicts(3);
    for (const [index, host] of ['a', 'b', 'c', 'a', 'd'].entries()) verdicts.add(noted(`${host}.example`, index));
    expect(verdicts.all().map(({ host }) => host)).toEqual(['c.example', 'a.example', 'd.example']);
  });

  it('over the limit evict the oldest of the identity with the most verdicts', () => {
    const verdicts = createRecentVerdicts(10);
    for (const [index, host] of ['a', 'b', 'c'].entries())
      verdicts.add(noted(`${host}.example`, index, { identity: 'acme' }));
    for (let index = 0; index < 1_000; index++) verdicts.add(noted(`h${index}.example`, 1_000 + index));
    expect(verdicts.of('acme').map(({ host }) => host)).toEqual(['c.example', 'b.example', 'a.example']);
    expect(verdicts.of('platform').map(({ host }) => host)).toEqual(
      [999, 998, 997, 996, 995, 994, 993].map((index) => `h${index}.example`),
    );
    expect(verdicts.all()).toHaveLength(10);
    // Ten identities have one each: the oldest is evicted.
    const one = createRecentVerdicts(10);
    for (let index = 0; index < 11; index++) one.add(noted('a.example', index, { identity: `bot-${index}` }));
    expect(one.all().map(({ identity }) => identity)).toEqual(
      Array.from({ length: 10 }, (_, index) => `bot-${index + 1}`),
    );
    expect(one.of('bot-0')).toEqual([]);
  });

  it('are read from the answer of a diagnosis, with the host as in destinations', () => {
    const answer = {
      verdict: 'server-not-trusted',
      certainty: 'observed',
      url: 'https://API.Example./path',
      identity: { name: 'acme' },
      steps: [
        { step: 1, status: 'passed' },
        { step: 3, status: 'failed' },
      ],
    };
    expect(verdictOf(answer as unknown as Diagnosis, 0)).toEqual({
      identity: 'acme',
      host: 'api.example',
      port: 443,
      verdict: 'server-not-trusted',
      certainty: 'observed',
      failedStep: 3,
      at: '1970-01-01T00:00:00.000Z',
    });
  });

  it('appear at the most specific destination, and nowhere if no destination matches', () => {
    const destinations = v.parse(destinationsSchema, [
      { host: '*.a.example' },
      { host: 'x.a.example' },
      { host: 'b.example' },
    ]);
    const hosts = ['x.a.example', 'y.a.example', 'z.a.example', 'gone.example'];
    const shown = destinationStates(
      destinations,
      hosts.map((host) => noted(host, 0)),
    );
    expect(shown.map(({ verdicts }) => verdicts.map(({ host }) => host))).toEqual([
      ['y.a.example', 'z.a.example'],
      ['x.a.example'],
      [],
    ]);
    expect(shown[0]?.verdicts[0]).not.toHaveProperty('identity');
  });

  it('below a wildcard are limited to twenty', () => {
    const destinations = v.parse(destinationsSchema, undefined);
    const many = Array.from({ length: 30 }, (_, index) => noted(`h${index}.example`, index));
    expect(destinationStates(destinations, many)[0]?.verdicts.length).toBe(20);
  });
});
