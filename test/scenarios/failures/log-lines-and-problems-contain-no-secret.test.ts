// Every code of the table and the successes, with a canary in each place where a secret could be: none gets out.
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CountersignError, type ErrorCode, errorTable } from '../../../core/errors.ts';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { serveHttps, serveTcp } from '../../support/servers.ts';
import { documentOf, type Reply } from '../../support/stage.ts';
import { serverNames, useTrial } from '../../support/trial.ts';

const trial = useTrial();
const day = 86_400_000;
const canary = 'canary7391';
const path = `/${canary}-path?${canary}-query=1`;
const request = {
  method: 'POST',
  headers: { authorization: `Bearer ${canary}-token`, 'x-trace': `${canary}-header`, cookie: `${canary}-cookie` },
  body: `${canary}-payload`,
};
const secret = { path, request };
const ok = `HTTP/1.1 200 OK\r\nset-cookie: ${canary}-answer\r\ncontent-length: 10\r\n\r\n${canary}`;
const seen = new Set<string>();

/** The lines of the stage and the reply, searched for every canary and for a line of every key and certificate. */
function expectSilence(reply: Reply): void {
  const { platformRoot, platformIssuer, customerRoot, client, server, stage } = trial;
  const pems = [platformRoot, platformIssuer, customerRoot, client, server].flatMap((one) => [
    one.certificate,
    one.privateKey,
  ]);
  const lines = pems.flatMap((pem) => pem.split('\n').filter((line) => line.length > 40 && !line.startsWith('-----')));
  const texts = [stage.logText(), reply.body.code ? JSON.stringify(reply) : ''];
  expect(stage.lines).not.toEqual([]);
  for (const text of texts) {
    expect(text).not.toContain(canary);
    expect(text).not.toContain(Buffer.from(canary).toString('base64').slice(0, 12));
    expect(text).not.toMatch(/-----BEGIN|PRIVATE KEY/);
    expect(lines.filter((line) => text.includes(line))).toEqual([]);
  }
}

/** One failure at a server that shows this certificate and says this. */
const saying =
  (bytes: string | Buffer, shown?: IssuedCertificate, options = {}) =>
  async () => {
    const server = await serveHttps(shown ?? trial.server, (socket) => socket.end(bytes), options);
    return trial.call(server.port, secret);
  };
const tcp = (banner: string) => async () => {
  const server = await serveTcp((socket) => socket.end(banner));
  return trial.call(server.port, secret);
};
const stalled = { path, request: { ...request, timeoutMs: 200 } };
const url = `https://localhost${path}`;

const cases: readonly (readonly [ErrorCode, string, () => Promise<Reply>])[] = [
  ['invalid-request', 'a bad header', () => trial.stage.invoke({ url, headers: { x: `${canary}\n` } })],
  ['invalid-request', 'a bad url', () => trial.stage.invoke({ ...request, url: `http\n://${canary}` })],
  ['invalid-request', 'a bad body', () => trial.stage.invoke({ url, bodyBase64: `${canary}!` })],
  ['identity-not-found', 'no identity', () => trial.stage.invoke({ ...request, url }, 'absent')],
  [
    'identity-unusable',
    'a document that is not JSON',
    () => {
      trial.shelf.put('broken', 'v1', `{"privateKey": "${trial.client.privateKey.slice(0, 80)} ${canary}`);
      return trial.stage.invoke({ ...request, url }, 'broken');
    },
  ],
  [
    'identity-unusable',
    'the key of another',
    () => {
      const mixed = { ...trial.client, privateKey: trial.server.privateKey };
      trial.shelf.put('mixed', 'v1', documentOf(mixed, []));
      return trial.stage.invoke({ ...request, url }, 'mixed');
    },
  ],
  [
    'identity-unavailable',
    'the store down',
    async () => {
      trial.shelf.beforeRead = () => {
        throw new CountersignError('identity-unavailable', 'The store is down.', { cause: new Error(canary) });
      };
      return trial.stage.invoke({ ...request, url }, 'unread').finally(() => {
        trial.shelf.beforeRead = undefined;
      });
    },
  ],
  [
    'internal-error',
    'a defect',
    async () => {
      trial.shelf.beforeRead = () => {
        throw new Error(`${canary} ${trial.client.privateKey}`);
      };
      return trial.stage.invoke({ ...request, url }, 'defect').finally(() => {
        trial.shelf.beforeRead = undefined;
      });
    },
  ],
  [
    'destination-forbidden',
    'a public name on loopback',
    () => trial.call(1, { ...secret, destination: { network: 'public' } }),
  ],
  ['name-resolution-failed', 'no such name', () => trial.call(443, { ...secret, host: 'nothing.invalid' })],
  ['connection-refused', 'no listener', () => trial.call(1, secret)],
  ['connection-failed', 'no route', () => trial.call(443, { ...secret, host: '127.255.255.255' })],
  ['server-not-tls', 'plain HTTP', tcp(`HTTP/1.1 400 ${canary}\r\n\r\n${canary}`)],
  ['tls-negotiation-failed', 'noise', tcp(`\x16\x03\x03\x00\x10${canary}${canary}`)],
  ['handshake-timeout', 'silence', async () => trial.call((await serveTcp(() => {})).port, stalled)],
  [
    'server-certificate-expired',
    'expired',
    () =>
      saying(
        ok,
        trial.serverWith({ notBefore: new Date(Date.now() - 2 * day), notAfter: new Date(Date.now() - day) }),
      )(),
  ],
  [
    'server-certificate-untrusted',
    'untrusted',
    () => saying(ok, createAuthority({ commonName: 'Stranger' }).issue({ commonName: 'api', names: serverNames }))(),
  ],
  ['server-certificate-name-mismatch', 'another name', () => saying(ok, trial.serverWith({ names: ['x.example'] }))()],
  ['server-certificate-invalid', 'another usage', () => saying(ok, trial.serverWith({ usage: 'client' }))()],
  [
    'server-certificate-pin-mismatch',
    'another key',
    async () => {
      const server = await serveHttps(trial.server, (socket) => socket.end(ok));
      const serverPins = [`sha256/${Buffer.alloc(32).toString('base64')}`];
      return trial.call(server.port, { ...secret, destination: { serverPins } });
    },
  ],
  [
    'client-certificate-not-requested',
    'never asked',
    async () => {
      const server = await serveHttps(trial.server, (socket) => socket.end(ok), { requestCert: false });
      return trial.call(server.port, { ...secret, destination: { requireMutual: true } });
    },
  ],
  ['client-certificate-rejected', 'a close', saying('')],
  [
    'response-timeout',
    'half a head',
    async () => {
      const server = await serveHttps(trial.server, (socket) => socket.write(`HTTP/1.1 200 ${canary}\r\nx: ${canary}`));
      return trial.call(server.port, stalled);
    },
  ],
  ['response-incomplete', 'half a body', saying(`HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n${canary}`)],
  ['response-incomplete', 'half a head', saying(`HTTP/1.1 200 ${canary}\r\nset-cookie: ${canary}`)],
  ['response-malformed', 'garbage', saying(`${canary}\r\n\r\n`)],
  ['response-malformed', 'a bad header', saying(`HTTP/1.1 200 OK\r\nbad ${canary}\r\n\r\n`)],
  ['response-malformed', 'a bad chunk', saying(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${canary}\r\n`)],
  [
    'response-malformed',
    'no gzip',
    saying(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n${canary}`),
  ],
  [
    'response-too-large',
    'a bomb of canaries',
    () => {
      const bomb = gzipSync(canary.repeat(1_000_000));
      const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`;
      return saying(Buffer.concat([Buffer.from(head), bomb]))();
    },
  ],
];

/**
 * What no call of the function ends in. Of rotations and of `countersign serve`, the files named have the same promise.
 */
const elsewhere: ReadonlySet<string> = new Set([
  // test/scenarios/rotation/the-door-throws-nothing-secret.test.ts
  'rotation-refused',
  'renewal-unusable',
  'new-certificate-rejected',
  'new-certificate-untested',
  'announcement-failed',
  // test/scenarios/issuers/an-issuer-that-fails-is-told-apart-and-quoted-nowhere.test.ts
  'issuer-unavailable',
  'issuer-refused',
  'issued-certificate-unusable',
  'signature-awaited',
  // test/scenarios/serve/each-credential-on-each-route.test.ts
  'not-authenticated',
  'caller-forbidden',
  'too-busy',
]);

describe('log lines and problems contain no secret', () => {
  it.each(cases)('%s: %s', async (code, _what, fail) => {
    const reply = await fail();
    expect(reply.body.code).toBe(code);
    seen.add(code);
    expectSilence(reply);
    const line = trial.stage.lines.findLast(({ message }) => message === 'invocation');
    const { reason, certainty } = (reply.body.evidence ?? {}) as Record<string, unknown>;
    expect(line).toMatchObject({ code, ...(reason ? { reason } : {}), ...(certainty ? { certainty } : {}) });
    if (code !== 'invalid-request') expect(line?.detail).toBe(reply.body.detail);
  });

  it('the log line of a success contains no secret on new, reused and resumed connections', async () => {
    const server = await serveHttps(trial.server, (socket) => socket.write(ok));
    for (const reply of [await trial.call(server.port, secret), await trial.again(request)]) {
      expect(reply.body).toMatchObject({ status: 200, body: canary });
      expectSilence(reply);
    }
    // The line is there and says what it may.
    expect(trial.stage.lines[0]).toMatchObject({ host: 'localhost', port: server.port, method: 'POST', status: 200 });
  });

  it('an invalid name from a caller appears in the answer, not in the log line', async () => {
    const header = await trial.stage.invoke({ url, headers: { [`authorization: ${canary}`]: '' } });
    expect(header.body.detail).toContain(canary);
    const field = await trial.stage.invoke({ url, [`${canary}=${canary}`]: 1 });
    expect(field.body.detail).toContain(canary);
    await trial.stage.invoke({ url, jsn: 1 });
    expect(trial.stage.logText()).not.toContain(canary);
    const details = trial.stage.lines.slice(-3).map((line) => [line.field, line.detail]);
    expect(details).toEqual([
      ['headers', '"…" is not a header name (RFC 9110, section 5.6.2).'],
      [undefined, 'There is no field "…".'],
      ['jsn', 'There is no field "jsn".'],
    ]);
  });

  it('the log line of a failed refresh contains no secret', async () => {
    trial.shelf.put('kept', 'v1', documentOf(trial.client, []));
    const reply = await trial.stage.invoke({ ...request, url }, 'kept');
    trial.shelf.beforeRead = () => {
      throw new Error(`${canary} ${trial.client.privateKey}`);
    };
    await trial.stage.identities.reload('kept').catch(() => {});
    trial.shelf.beforeRead = undefined;
    expect(trial.stage.lines.map(({ message }) => message)).toContain('identity refresh failed');
    expectSilence(reply);
  });

  it('every error code of a call is tested above', () => {
    const missing = Object.keys(errorTable).filter((code) => !seen.has(code) && !elsewhere.has(code));
    // A full accept queue, in the test of step one; nothing is sent before it.
    expect(missing).toEqual(['connection-timeout']);
  });
});
