// Limits of size, time, connections and calls in flight. Above a limit, the client gets an answer where that is
// possible.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newServerCertificate, newToken, serverAuthority, surroundings } from '../../support/serve/installation.ts';
import { ask, invoke, startServing } from '../../support/serve/serving.ts';

/** Opens a raw connection. */
function dial(url: string, bytes: string): Socket {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  socket.write(bytes);
  return socket;
}

/** Resident memory in bytes (proc(5)); 0 on other systems. */
function memoryOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  } catch {
    return 0;
  }
}

const head = (...lines: string[]) =>
  `${['POST /v1/identities/platform/invocations HTTP/1.1', 'host: localhost', ...lines].join('\r\n')}\r\n`;
const json = 'content-type: application/json';

describe('size', () => {
  it('of a body, announced or received', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1', maxBodyBytes: '2000' });
    const path = '/v1/identities/platform/invocations';
    const announced = await ask(url, path, { body: 'a'.repeat(2001) });
    expect([announced.status, announced.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    const chunked = await ask(url, path, {
      method: 'POST',
      headers: { 'transfer-encoding': 'chunked' },
      body: 'a'.repeat(2001),
    });
    expect([chunked.status, chunked.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    // It fits, so the use case rejects it instead.
    expect((await ask(url, path, { body: 'a'.repeat(2000) })).body.code).toBe('invalid-request');
    const metrics = (await ask(url, '/metrics')).text;
    expect(metrics).toContain('countersign_refused_requests_total{code="413"} 2');
  });

  it('of the headers', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1', maxHeaderBytes: '2048' });
    expect((await ask(url, '/v1/health', { headers: { 'x-long': 'a'.repeat(1500) } })).status).toBe(200);
    expect((await ask(url, '/v1/health', { headers: { 'x-long': 'a'.repeat(2048) } })).status).toBe(431);
  });
});

describe('time', () => {
  it('for headers, for a body, and between two requests', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({
      identities,
      workers: '1',
      headerSeconds: '1',
      requestSeconds: '2',
      keepAliveSeconds: '1',
    });
    const silent = text(dial(url, ''));
    const slowHead = text(dial(url, head(json)));
    const slowBody = text(dial(url, `${head(json, 'content-length: 100')}\r\n{"url":`));
    const idle = text(dial(url, 'GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n'));
    expect(await silent).toMatch(/^(HTTP\/1\.1 408 |$)/);
    expect(await slowHead).toMatch(/^HTTP\/1\.1 408 /);
    expect(await slowBody).toMatch(/^HTTP\/1\.1 408 /);
    expect(await idle).toMatch(/^HTTP\/1\.1 200 .*"ok"/s);
  });

  it('for an answer to be read', async () => {
    const { identities, api, target } = await surroundings();
    api.answerWith((_, response) => response.end(Buffer.alloc(4_000_000, 'a')));
    const { url } = await startServing({ identities, workers: '1', headerSeconds: '1', requestSeconds: '1' });
    const body = JSON.stringify({ url: target });
    const deaf = dial(url, `${head(json, `content-length: ${body.length}`)}\r\n${body}`);
    deaf.pause();
    const open = async () => /^countersign_inbound_connections (\d+)$/m.exec((await ask(url, '/metrics')).text)?.[1];
    await expect.poll(open, { timeout: 20_000 }).toBe('2');
    // It counts like a call in flight.
    await expect.poll(async () => (await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 1\n');
    // Only the connection of this request is left.
    await expect.poll(open, { timeout: 20_000, interval: 200 }).toBe('1');
    expect((await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 0\n');
  });
});

describe('number', () => {
  it('of connections', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1', maxConnections: '2' });
    const first = dial(url, '');
    const second = dial(url, '');
    await Promise.all([once(first, 'connect'), once(second, 'connect')]);
    const third = dial(url, 'GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(await text(third).catch(() => '')).toBe('');
    first.destroy();
    await expect
      .poll(() =>
        ask(url, '/v1/health').then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
  });

  it('of calls in flight; health and metrics are still answered', async () => {
    const { identities, api, target } = await surroundings();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const { url } = await startServing({ identities, workers: '1', maxCalls: '1' });
    // A call whose body has not arrived does not count.
    dial(url, `${head(json, 'content-length: 100')}\r\n{`);
    await expect.poll(async () => (await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 1\n');
    const first = invoke(url, target);
    const release = await arrived.promise;

    const second = await invoke(url, target);
    expect(second.status).toBe(503);
    expect(second.headers['retry-after']).toMatch(/^\d+$/);
    expect(second.body).toMatchObject({ code: 'too-busy', retryable: true, evidence: { reason: 'calls' } });
    expect((await ask(url, '/v1/health')).status).toBe(200);
    expect((await ask(url, '/v1/ready')).status).toBe(200);
    const metrics = (await ask(url, '/metrics')).text;
    expect(metrics).toContain('\ncountersign_calls_in_flight 2\n');
    expect(metrics).toContain('countersign_refused_requests_total{code="too-busy"} 1');

    release();
    expect((await first).body.body).toBe('late');
    api.answerWith((_, response) => response.end('now'));
    expect((await invoke(url, target)).body.body).toBe('now');
  });

  it('of bytes in flight: received bytes, announced or not', async () => {
    const { identities, api, target } = await surroundings();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const { url } = await startServing({ identities, workers: '1', maxBufferedBytes: String(6 * 1024 * 1024) });
    const announcing = [1, 2, 3].map(() => dial(url, `${head(json, 'content-length: 6000000')}\r\n`));
    await Promise.all(announcing.map((socket) => once(socket, 'connect')));
    await expect.poll(async () => (await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 3\n');
    const large = { method: 'POST', body: 'a'.repeat(4_000_000) };
    const chunked = { 'transfer-encoding': 'chunked' };
    const first = invoke(url, target, { request: large });
    const release = await arrived.promise;
    for (const headers of [{}, chunked]) {
      const { body } = await invoke(url, target, { request: large, headers });
      expect(body).toMatchObject({ code: 'too-busy', evidence: { reason: 'bytes' } });
    }
    api.answerWith((_, response) => response.end('now'));
    for (const headers of [{}, chunked]) expect((await invoke(url, target, { headers })).body.body).toBe('now');
    release();
    expect((await first).status).toBe(200);
    expect((await invoke(url, target, { request: large, headers: chunked })).body.body).toBe('now');
  });

  it('of chunks: a body uses no more memory than its bytes, and none after it is rejected', async () => {
    const { identities, folder } = await surroundings();
    const { token, tokenSha256 } = newToken();
    const callers = folder.write('callers.json', JSON.stringify([{ name: 'bot', tokenSha256, identities: '*' }]));
    const serving = await startServing({ identities, workers: '1', callers });
    const chunks = '1\r\na\r\n'.repeat(100_000);
    const memory = () => memoryOf(serving.child.pid ?? 0);
    const before = memory();
    for (const authorization of ['x-shows: nothing', `authorization: Bearer ${token}`]) {
      const calls = Array.from({ length: 10 }, () =>
        dial(serving.url, `${head(json, authorization, 'transfer-encoding: chunked')}\r\n`),
      );
      await Promise.all(calls.map((socket) => new Promise((resolve) => socket.write(chunks, resolve))));
      await once(calls[0]?.end('0\r\n\r\n') as Socket, 'data');
      expect(memory() - before).toBeLessThan(120_000_000);
      for (const socket of calls) socket.destroy();
    }
  });

  it('of disconnected callers: their bytes and calls are released', async () => {
    const { identities, api, target } = await surroundings();
    const { url } = await startServing({ identities, workers: '1', maxCalls: '1' });
    for (let n = 0; n < 3; n++) {
      const gone = dial(url, `${head(json, 'content-length: 100')}\r\n{"url":`);
      await once(gone, 'connect');
      await expect.poll(async () => (await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 1\n');
      gone.destroy();
      await expect.poll(async () => (await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 0\n');
    }
    api.answerWith((_, response) => response.end('now'));
    expect((await invoke(url, target)).status).toBe(200);
  });
});

describe('an answer before the end of a body', () => {
  it('reaches a client that is still sending, over TLS', async () => {
    const { identities, folder, api, target } = await surroundings();
    const { token, tokenSha256 } = newToken();
    const server = newServerCertificate();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const { url } = await startServing({
      identities,
      workers: '1',
      maxCalls: '1',
      callers: folder.write('callers.json', JSON.stringify([{ name: 'bot', tokenSha256, identities: '*' }])),
      tlsCert: folder.write('tls.crt', server.certificate),
      tlsKey: folder.write('tls.key', server.privateKey),
    });
    const known = { authorization: `Bearer ${token}` };
    const ca = serverAuthority.certificate;
    const first = invoke(url, target, { ca, headers: known, request: { timeoutMs: 28_000 } });
    const release = await arrived.promise;
    for (let n = 0; n < 10; n++) {
      const statusOf = async (bytes: number, headers: Record<string, string>) => {
        const request = { method: 'POST', body: 'a'.repeat(bytes) };
        const { status, headers: answered } = await invoke(url, target, { ca, headers, request });
        return [status, answered['retry-after'] !== undefined];
      };
      expect(await statusOf(1_000_000, known)).toEqual([503, true]);
      expect(await statusOf(5_500_000, known)).toEqual([503, true]);
      expect(await statusOf(5_500_000, {})).toEqual([401, false]);
      expect(await statusOf(20_000_000, known)).toEqual([413, false]);
    }
    release();
    expect((await first).status).toBe(200);
  });

  it('replaces 100 Continue', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1' });
    const asks = (length: number) =>
      dial(url, `${head(json, `content-length: ${length}`, 'expect: 100-continue')}\r\n`);
    const [large, small] = [asks(7_000_000), asks(2)];
    expect(String(await once(large, 'data'))).toMatch(/^HTTP\/1\.1 413 /);
    expect(String(await once(small, 'data'))).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    small.write('{}');
    expect(String(await once(small, 'data'))).toMatch(/^HTTP\/1\.1 400 .*invalid-request/s);
  });

  it('keeps the connection open if the body is short', async () => {
    const { identities, folder } = await surroundings();
    const callers = [{ name: 'bot', tokenSha256: newToken().tokenSha256, identities: '*' }];
    const { url } = await startServing({
      identities,
      workers: '1',
      callers: folder.write('callers.json', JSON.stringify(callers)),
    });
    const socket = dial(url, `${head(json, 'content-length: 2')}\r\n{`);
    socket.write('}');
    expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1\.1 401 .*keep-alive/is);
    socket.write('GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('an invalid request', () => {
  it.each([
    ['a rebound name', { host: 'attacker.example' }],
    ['another origin', { origin: 'https://attacker.example' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
  ])('%s is rejected, for health too', async (_, headers) => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1' });
    const reply = await ask(url, '/v1/health', { headers });
    expect(reply.status).toBe(403);
    expect(reply.text).toMatch(/^\{"message":"Forbidden: this server (answers|rejects) /);
  });

  it('malformed requests that Node rejects are answered, counted and logged', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1', headerSeconds: '1', maxHeaderBytes: '2048' });
    const cases = [
      ['400', 'Bad Request', 'GET / HTTP/9.9\r\n\r\n'],
      ['431', 'Request Header Fields Too Large', `GET / HTTP/1.1\r\nx: ${'a'.repeat(4_000)}\r\n\r\n`],
      ['413', 'Payload Too Large', `${head(json, 'transfer-encoding: chunked')}\r\n1;${'a'.repeat(20_000)}\r\na\r\n`],
      ['408', 'Request Timeout', 'GET / HTTP/1.1\r\nhost:'],
      ['417', 'Expectation Failed', 'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nexpect: more\r\n\r\n'],
      ['400', 'Bad Request', 'GET /v1/health HTTP/1.1\r\nconnection: close\r\n\r\n'],
    ] as const;
    for (const [status, message, bytes] of cases) {
      const answer = await text(dial(serving.url, bytes));
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} ${message}\r\n`));
      expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(JSON.stringify({ message }));
      await serving.line(({ message: line, code }) => line === 'request refused' && code === status);
    }
    const metrics = (await ask(serving.url, '/metrics')).text;
    for (const [status] of cases) {
      const count = cases.filter(([other]) => other === status).length;
      expect(metrics).toContain(`countersign_refused_requests_total{code="${status}"} ${count}\n`);
    }
    // A connection that closes is not counted.
    dial(serving.url, '').resetAndDestroy();
    const refused = () => serving.lines().filter(({ message }) => message === 'request refused');
    expect((await ask(serving.url, '/v1/health')).status).toBe(200);
    await expect.poll(() => refused().length).toBe(cases.length);
    expect(refused()[0]).toMatchObject({ level: 'WARN', sourceIp: '127.0.0.1' });
  });

  it('the framing of a body is respected behind any number of headers', async () => {
    const { identities, target } = await surroundings();
    const { url } = await startServing({ identities, workers: '1' });
    const body = JSON.stringify({ url: target });
    const many = Array(1_500).fill('a:').join('\r\n');
    const length = `content-length: ${body.length}`;
    const socket = dial(url, `${head(json, many, length, 'connection: close')}\r\n${body}`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*"status":200/s);
    const large = dial(url, `${head(json, many, 'content-length: 7000000')}\r\n`);
    expect(String(await once(large, 'data'))).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('an ambiguous request is rejected', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1' });
    const smuggled = dial(
      url,
      `${head(json, 'content-length: 3', 'transfer-encoding: chunked')}\r\n0\r\n\r\nGET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n`,
    );
    const answer = await text(smuggled);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain('"ok"');
    expect((await ask(url, '/v1/identities/%E0%A4%A/certificate')).status).toBe(400);
    const statuses = async (path: string) => [
      (await ask(url, path, { method: 'GET' })).status,
      (await ask(url, path, { method: 'HEAD' })).status,
    ];
    for (const path of ['/v1/health', '/v1/ready', '/metrics']) expect(await statuses(path)).toEqual([200, 200]);
    expect(await statuses('/v1/identities/platform/certificate')).toEqual([200, 404]);
  });

  it('the connection closes after a request in HTTP/1.0 with chunks, which HTTP/1.0 does not have', async () => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1' });
    const lines = ['host: localhost', 'connection: keep-alive', 'transfer-encoding: chunked'];
    const socket = dial(url, `GET /v1/health HTTP/1.0\r\n${lines.join('\r\n')}\r\n\r\n0\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*\r\nconnection: close\r\n/is);
  });

  it('a request with two tokens is rejected', async () => {
    const { identities, folder } = await surroundings();
    const { token, tokenSha256 } = newToken();
    const callers = folder.write('callers.json', JSON.stringify([{ name: 'bot', tokenSha256, identities: '*' }]));
    const { url } = await startServing({ identities, workers: '1', callers });
    const good = `authorization: Bearer ${token}`;
    const bad = `authorization: Bearer ${newToken().token}`;
    const answerTo = (...lines: string[]) =>
      text(
        dial(
          url,
          `GET /v1/identities/platform/certificate HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines.join('\r\n')}\r\n\r\n`,
        ),
      );
    expect(await answerTo(good)).toMatch(/^HTTP\/1\.1 200 /);
    for (const lines of [
      [good, bad],
      [bad, good],
      [good, good.replace('a', 'A')],
    ]) {
      expect(await answerTo(...lines)).toMatch(/^HTTP\/1\.1 401 .*credentials-ambiguous/s);
    }
  });
});
