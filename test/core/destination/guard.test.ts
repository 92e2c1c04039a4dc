// What the guard lets through, and the one sentence it says when it does not.
import { describe, expect, it } from 'vitest';
import type { Destination, Network } from '../../../core/destination/destination.ts';
import { admit } from '../../../core/destination/guard.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import { CountersignError } from '../../../core/errors.ts';

function destination(host: string, port = 443, network: Network = 'public'): Destination {
  return { host, port, minTlsVersion: 'TLSv1.2', maxTlsVersion: 'TLSv1.3', requireMutual: false, network };
}

function refusal(url: string, destinations: readonly Destination[]): CountersignError {
  try {
    admit(parseTarget(url), destinations);
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  throw new Error(`${url} was admitted`);
}

describe('the guard', () => {
  it('returns the destination that matches the target', () => {
    const acme = destination('api.acme.example');
    expect(admit(parseTarget('https://API.acme.example./v1'), [destination('*'), acme])).toBe(acme);
  });

  it('reports how many destinations there are, without their names', () => {
    const error = refusal('https://evil.example/?secret=1', [
      destination('a.customer.example'),
      destination('b.example'),
    ]);
    expect(error).toMatchObject({
      code: 'destination-forbidden',
      status: 403,
      message: 'evil.example is not an allowed destination of this identity (2 destinations are configured).',
      evidence: { host: 'evil.example', port: 443, destinations: 2 },
    });
  });

  it('reports on which port the host would be allowed', () => {
    const error = refusal('https://api.acme.example:8443/', [
      destination('*.acme.example'),
      destination('other.example', 8443),
    ]);
    expect(error.message).toBe('api.acme.example is allowed on port 443, not on port 8443.');
  });

  it.each([
    ['10.1.2.3', 'public', '10.1.2.3 is a private address; this destination allows public addresses only.', 'private'],
    [
      '127.0.0.1',
      'private',
      '127.0.0.1 is a loopback address; this destination allows public and private addresses only.',
      'loopback',
    ],
    [
      '169.254.169.254',
      'loopback',
      '169.254.169.254 is a link-local address; no destination can be reached there.',
      'forbidden',
    ],
  ] as const)('rejects %s on a %s network', (host, network, message, addressClass) => {
    const error = refusal(`https://${host}/`, [destination('*', 443, network)]);
    expect(error).toMatchObject({ code: 'destination-forbidden', message });
    expect(error.evidence).toEqual({ host, address: host, addressClass, network });
  });

  it('rejects a forbidden address even if a destination names it', () => {
    const error = refusal('https://169.254.169.254/', [destination('169.254.169.254', 443, 'loopback')]);
    expect(error.code).toBe('destination-forbidden');
  });

  it('allows private and loopback addresses if the network of the destination does', () => {
    expect(admit(parseTarget('https://10.1.2.3/'), [destination('*', 443, 'private')]).network).toBe('private');
    expect(admit(parseTarget('https://[::1]:8443/'), [destination('::1', 8443, 'loopback')]).host).toBe('::1');
  });
});
