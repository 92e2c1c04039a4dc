// Hostile answers of an API: the command rejects each in one sentence, or shows it escaped, and never crashes.
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { listening } from '../../support/cli/customer.ts';
import { type Ran, runCommand } from '../../support/cli/run-command.ts';

const finding = { code: 'probe-answered', severity: 'note', detail: 'It did.', certainty: 'observed' };
const step = { step: 1, name: 'request the endpoint', status: 'passed', durationMs: 1, findings: [finding] };
const certificate = { subject: 'CN=a', issuer: 'CN=b', validTo: '2030-01-01T00:00:00.000Z' };
const diagnosis = {
  verdict: 'access-granted',
  certainty: 'observed',
  url: 'https://a.example',
  identity: { name: 'platform' },
  steps: [1, 2, 3, 4, 5].map((number) => ({ ...step, step: number })),
  remedies: [{ who: 'customer', do: 'Nothing.' }],
  server: { chain: [certificate] },
};
const timings = { identityMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, firstByteMs: 0, totalMs: 0 };
const invocation = {
  status: 200,
  headers: { 'content-type': 'text/plain' },
  body: 'ok',
  bodyEncoding: 'utf8',
  handshake: {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    connection: 'new',
    server: certificate,
    client: { fingerprint256: 'AA', validTo: '2030-01-01T00:00:00.000Z', version: '1', stage: 'AWSCURRENT' },
  },
  timings,
};

async function ask(verb: string, body: string, args: readonly string[]): Promise<Ran & { readonly api: string }> {
  const api = `http://127.0.0.1:${await listening(createServer((_request, response) => response.end(body)))}`;
  return { ...(await runCommand([verb, 'https://a.example', '--api', api, ...args])), api };
}

const many = (count: number, one: unknown) => JSON.stringify(new Array(count).fill(one));
/** JSON.stringify of the test would not come to its end. */
const withMember = (answer: object, text: string) => `${JSON.stringify(answer).slice(0, -1)},"more":${text}}`;
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const without = (name: string) => ({ ...invocation, timings: { ...timings, [name]: undefined } });

const cells: readonly (readonly [string, string, string])[] = [
  ['no timings', 'invoke', JSON.stringify({ ...invocation, timings: {} })],
  ...Object.keys(timings)
    .filter((name) => name !== 'identityMs')
    .map((name) => [`no ${name}`, 'invoke', JSON.stringify(without(name))] as const),
  ['a timing that is not a number', 'invoke', JSON.stringify({ ...invocation, timings: { ...timings, tlsMs: '1' } })],
  [
    'a header of too many values',
    'invoke',
    JSON.stringify({ ...invocation, headers: { a: new Array(1_001).fill('') } }),
  ],
  ['lists in lists', 'invoke', withMember(invocation, nested(200_000))],
  ['six steps', 'diagnose', JSON.stringify({ ...diagnosis, steps: new Array(6).fill(step) })],
  [
    'steps without number',
    'diagnose',
    withMember({ ...diagnosis, steps: [] }, '0').replace('[]', many(150_000, { ...step, findings: [] })),
  ],
  [
    'a step with a name of 6 MB',
    'diagnose',
    JSON.stringify({ ...diagnosis, steps: [{ ...step, name: 'x'.repeat(6e6) }] }),
  ],
  [
    'a code of 6 MB',
    'diagnose',
    JSON.stringify({ ...diagnosis, steps: [{ ...step, findings: [{ ...finding, code: 'x'.repeat(6e6) }] }] }),
  ],
  [
    'findings without number',
    'diagnose',
    JSON.stringify({ ...diagnosis, steps: [{ ...step, findings: new Array(1_001).fill(finding) }] }),
  ],
  [
    'remedies without number',
    'diagnose',
    JSON.stringify({ ...diagnosis, remedies: new Array(1_001).fill({ who: 'you', do: 'it' }) }),
  ],
  [
    'a chain without end',
    'diagnose',
    JSON.stringify({ ...diagnosis, server: { chain: new Array(1_001).fill(certificate) } }),
  ],
  [
    'issuers without number',
    'diagnose',
    JSON.stringify({ ...diagnosis, request: { acceptableIssuers: new Array(1_001).fill('') } }),
  ],
  ['objects in objects', 'diagnose', withMember(diagnosis, `${'{"a":'.repeat(100_000)}0${'}'.repeat(100_000)}`)],
  ['members without number', 'diagnose', withMember(diagnosis, many(200_000, 0))],
];

describe('an API response is rejected with', () => {
  it.each(cells)('%s', async (_what, verb, body) => {
    const { code, out, error, api } = await ask(verb, body, verb === 'invoke' ? ['-v'] : []);
    expect([code, out, error]).toEqual([
      3,
      '',
      `The API at ${api} responds with HTTP 200 and not with a response of Countersign. Another service may use that address.\n`,
    ]);
  });

  it('the rejected texts are not shown, even with quotation marks, brackets and commas', async () => {
    const text = `"${'[{,'.repeat(50_000)}\\`;
    const called = await ask('invoke', JSON.stringify({ ...invocation, body: text }), ['-v']);
    expect([called.code, called.out]).toEqual([0, text]);
    expect(called.error).toContain('name 0.0 ms, TCP 0.0 ms, TLS 0.0 ms, first byte 0.0 ms, 0.0 ms in all\n');
    const remedies = [{ who: 'customer', do: text }];
    const diagnosed = await ask('diagnose', JSON.stringify({ ...diagnosis, remedies }), []);
    expect([diagnosed.code, diagnosed.error]).toEqual([0, '']);
    expect(diagnosed.out).toContain(`  customer: ${text}\n`);
  });
});

it.each([
  [false, 'no client certificate was presented; the server did not ask for one'],
  ['unknown', 'the server did not ask for one, or accepts no signature algorithm of its key'],
  [true, 'the server accepts no signature algorithm of its key'],
])('a response without a client certificate, requested: %s, is shown', async (requested, words) => {
  const { client: _, ...handshake } = invocation.handshake;
  const body = { ...invocation, handshake: { ...handshake, clientCertificateRequested: requested } };
  const { code, error } = await ask('invoke', JSON.stringify(body), ['-v']);
  expect({ code, error }).toMatchObject({ code: 0, error: expect.stringContaining(words) });
});

it('a response of version 0.1, without clientCertificateRequested, is read', async () => {
  const { code, error } = await ask('invoke', JSON.stringify(invocation), ['-v']);
  expect({ code, error }).toMatchObject({ code: 0, error: expect.stringContaining('client SHA-256 AA, AWSCURRENT') });
});
