// What a caller's URL becomes: authority, Host header, path and query as written, and every way to be refused.
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authorityOf, maxUrlLength, parseTarget } from '../../../core/destination/target.ts';
import { CountersignError } from '../../../core/errors.ts';

function refusal(url: string): CountersignError {
  try {
    parseTarget(url);
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  throw new Error(`${url} was accepted`);
}

describe('a target', () => {
  it.each([
    ['https://api.acme.example/v1/accounts?id=1', 'api.acme.example', 443, '/v1/accounts?id=1', 'api.acme.example'],
    ['HTTPS://API.Acme.Example:8443', 'api.acme.example', 8443, '/', 'api.acme.example:8443'],
    ['https://api.acme.example:443/', 'api.acme.example', 443, '/', 'api.acme.example'],
    ['https://api.acme.example:?a', 'api.acme.example', 443, '/?a', 'api.acme.example'],
    ['https://api.acme.example.:08443/', 'api.acme.example', 8443, '/', 'api.acme.example:8443'],
    ['https://bücher.example/', 'xn--bcher-kva.example', 443, '/', 'xn--bcher-kva.example'],
    ['https://faß.example/', 'xn--fa-hia.example', 443, '/', 'xn--fa-hia.example'],
    ['https://%61pi.example/', 'api.example', 443, '/', 'api.example'],
    ['https://under_score.example/', 'under_score.example', 443, '/', 'under_score.example'],
    ['https://[2600:0::1]:8443/x', '2600::1', 8443, '/x', '[2600::1]:8443'],
    ['https://0x08080808/x', '8.8.8.8', 443, '/x', '8.8.8.8'],
  ])('%s', (url, host, port, path, authority) => {
    expect(parseTarget(url)).toMatchObject({ host, port, path, authority });
  });

  it('distinguishes an address from a name', () => {
    expect(parseTarget('https://8.8.2056/').address).toBe('8.8.8.8');
    expect(parseTarget('https://[::FFFF:127.0.0.1]/').address).toBe('::ffff:7f00:1');
    expect(parseTarget('https://dns.example/')).not.toHaveProperty('address');
  });

  it.each([
    '/a/../b/./c',
    '/a/%2e%2e/%2E/b',
    '//double//slash',
    '/?',
    '/a?b?c/../d',
    "/it's(fine)!*;v=1,2&x=$1+2:3@4",
    '/%c3%A4?q=%C3%a4',
    '/list?page[size]=10&filter[a.b]=c',
    '/~user/-_.',
    '/@evil.example/x:y@z',
  ])('sends %s as it was written', async (path) => {
    const target = parseTarget(`https://api.acme.example${path}`);
    expect(target.path).toBe(path);
    const server = createServer((incoming, answer) => answer.end(incoming.url));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const received = await new Promise<string>((resolve, reject) => {
        const outgoing = request({ host: '127.0.0.1', port, path: target.path, agent: false }, (answer) => {
          answer.setEncoding('utf8').once('data', resolve);
        });
        outgoing.once('error', reject).end();
      });
      expect(received).toBe(path);
    } finally {
      server.close();
    }
  });

  it.each([
    '',
    'api.acme.example',
    '/v1/accounts',
    '//api.acme.example/',
    'https:api.acme.example',
    'https:/api.acme.example',
    'https:///api.acme.example',
    'https://',
    'https://?a',
    'https://:443/',
    'https://@/',
    'https://api.acme.example:0/',
    'https://api.acme.example:65536/',
    'https://api.acme.example:port/',
    'https://api..example/',
    'https://.example/',
    'https://example../',
    'https://*.example.com/',
    'https://*/',
    `https://${'a'.repeat(64)}.example/`,
    `https://${'a.'.repeat(127)}example/`,
    'https://256.1.1.1/',
    'https://1.2.3.4.5/',
    'https://a%2fb/',
    'https://a%00b/',
    'https://a%40b/',
    "https://a'b/",
    'https://[::1/',
    'https://[fe80::1%25eth0]/',
    'https://[::1]x/',
    'https://\ud800/',
    'https://a\u3000b/',
    ' https://api.acme.example/',
    'https://api.acme.example/ ',
    'https://api.acme.example/a b',
    'https://api.acme\t.example/',
    'ht\ntps://api.acme.example/',
    'https://api.acme.example/\r\nx: y',
    'https://api.acme.example/\u0000',
    'https://api.acme.example/\u007f',
    'https://api.acme.example\\@evil.example/',
    'https:\\\\api.acme.example/',
    'https://api.acme.example/a\\b',
    'https://api.acme.example/a#b',
    'https://api.acme.example#',
    'https://api.acme.example/ä',
    'https://api.acme.example/?q="a"',
    'https://api.acme.example/{id}',
    'https://api.acme.example/a[0]',
    'https://api.acme.example/100%',
    'https://api.acme.example/%zz',
    'https://api.acme.example/?a|b',
    `https://api.acme.example/${'a'.repeat(maxUrlLength)}`,
  ])('cannot be %j', (url) => {
    const error = refusal(url);
    expect(error.code).toBe('invalid-request');
    expect(error.message).toMatch(/^The url [^"]*.*\.$/);
  });

  it.each([
    'http://api.acme.example/',
    'HTTP://api.acme.example/',
    'ftp://api.acme.example/',
    'file:///etc/passwd',
    'wss://api.acme.example/',
    'javascript:alert(1)',
    'https://user@api.acme.example/',
    'https://user:secret@api.acme.example/',
    'https://@api.acme.example/',
    'https://:@api.acme.example/',
    'https://api.acme.example@evil.example/',
    'https://a@b@evil.example/',
  ])('cannot be %s', (url) => {
    const error = refusal(url);
    expect(error.code).toBe('destination-forbidden');
    expect(JSON.stringify([error.message, error.evidence])).not.toMatch(/secret|passwd|evil/);
  });

  it('can be as long as the limit', () => {
    const url = 'https://api.acme.example/'.padEnd(maxUrlLength, 'a');
    expect(parseTarget(url).path).toHaveLength(maxUrlLength - 'https://api.acme.example'.length);
  });
});

const piece = fc.constantFrom(
  ...['https://', 'HTTPS:', 'http://', '//', '/', '\\', '@', ':', '?', '#', '%', '%2e', '%40', '%5c', '%2f', '..', '.'],
  ...['[', ']', '::1', '127.0.0.1', '0x7f', '1', '443', ':443', ':8443', 'a', 'example', 'EXAMPLE.com', '*', '-', '_'],
  ...[
    '\t',
    '\n',
    '\r',
    ' ',
    '\u0000',
    '\u00ad',
    '\u200d',
    '。',
    '①',
    '／',
    '＠',
    '：',
    '？',
    '＃',
    'ß',
    'İ',
    'xn--',
    '\ud800',
    'é',
  ],
);
const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.array(piece, { maxLength: 12 }).map((pieces) => `https://${pieces.join('')}`),
  fc.array(piece, { maxLength: 12 }).map((pieces) => `https://example.com${pieces.join('')}`),
);

describe('for any text', () => {
  it('parsing returns a target or a named error', () => {
    fc.assert(
      fc.property(anything, (url) => {
        try {
          parseTarget(url);
        } catch (error) {
          expect(error).toBeInstanceOf(CountersignError);
          expect((error as CountersignError).code).toMatch(/^(invalid-request|destination-forbidden)$/);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('has the host and port that every parser of the URL standard finds', () => {
    let accepted = 0;
    fc.assert(
      fc.property(anything, (url) => {
        let target: ReturnType<typeof parseTarget>;
        try {
          target = parseTarget(url);
        } catch {
          return;
        }
        accepted += 1;
        const standard = new URL(url);
        const again = new URL(`https://${target.authority}${target.path}`);
        expect([standard.protocol, standard.username, standard.password, standard.hash]).toEqual([
          'https:',
          '',
          '',
          '',
        ]);
        expect(standard.hostname.replace(/^\[|\]$|\.$/g, '')).toBe(target.host);
        expect(Number(standard.port || 443)).toBe(target.port);
        expect([again.hostname, again.port]).toEqual([standard.hostname.replace(/\.$/, ''), standard.port]);
        expect(again.pathname + again.search).toBe(standard.pathname + standard.search);
        expect(url.endsWith(target.path) || target.path === '/' || url.endsWith(target.path.slice(1))).toBe(true);
        expect(target.host).toMatch(/^[a-z0-9_.:-]+$/);
        expect(target.path).toMatch(/^\/[!-~]*$/);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

it.each([
  ['https://10.0.0.5/', undefined, '10.0.0.5'],
  ['https://10.0.0.5/', 'api.acme.example', 'api.acme.example'],
  ['https://10.0.0.5:8443/', 'api.acme.example', 'api.acme.example:8443'],
  ['https://[::1]:8443/', undefined, '[::1]:8443'],
])('the Host header of %s with the serverName %s is %s', (url, serverName, host) => {
  expect(authorityOf(parseTarget(url), serverName)).toBe(host);
});
