// Size, time, connections and calls in flight: what is beyond is refused in words where there is somebody to hear them.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { surroundings } from './installation.ts';
import { ask, invoke, startServing } from './serving.ts';

/** A raw connection; ended with the test. */
function dial(url: string, bytes: string): Socket {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  socket.write(bytes);
  return socket;
}

const head = (...lines: string[]) =>
  `${['POST /v1/identities/platform/invocations HTTP/1.1', 'host: localhost', ...lines].join('\r\n')}\r\n`;
const json = 'content-type: application/json';

describe('size', () => {
  it('of a body: what is announced and what comes', async () => {
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
    // It fits, and the function says what is wrong with it.
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
    // It takes as much room as a call that is not answered yet.
    await expect.poll(async () => (await ask(url, '/metrics')).text).toContain('\ncountersign_calls_in_flight 1\n');
    // Only the one that asks is left.
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

  it('of calls in flight, while health and metrics are told all the same', async () => {
    const { identities, api, target } = await surroundings();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const { url } = await startServing({ identities, workers: '1', maxCalls: '1' });
    const first = invoke(url, target);
    const release = await arrived.promise;

    const second = await invoke(url, target);
    expect(second.status).toBe(503);
    expect(second.headers['retry-after']).toMatch(/^\d+$/);
    expect(second.body).toMatchObject({ code: 'too-busy', retryable: true, evidence: { reason: 'calls' } });
    expect((await ask(url, '/v1/health')).status).toBe(200);
    expect((await ask(url, '/v1/ready')).status).toBe(200);
    const metrics = (await ask(url, '/metrics')).text;
    expect(metrics).toContain('\ncountersign_calls_in_flight 1\n');
    expect(metrics).toContain('countersign_refused_requests_total{code="too-busy"} 1');

    release();
    expect((await first).body.body).toBe('late');
    api.answerWith((_, response) => response.end('now'));
    expect((await invoke(url, target)).body.body).toBe('now');
  });

  it('of bytes in flight: a body of unknown length counts as the largest', async () => {
    const { identities, api, target } = await surroundings();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const { url } = await startServing({ identities, workers: '1', maxBufferedBytes: String(6 * 1024 * 1024) });
    const unknown = { headers: { 'transfer-encoding': 'chunked' } };
    const first = invoke(url, target, unknown);
    const release = await arrived.promise;
    expect((await invoke(url, target, unknown)).body).toMatchObject({
      code: 'too-busy',
      evidence: { reason: 'bytes' },
    });
    release();
    expect((await first).status).toBe(200);
  });

  it('of callers that are gone: what they took is given back', async () => {
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

describe('what is no request to this server', () => {
  it.each([
    ['a rebound name', { host: 'attacker.example' }],
    ['another origin', { origin: 'https://attacker.example' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
  ])('%s is refused, of health too', async (_, headers) => {
    const { identities } = await surroundings();
    const { url } = await startServing({ identities, workers: '1' });
    const reply = await ask(url, '/v1/health', { headers });
    expect(reply.status).toBe(403);
    expect(reply.text).toMatch(/^\{"message":"Forbidden: this server answers /);
  });

  it('a request that can be read in two ways is read in none', async () => {
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
  });
});
