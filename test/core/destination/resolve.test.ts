// Resolution against a DNS that lies, changes its answer, mixes good and bad, fails, or answers too much.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyAddress } from '../../../core/destination/address.ts';
import type { Destination, Network } from '../../../core/destination/destination.ts';
import { type LookupFunction, resolveTarget } from '../../../core/destination/resolve.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import { CountersignError } from '../../../core/errors.ts';

const name = parseTarget('https://api.acme.example/');

function destination(network: Network = 'public'): Destination {
  return { host: '*', port: 443, minTlsVersion: 'TLSv1.2', maxTlsVersion: 'TLSv1.3', requireMutual: false, network };
}

/** A DNS that gives each answer once, in turn, and counts. */
function dns(...answers: readonly (readonly string[])[]): { lookup: LookupFunction; asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = async (host) => {
    const answer = answers[asked.length] ?? [];
    asked.push(host);
    return answer.map((address) => ({ address }));
  };
  return { lookup, asked };
}

const neverAsked: LookupFunction = async () => {
  throw new Error('The DNS was asked.');
};

async function refusal(promise: Promise<unknown>): Promise<CountersignError> {
  const error = await promise.then(
    () => new Error('It resolved.'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof CountersignError) return error;
  throw error;
}

describe('a name', () => {
  it('is resolved once; a later DNS answer changes nothing', async () => {
    const { lookup, asked } = dns(['8.8.8.8', '2600::1'], ['127.0.0.1']);
    const addresses = await resolveTarget(name, destination(), 'platform', lookup);
    expect(addresses).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2600::1', family: 6 },
    ]);
    expect(asked).toEqual(['api.acme.example']);
  });

  it.each([
    ['8.8.8.8', '10.0.0.1'],
    ['169.254.169.254', '8.8.8.8'],
    ['8.8.8.8', '2600::1', '::ffff:127.0.0.1'],
    ['8.8.8.8', 'fe80::1%eth0'],
    ['8.8.8.8', 'nonsense'],
    [...Array.from({ length: 40 }, (_, last) => `8.8.8.${last}`), '127.0.0.1'],
  ])('with one forbidden address is rejected', async (...addresses) => {
    const { lookup, asked } = dns(addresses);
    const error = await refusal(resolveTarget(name, destination(), 'platform', lookup));
    expect(error.code).toBe('destination-forbidden');
    expect(error.message).toMatch(/^api\.acme\.example resolves to (an? [^.:]+|not an address); /);
    for (const address of addresses) expect(JSON.stringify(error) + error.message).not.toContain(address);
    expect(asked).toHaveLength(1);
  });

  it('is rejected with the class of the forbidden address, without the address', async () => {
    const { lookup } = dns(['8.8.8.8', '10.0.0.1']);
    const error = await refusal(resolveTarget(name, destination(), 'platform', lookup));
    expect(error.evidence).toEqual({
      host: 'api.acme.example',
      addressClass: 'private',
      network: 'public',
    });
    expect(error.message).toBe(
      'api.acme.example resolves to a private address; this destination allows public addresses only.',
    );
    expect(error.hint).toContain('network of the destination to private');
  });

  it('has at most sixteen addresses, in order and without duplicates', async () => {
    const many = Array.from({ length: 40 }, (_, last) => `8.8.4.${last}`);
    const { lookup } = dns(['8.8.8.8', '8.8.8.8', ...many]);
    const addresses = await resolveTarget(name, destination(), 'platform', lookup);
    expect(addresses.map(({ address }) => address)).toEqual(['8.8.8.8', ...many.slice(0, 15)]);
  });

  it('without an address fails, and is not retryable', async () => {
    const error = await refusal(resolveTarget(name, destination(), 'platform', dns([]).lookup));
    expect(error).toMatchObject({ code: 'name-resolution-failed', step: 1, retryable: false });
    expect(error.evidence).toEqual({ host: 'api.acme.example', reason: 'ENODATA' });
  });

  it.each([
    ['ENOTFOUND', false],
    ['EAI_AGAIN', true],
    ['EAI_FAIL', true],
  ])('that ends in %s fails with that reason', async (code, retryable) => {
    const cause = Object.assign(new Error(`getaddrinfo ${code}`), { code });
    const error = await refusal(resolveTarget(name, destination(), 'platform', () => Promise.reject(cause)));
    expect(error).toMatchObject({ code: 'name-resolution-failed', retryable, cause });
    expect(error.evidence).toEqual({ host: 'api.acme.example', reason: code });
  });

  it('whose lookup throws without a code fails with name-resolution-failed', async () => {
    const error = await refusal(resolveTarget(name, destination(), 'platform', neverAsked));
    expect(error).toMatchObject({ code: 'name-resolution-failed', evidence: { reason: 'UNKNOWN' } });
  });

  it.each(['localhost', 'LOCALHOST.', 'api.localhost', 'a.b.localhost'])(
    '%s is loopback without a lookup',
    async (host) => {
      const target = parseTarget(`https://${host}/`);
      expect(await resolveTarget(target, destination('loopback'), 'platform', neverAsked)).toEqual([
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]);
      expect((await refusal(resolveTarget(target, destination('private'), 'platform', neverAsked))).code).toBe(
        'destination-forbidden',
      );
    },
  );

  it.each(['notlocalhost', 'localhost.example'])('%s is an ordinary name', async (host) => {
    const { lookup, asked } = dns(['8.8.8.8']);
    await resolveTarget(parseTarget(`https://${host}/`), destination(), 'platform', lookup);
    expect(asked).toEqual([host]);
  });

  it('resolves to allowed addresses or to an error, for any DNS answer', async () => {
    const answer = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('8.8.8.8', '1.1.1.1', '2600::1', '10.0.0.1', '127.0.0.1', '', '::ffff:8.8.8.8'),
      fc.string(),
    );
    const network = fc.constantFrom<Network>('public', 'private', 'loopback');
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { maxLength: 4 }), network, async (answers, allowed) => {
        const classes = {
          public: ['public'],
          private: ['public', 'private'],
          loopback: ['public', 'private', 'loopback'],
        };
        const { lookup, asked } = dns(answers);
        try {
          const addresses = await resolveTarget(name, destination(allowed), 'platform', lookup);
          expect(addresses.map(({ address }) => address)).toEqual([...new Set(answers)]);
          for (const { address } of addresses) expect(classes[allowed]).toContain(classifyAddress(address));
        } catch (error) {
          if (!(error instanceof CountersignError)) throw error;
          expect(error.code).toBe(answers.length ? 'destination-forbidden' : 'name-resolution-failed');
          if (answers.length)
            expect(answers.every((one) => classes[allowed].includes(classifyAddress(one)))).toBe(false);
        }
        expect(asked).toHaveLength(1);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an address', () => {
  it('is checked without a lookup', async () => {
    const literal = parseTarget('https://[::ffff:0a00:0001]/');
    expect(await resolveTarget(literal, destination('private'), 'platform', neverAsked)).toEqual([
      { address: '::ffff:a00:1', family: 6 },
    ]);
    expect((await refusal(resolveTarget(literal, destination('public'), 'platform', neverAsked))).code).toBe(
      'destination-forbidden',
    );
  });
});

describe("the system's resolver", () => {
  it('is used by default', async () => {
    // A host that it answers without a name server, in a target that does not say that it is an address.
    const target = { host: '127.0.0.1', port: 443, path: '/', authority: '127.0.0.1' };
    expect(await resolveTarget(target, destination('loopback'), 'platform')).toEqual([
      { address: '127.0.0.1', family: 4 },
    ]);
    expect((await refusal(resolveTarget(target, destination('public'), 'platform'))).code).toBe(
      'destination-forbidden',
    );
  });

  it('resolves localhost to loopback too, so the shortcut changes nothing', async () => {
    const { promises } = await import('node:dns');
    const answers = await promises.lookup('localhost', { all: true });
    for (const { address } of answers) expect(classifyAddress(address)).toBe('loopback');
  });
});
