// Which destination a host and port fall under, against a plain search that follows the rule word by word.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../../core/destination/destination.ts';
import { allowedPorts, matchDestination } from '../../../core/destination/match.ts';

function destination(host: string, port = 443): Destination {
  return { host, port, minTlsVersion: 'TLSv1.2', maxTlsVersion: 'TLSv1.3', requireMutual: false, network: 'public' };
}

describe('the matching destination', () => {
  const list = [
    destination('*'),
    destination('*.acme.example'),
    destination('*.acme.example', 8443),
    destination('api.acme.example'),
    destination('acme.example', 9443),
    destination('10.0.0.1'),
    destination('2600::1'),
  ];

  it.each([
    ['api.acme.example', 443, 'api.acme.example'],
    ['api.acme.example', 8443, '*.acme.example'],
    ['other.acme.example', 443, '*.acme.example'],
    ['a.b.acme.example', 443, '*'],
    ['a.b.acme.example', 8443, undefined],
    ['acme.example', 443, '*'],
    ['acme.example', 8443, undefined],
    ['acme.example', 9443, 'acme.example'],
    ['.acme.example', 443, '*'],
    ['xacme.example', 443, '*'],
    ['10.0.0.1', 443, '10.0.0.1'],
    ['2600::1', 443, '2600::1'],
    ['8.8.8.8', 443, '*'],
    ['2600::2', 443, '*'],
    ['localhost', 443, '*'],
    ['localhost', 80, undefined],
    ['*', 443, '*'],
  ])('for %s:%i is %s', (host, port, expected) => {
    expect(matchDestination(list, host, port)?.host).toBe(expected);
    expect(matchDestination(list, host, port)?.port).toBe(expected && port);
  });

  it('is not found in an empty list', () => {
    expect(matchDestination([], 'api.acme.example', 443)).toBeUndefined();
  });

  it('is not cached for another list', () => {
    const other = [destination('api.other.example')];
    expect(matchDestination(list, 'api.acme.example', 443)?.host).toBe('api.acme.example');
    expect(matchDestination(other, 'api.acme.example', 443)).toBeUndefined();
  });

  it('is the same as that of a linear search', () => {
    const label = fc.constantFrom('a', 'b', 'acme');
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    const port = fc.constantFrom(443, 8443);
    const pattern = fc.oneof(
      fc.constant('*'),
      name,
      name.map((domain) => `*.${domain}`),
    );
    const lists = fc.array(
      fc.tuple(pattern, port).map(([host, number]) => destination(host, number)),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(lists, name, port, (destinations, host, number) => {
        const onPort = destinations.filter((one) => one.port === number);
        const expected =
          onPort.find((one) => one.host === host) ??
          onPort.find((one) => one.host.startsWith('*.') && host.replace(/^[^.]+/, '*') === one.host) ??
          onPort.find((one) => one.host === '*');
        expect(matchDestination(destinations, host, number)).toBe(expected);
        expect(allowedPorts(destinations, host).includes(number)).toBe(expected !== undefined);
      }),
      { numRuns: 2000 },
    );
  });
});
