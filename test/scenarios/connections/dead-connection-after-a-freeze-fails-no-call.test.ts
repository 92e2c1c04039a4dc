// Lambda freezes a function between two calls: what was kept open may be gone when it thaws, and nothing has said so
// yet.
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startApiInAThread } from '../../support/connections/api-in-a-thread.ts';
import { destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const clientRoot = authorities.platformRoot.certificate;

async function warmed(maxVersion: 'TLSv1.2' | 'TLSv1.3') {
  const api = await startApiInAThread({ server: newServer(authorities), clientRoot, maxVersion });
  const { now, clock } = standingClock();
  const platform = openPlatform(authorities, { now });
  platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
  const call = (request: object = {}) => platform.call({ url: `https://api.acme.example:${api.port}/`, ...request });
  expect((await call()).statusCode).toBe(200);
  return { api, platform, clock, call };
}

/** A freeze, and whatever else a test does, takes no time but what the test says. */
function standingClock() {
  const began = Date.now();
  const clock = { aheadMs: 0 };
  return { clock, now: () => began + clock.aheadMs };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  it.each([
    ['end', 'GET'],
    ['end', 'PUT'],
    ['end', 'DELETE'],
    ['reset', 'GET'],
  ] as const)('after an %s, a %s is repeated once on a fresh connection', async (how, method) => {
    const { api, platform, call } = await warmed(maxVersion);
    api.freezeWhileItCloses(how);
    const reply = await call({ method });
    expect(reply.body).toMatchObject({ status: 200, body: 'answered' });
    expect(reply.body.handshake.connection).not.toBe('reused');
    expect(platform.attempts()).toEqual([1, 2]);
    expect(api.requests).toBe(2);
  });

  it('a POST that may have been processed is not repeated, and the caller gets an error that says so', async () => {
    const { api, platform, call } = await warmed(maxVersion);
    api.freezeWhileItCloses('end');
    const reply = await call({ method: 'POST', body: 'once' });
    expect(reply.body).toMatchObject({ code: 'response-incomplete', evidence: { connection: 'reused' } });
    expect(reply.body.hint).toContain('may have been processed');
    expect(platform.attempts()).toEqual([1, 1]);
    expect(api.requests).toBe(1);
  });

  it('a POST whose first write failed is repeated, because no byte of it was sent', async () => {
    const { api, platform, call } = await warmed(maxVersion);
    api.freezeWhileItCloses('reset');
    const reply = await call({ method: 'POST', body: 'once' });
    expect(reply.body).toMatchObject({ status: 200, body: 'answered' });
    expect(platform.attempts()).toEqual([1, 2]);
    expect(api.requests).toBe(2);
  });

  it.each([
    ['body', { body: 'x'.repeat(20_000) }],
    ['headers', { headers: { 'x-large': 'x'.repeat(14_000) } }],
  ])('a POST of more than one write is not repeated (%s)', async (_what, request) => {
    const { api, platform, call } = await warmed(maxVersion);
    api.freezeWhileItCloses('reset');
    const reply = await call({ method: 'POST', ...request });
    expect(reply.body.code).toBe('response-incomplete');
    expect(platform.attempts()).toEqual([1, 1]);
  });

  it('after a longer freeze, closed connections are detected before they are used, so no call is repeated', async () => {
    const { api, platform, clock, call } = await warmed(maxVersion);
    for (const [method, frozenMs] of [
      ['GET', 2_000],
      ['POST', 2_000],
      ['POST', 11],
    ] as const) {
      api.freezeWhileItCloses('end');
      clock.aheadMs += frozenMs;
      expect((await call({ method })).body.status).toBe(200);
    }
    expect(platform.attempts()).toEqual([1, 1, 1, 1]);
  });

  it('every dead connection is replaced', async () => {
    const { api, platform, call } = await warmed(maxVersion);
    await Promise.all(Array.from({ length: 20 }, () => call()));
    api.freezeWhileItCloses('reset');
    const replies = await Promise.all(Array.from({ length: 20 }, () => call()));
    expect(replies.map(({ body }) => body.status)).toEqual(Array(20).fill(200));
    expect(Math.max(...(platform.attempts() as number[]))).toBe(2);
  });

  it('a call is repeated at most once', async () => {
    const { api, platform, call } = await warmed(maxVersion);
    api.hangUp();
    const reply = await call();
    expect(reply.statusCode).toBe(502);
    expect(platform.attempts()).toEqual([1, 2]);
    expect(api.requests).toBe(3);
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('an unrequested response, over %s', (maxVersion) => {
  it.each([
    ['while nothing was going on', 10, 0],
    ['while the function was frozen', 0, 11],
  ] as const)('that arrives %s is not taken as the response of another request', async (_when, turns, frozenMs) => {
    let say: ((written: (value: unknown) => void) => void) | undefined;
    const api = await startApi(authorities, {
      maxVersion,
      answer: ({ socket }, response) => {
        response.end('asked for');
        say ??= (written) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmore', written);
      },
    });
    const { now, clock } = standingClock();
    const platform = openPlatform(authorities, { now });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const call = async () => (await platform.call({ url: `https://api.acme.example:${api.port}/` })).body;
    expect((await call()).body).toBe('asked for');
    // The kernel has it; whether the platform has read it as well is for the turns to say.
    await new Promise((resolve) => say?.(resolve));
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    clock.aheadMs += frozenMs;
    const next = await call();
    expect(next.body).toBe('asked for');
    expect(next.handshake.connection).not.toBe('reused');
  });
});

describe('how long an idle connection is reused', () => {
  async function kept(header?: string) {
    const api = await startApi(authorities, {
      answer: (_request, response) => {
        if (header) response.setHeader('keep-alive', header);
        response.end();
      },
    });
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    return async (method: string, afterMs: number): Promise<string> => {
      platform.clock.aheadMs += afterMs;
      const { body } = await platform.call({ url: `https://api.acme.example:${api.port}/`, method });
      return body.code ?? body.handshake.connection;
    };
  }

  it('a request that cannot be repeated does not use a connection that was idle for 4 s', async () => {
    const call = await kept();
    expect(await call('POST', 0)).toBe('new');
    expect(await call('POST', 3_000)).toBe('reused');
    expect(await call('PATCH', 4_100)).toBe('resumed');
    expect(await call('GET', 4_100)).toBe('reused');
  });

  it('no request uses a connection that was idle for a minute, or whose last use is in the future', async () => {
    const call = await kept();
    expect(await call('GET', 0)).toBe('new');
    expect(await call('GET', 59_000)).toBe('reused');
    expect(await call('GET', 60_100)).toBe('resumed');
    expect(await call('GET', -10_000)).toBe('resumed');
  });

  it.each(['timeout=3', 'timeout=3, max=100', 'max=100, timeout=3'])(
    'the Keep-Alive timeout of the server applies: %s',
    async (header) => {
      const call = await kept(header);
      expect(await call('GET', 0)).toBe('new');
      expect(await call('GET', 1_500)).toBe('reused');
      expect(await call('GET', 2_100)).toBe('resumed');
    },
  );

  it('a connection that the server closes within a second is not kept', async () => {
    const call = await kept('timeout=1');
    expect(await call('GET', 0)).toBe('new');
    expect(await call('GET', 0)).toBe('resumed');
  });

  it('a connection that is too old is skipped, and a younger one is used', async () => {
    const impatient: ServerResponse[] = [];
    const api = await startApi(authorities, {
      answer: (request, response) => {
        response.setHeader('keep-alive', request.url === '/impatient' ? 'timeout=2' : 'timeout=60');
        if (request.url === '/impatient') impatient.push(response);
        else response.end();
      },
    });
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const url = `https://api.acme.example:${api.port}`;
    const last = platform.call({ url: `${url}/impatient` });
    await expect.poll(() => impatient.length).toBe(1);
    await platform.call({ url: `${url}/patient` });
    impatient[0]?.end();
    await last;
    platform.clock.aheadMs += 1_500;
    expect((await platform.call({ url, method: 'POST' })).body.handshake?.connection).toBe('reused');
    expect(api.connections).toHaveLength(2);
  });
});
