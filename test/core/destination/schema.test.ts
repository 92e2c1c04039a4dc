// The destinations of an identity document: what they become, and the sentence for every slip.
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import type { Destination } from '../../../core/destination/destination.ts';
import { destinationsSchema, issueSentence } from '../../../core/destination/schema.ts';
import { createAuthority } from '../../../local/authority/authority.ts';

const root = createAuthority({ commonName: 'Private Root' }).certificate;
const pin = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;

function parse(input: unknown): readonly Destination[] {
  return v.parse(destinationsSchema, input);
}

function sentence(input: unknown): string {
  const result = v.safeParse(destinationsSchema, input);
  if (result.success) throw new Error('It was accepted.');
  return issueSentence(result.issues[0], 'destinations');
}

const defaults = {
  port: 443,
  minTlsVersion: 'TLSv1.2',
  maxTlsVersion: 'TLSv1.3',
  requireMutual: false,
  network: 'public',
};

describe('destinations', () => {
  it('are any public host on port 443 by default', () => {
    expect(parse(undefined)).toEqual([{ host: '*', ...defaults }]);
    expect(v.parse(v.object({ destinations: destinationsSchema }), {})).toEqual({
      destinations: [{ host: '*', ...defaults }],
    });
  });

  it('can be empty', () => expect(parse([])).toEqual([]));

  it('keep every field', () => {
    const whole = {
      host: 'api.acme.example',
      port: 8443,
      serverName: 'internal.acme.example',
      serverRoots: root,
      serverPins: [pin],
      minTlsVersion: 'TLSv1.3',
      maxTlsVersion: 'TLSv1.3',
      requireMutual: true,
      network: 'private',
      probe: { method: 'HEAD', path: '/ping?x=1', expectStatus: 204 },
    };
    expect(parse([whole])).toEqual([whole]);
  });

  it('have a probe without side effects by default', () => {
    expect(parse([{ host: 'a.example', probe: { path: '/' } }])[0]?.probe).toEqual({
      method: 'GET',
      path: '/',
      expectStatus: 200,
    });
  });

  it.each([
    ['API.Acme.Example.', 'api.acme.example'],
    ['Bücher.example', 'xn--bcher-kva.example'],
    ['*.Acme.Example', '*.acme.example'],
    ['*.bücher.example.', '*.xn--bcher-kva.example'],
    ['10.0.0.1', '10.0.0.1'],
    ['[2600:0:0::1]', '2600::1'],
    ['2600:0::0001', '2600::1'],
    ['localhost', 'localhost'],
  ])('have their host normalized: %s', (host, expected) => expect(parse([{ host }])[0]?.host).toBe(expected));

  it('have their serverName normalized', () => {
    expect(parse([{ host: '*', serverName: 'Bücher.Example.' }])[0]?.serverName).toBe('xn--bcher-kva.example');
  });

  it('keep the certificates of serverRoots and drop the text between them', () => {
    const bundle = `# Private Root\r\n${root}\n\nanother:\n${root}`;
    expect(parse([{ host: '*', serverRoots: bundle }])[0]?.serverRoots).toBe(`${root.trim()}\n${root.trim()}\n`);
  });

  it.each([
    '',
    '*.',
    '*.*',
    '*.*.example',
    'a.*.example',
    '*example.com',
    '**',
    'https://a.example',
    'a.example:443',
    'a.example/',
    'user@a.example',
    'a example',
    ' a.example',
    'a..example',
    'a\\b',
    '010.0.0.1',
    '10.1',
    '0x7f.0.0.1',
    '１２７.0.0.1',
    '*.0.0.1',
    '[::1',
    'fe80::1%eth0',
    '[::1]:443',
    'a?b',
    null,
    7,
  ])('reject the host %j', (host) => expect(sentence([{ host }])).toMatch(/^destinations\[0\]\.host must be .*\.$/));

  it.each<[string, unknown, string]>([
    ['a list', {}, 'destinations must be a list.'],
    ['a list, not null', null, 'destinations must be a list.'],
    ['objects', [{ host: '*' }, 'a.example'], 'destinations[1] must be an object.'],
    ['objects with a host', [{ port: 443 }], 'destinations[0].host is missing.'],
    [
      'without a slip in a name',
      [{ host: '*', serverPin: [pin] }],
      'destinations[0].serverPin is not a known setting.',
    ],
    ['without odd names', [{ host: '*', '\n"': 1 }], 'destinations[0]["\\n\\""] is not a known setting.'],
    [
      'without a prototype',
      [JSON.parse('{"host":"*","__proto__":{}}')],
      'destinations[0]["__proto__"] is not a known setting.',
    ],
    [
      'with a number as port',
      [{ host: '*', port: '443' }],
      'destinations[0].port must be a whole number from 1 to 65535.',
    ],
    [
      'with a port in range',
      [{ host: '*', port: 65536 }],
      'destinations[0].port must be a whole number from 1 to 65535.',
    ],
    ['with a whole port', [{ host: '*', port: 1.5 }], 'destinations[0].port must be a whole number from 1 to 65535.'],
    ['without a port 0', [{ host: '*', port: 0 }], 'destinations[0].port must be a whole number from 1 to 65535.'],
    [
      'with a name as serverName',
      [{ host: '*', serverName: '10.0.0.1' }],
      'destinations[0].serverName must be a host name.',
    ],
    [
      'without a wildcard serverName',
      [{ host: '*', serverName: '*.a.example' }],
      'destinations[0].serverName must be a host name.',
    ],
    ['with PEM roots', [{ host: '*', serverRoots: 'secret' }], 'destinations[0].serverRoots must be PEM certificates.'],
    [
      'with whole roots',
      [{ host: '*', serverRoots: `${root}-----BEGIN CERTIFICATE-----\n` }],
      'destinations[0].serverRoots must be PEM certificates.',
    ],
    [
      'with real roots',
      [{ host: '*', serverRoots: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }],
      'destinations[0].serverRoots must be PEM certificates.',
    ],
    [
      'with nothing else among the roots',
      [{ host: '*', serverRoots: `${root}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----` }],
      'destinations[0].serverRoots must be PEM certificates.',
    ],
    [
      'with a list of pins',
      [{ host: '*', serverPins: pin }],
      'destinations[0].serverPins must be a list of at least one pin; leave it out to pin nothing.',
    ],
    [
      'with at least one pin',
      [{ host: '*', serverPins: [] }],
      'destinations[0].serverPins must be a list of at least one pin; leave it out to pin nothing.',
    ],
    [
      'with whole pins',
      [{ host: '*', serverPins: [pin, pin.slice(0, -2)] }],
      'destinations[0].serverPins[1] must be "sha256/" and the base64 of 32 bytes.',
    ],
    [
      'with SHA-256 pins',
      [{ host: '*', serverPins: [pin.replace('sha256', 'sha1')] }],
      'destinations[0].serverPins[0] must be "sha256/" and the base64 of 32 bytes.',
    ],
    [
      'with pins in their only spelling',
      [{ host: '*', serverPins: [pin.replace(/.=$/, 'd=')] }],
      'destinations[0].serverPins[0] must be "sha256/" and the base64 of 32 bytes.',
    ],
    [
      'with a TLS version',
      [{ host: '*', minTlsVersion: 'TLSv1' }],
      'destinations[0].minTlsVersion must be "TLSv1.2" or "TLSv1.3".',
    ],
    [
      'with versions in order',
      [{ host: '*', minTlsVersion: 'TLSv1.3', maxTlsVersion: 'TLSv1.2' }],
      'destinations[0] must not have a minTlsVersion above its maxTlsVersion.',
    ],
    ['with a boolean', [{ host: '*', requireMutual: 'yes' }], 'destinations[0].requireMutual must be true or false.'],
    [
      'with a network',
      [{ host: '*', network: 'any' }],
      'destinations[0].network must be "public", "private" or "loopback".',
    ],
    ['with a probe path', [{ host: '*', probe: {} }], 'destinations[0].probe.path is missing.'],
    [
      'with a sound probe path',
      [{ host: '*', probe: { path: '/a b' } }],
      'destinations[0].probe.path must begin with "/" and hold only what a URL may hold there.',
    ],
    [
      'with a probe method',
      [{ host: '*', probe: { method: 'CONNECT', path: '/' } }],
      'destinations[0].probe.method must be an HTTP method other than CONNECT.',
    ],
    [
      'with a final status',
      [{ host: '*', probe: { path: '/', expectStatus: 100 } }],
      'destinations[0].probe.expectStatus must be an HTTP status from 200 to 599.',
    ],
    [
      'that differ',
      [{ host: 'A.example' }, { host: '*' }, { host: 'a.example.', port: 443 }],
      'destinations[2] has the host and port of an earlier destination.',
    ],
  ])('are %s', (_, input, expected) => expect(sentence(input)).toBe(expected));

  it('are named in errors as in the document', () => {
    const result = v.safeParse(v.object({ destinations: destinationsSchema }), { destinations: [{ host: 7 }] });
    expect(result.issues?.map((issue) => issueSentence(issue))[0]).toMatch(/^destinations\[0\]\.host must be /);
  });

  it('never throw another error, and never repeat a value, for any document', () => {
    const secret = 'hunter2';
    const value = fc.oneof(fc.jsonValue(), fc.constant(secret), fc.constant([secret]), fc.constant({ path: secret }));
    const record = fc.record(
      {
        ...Object.fromEntries(
          ['host', 'port', 'serverName', 'serverRoots', 'serverPins', 'minTlsVersion', 'network', 'probe'].map(
            (key) => [key, value],
          ),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(record, { maxLength: 3 })), (input) => {
        const result = v.safeParse(destinationsSchema, input);
        for (const issue of result.issues ?? []) {
          expect(issueSentence(issue, 'destinations')).not.toContain(secret);
          expect(issueSentence(issue, 'destinations')).not.toContain('undefined');
        }
      }),
      { numRuns: 1000 },
    );
  });
});
