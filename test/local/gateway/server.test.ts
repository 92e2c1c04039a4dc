// The local gateway over real sockets: routing, limits, concurrency, the guard against web pages, an orderly end.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayEvent } from '../../../local/gateway/event.ts';
import { type LocalFunction, maxAnswerBytes } from '../../../local/gateway/functions.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../../../local/gateway/server.ts';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

type Handle = (event: GatewayEvent, context: Parameters<LocalFunction['handler']>[1]) => unknown;

async function start(handler: Handle, options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const fn: LocalFunction = { name: 'under-test', handler };
  const functions = { 'POST /v1/things/{thing}': fn, 'GET /v1/things/{thing}': fn };
  const gateway = await startGateway({ functions, port: 0, ...options });
  gateways.push(gateway);
  return gateway;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function call(url: string, init: { method?: string; headers?: object; body?: string | Buffer } = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = httpRequest(
    url,
    { method: init.method ?? 'POST', headers: { ...init.headers }, agent: false },
    resolve,
  );
  outgoing.once('error', reject);
  outgoing.end(init.body);
  const reply = await promise;
  return { status: reply.statusCode, headers: reply.headers, body: await text(reply) } as Reply;
}

const json = { 'content-type': 'application/json' };

describe('a call through the gateway', () => {
  // curl sends it before bodies of a megabyte.
  it('with Expect: 100-continue gets 100 Continue', async () => {
    const gateway = await start((event) => ({ statusCode: 200, body: event.body }));
    const outgoing = httpRequest(`${gateway.url}/v1/things/a`, {
      method: 'POST',
      headers: { ...json, expect: '100-continue', 'content-length': 2 },
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    outgoing
      .once('continue', () => outgoing.end('{}'))
      .once('response', resolve)
      .once('error', reject);
    outgoing.flushHeaders();
    const reply = await promise;
    expect([reply.statusCode, await text(reply)]).toEqual([200, '{}']);
  });

  it('reaches the handler as an event with a context, and its response is returned', async () => {
    const gateway = await start((event, context) => ({
      statusCode: 202,
      headers: { 'X-Request-Id': context.awsRequestId },
      cookies: ['a=1', 'b=2'],
      body: JSON.stringify({ event, left: context.getRemainingTimeInMillis(), name: context.functionName }),
    }));
    const reply = await call(`${gateway.url}/v1/things/a%20b?x=1&x=2`, { headers: json, body: '{"a":"é"}' });
    const seen = JSON.parse(reply.body) as { event: GatewayEvent; left: number; name: string };
    expect(reply.status).toBe(202);
    expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(reply.headers['apigw-requestid']).toBe(seen.event.requestContext.requestId);
    expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(seen.event).toMatchObject({
      routeKey: 'POST /v1/things/{thing}',
      pathParameters: { thing: 'a b' },
      queryStringParameters: { x: '1,2' },
      body: '{"a":"é"}',
      requestContext: { http: { method: 'POST', sourceIp: '127.0.0.1' } },
    });
    expect(seen.left).toBeGreaterThan(0);
    expect(seen.left).toBeLessThanOrEqual(30_000);
    expect(seen.name).toBe('under-test');
  });

  it.each([
    ['GET', '/v2/things/a', 404, 'Not Found'],
    ['PUT', '/v1/things/a', 404, 'Not Found'],
    ['GET', '/v1/things/%E0%A4%A', 400, 'Bad Request'],
  ])('%s %s gets %i from the gateway, not from a handler', async (method, path, status, message) => {
    const gateway = await start(() => ({}));
    const reply = await call(gateway.url + path, { method });
    expect({ status: reply.status, body: reply.body }).toEqual({ status, body: JSON.stringify({ message }) });
  });

  it('many concurrent calls each get their own response', async () => {
    const arrived: (() => void)[] = [];
    const gateway = await start(async (event) => {
      const gate = Promise.withResolvers<void>();
      arrived.push(gate.resolve);
      if (arrived.length === 50) for (const open of arrived) open();
      await gate.promise;
      return { thing: event.pathParameters?.thing };
    });
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) => call(`${gateway.url}/v1/things/${index}`, { method: 'GET' })),
    );
    expect(replies.map((reply) => JSON.parse(reply.body).thing)).toEqual(replies.map((_, index) => String(index)));
  });
});

describe('the limits', () => {
  it('a handler that throws causes a 500 without details, and the reason is reported locally', async () => {
    const failures: unknown[] = [];
    const gateway = await start(
      () => {
        throw new Error('inner words');
      },
      { onFailure: (name, reason) => failures.push([name, (reason as Error).message]) },
    );
    const reply = await call(`${gateway.url}/v1/things/a`);
    expect([reply.status, reply.body]).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(failures).toEqual([['under-test', 'inner words']]);
  });

  it('a handler that does not end in time causes a 503', async () => {
    const gateway = await start(() => new Promise(() => undefined), { integrationTimeoutMs: 20 });
    const reply = await call(`${gateway.url}/v1/things/a`);
    expect([reply.status, reply.body]).toEqual([503, '{"message":"Service Unavailable"}']);
  });

  it('a payload over 10 MB is a 413 of API Gateway, an event over 6 MB one of Lambda', async () => {
    let calls = 0;
    const gateway = await start((event) => {
      calls += 1;
      return { length: event.body?.length };
    });
    const post = (size: number, headers: object) =>
      call(`${gateway.url}/v1/things/a`, { headers, body: Buffer.alloc(size, 'a') });
    for (const [size, headers] of [
      [10 * 1024 * 1024 + 1, json],
      [6 * 1024 * 1024, json],
      [4.6 * 1024 * 1024, { 'content-type': 'application/octet-stream' }],
    ] as const) {
      const reply = await post(Math.floor(size), headers);
      expect([size, reply.status, reply.body]).toEqual([size, 413, '{"message":"Request Entity Too Large"}']);
    }
    expect(calls).toBe(0);
    expect((await post(6 * 1024 * 1024 - 4096, json)).body).toBe(`{"length":${6 * 1024 * 1024 - 4096}}`);
  });

  it("a response over Lambda's limit is a 500", async () => {
    const failures: string[] = [];
    const gateway = await start((event) => 'a'.repeat(maxAnswerBytes - 2 + Number(event.pathParameters?.thing)), {
      onFailure: (_, reason) => failures.push((reason as Error).message),
    });
    expect((await call(`${gateway.url}/v1/things/0`)).body.length).toBe(maxAnswerBytes - 2);
    expect((await call(`${gateway.url}/v1/things/1`)).status).toBe(500);
    expect(failures).toEqual(['Response payload size exceeded maximum allowed payload size (6291556 bytes).']);
  });

  it('a request line and header values over 10240 bytes are a 431', async () => {
    const gateway = await start(() => ({}));
    const at = (bytes: number) => call(`${gateway.url}/v1/things/a`, { headers: { 'x-long': 'a'.repeat(bytes) } });
    expect((await at(9_000)).status).toBe(200);
    expect((await at(10_240)).status).toBe(431);
  });
});

describe('the check of Origin and Host', () => {
  it.each([
    ['a rebound name', { host: 'attacker.example' }],
    ['a name that only starts like loopback', { host: '127.0.0.1.attacker.example' }],
    ['another origin', { origin: 'https://attacker.example' }],
    ['an opaque origin', { origin: 'null' }],
    ['another local port', { origin: 'http://127.0.0.1:1' }],
    ['a no-cors request', { 'sec-fetch-site': 'cross-site' }],
  ])('%s is rejected before any handler runs', async (_, headers) => {
    let calls = 0;
    const gateway = await start(() => {
      calls += 1;
    });
    const reply = await call(`${gateway.url}/v1/things/a`, { headers });
    expect([reply.status, calls]).toEqual([403, 0]);
    expect(reply.body).toMatch(/Forbidden: the local gateway (answers|rejects)/);
  });

  it.each(['localhost', '127.0.0.1', 'api.localhost', '[::1]', 'LOCALHOST.'])('%s is allowed', async (name) => {
    const gateway = await start(() => ({}));
    const host = `${name}:${new URL(gateway.url).port}`;
    const reply = await call(`${gateway.url}/v1/things/a`, { headers: { host, origin: `http://${host}` } });
    expect(reply.status).toBe(200);
  });
});

describe('start and end', () => {
  it('a port in use is reported in one sentence', async () => {
    const first = await start(() => ({}));
    const port = Number(new URL(first.url).port);
    await expect(start(() => ({}), { port })).rejects.toThrow(
      `Port ${port}, which the gateway needs, is in use: stop the program that uses it, or choose another with --port.`,
    );
  });

  it.each(['0.0.0.0', '::', 'api.localhost'])('it does not listen on %s, but on loopback only', async (host) => {
    await expect(start(() => ({}), { host })).rejects.toThrow('loopback only');
  });

  it('a call in flight finishes while it closes, and no other is accepted', async () => {
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const gateway = await start(async () => {
      entered.resolve();
      await leave.promise;
      return { finished: true };
    });
    const underWay = call(`${gateway.url}/v1/things/a`, { headers: { connection: 'keep-alive' } });
    await entered.promise;
    const closed = gateway.close();
    await expect(call(`${gateway.url}/v1/things/b`)).rejects.toThrow('ECONNREFUSED');
    leave.resolve();
    expect((await underWay).body).toBe('{"finished":true}');
    await closed;
  });

  it('a call longer than the deadline is closed', async () => {
    const entered = Promise.withResolvers<void>();
    const gateway = await start(
      () => {
        entered.resolve();
        return new Promise(() => undefined);
      },
      { closeDeadlineMs: 20 },
    );
    const underWay = call(`${gateway.url}/v1/things/a`);
    const cutOff = expect(underWay).rejects.toThrow('socket hang up');
    await entered.promise;
    await gateway.close();
    await cutOff;
  });
});
