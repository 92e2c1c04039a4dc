// The handlers behind an HTTP API and behind a REST API: routes, bodies, headers, paths, callers and failures.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { jsonResponse } from '../../../core/api.ts';
import { CountersignError } from '../../../core/errors.ts';
import { invocationRoute } from '../../../core/invocation/invoke.ts';
import { openServices } from '../../../core/invocation/services.ts';
import { certificateRoute } from '../../../core/publication/publish.ts';
import { routes } from '../../../core/settings.ts';
import { apiHandler } from '../../../functions/api-gateway/handler.ts';
import type { LocalFunction } from '../../../local/gateway/functions.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../../../local/gateway/server.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient } from '../../support/connections/platform.ts';
import { createAuthorities, createShelf, documentOf } from '../../support/stage.ts';

const authorities = createAuthorities();
const invocations = '/v1/identities/platform/invocations';
const certificate = '/v1/identities/platform/certificate';
const json = { 'Content-Type': 'application/json' };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  // The contract's answer or problem document: each scenario asserts on the members it is about.
  // biome-ignore lint/suspicious/noExplicitAny: reason above
  readonly json: any;
}

async function open(api: 'http' | 'rest') {
  const customer = await startApi(authorities);
  const shelf = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
  shelf.put('platform', 'v1', documentOf(newClient(authorities), [destinationAt(customer, authorities)]));
  const lines: string[] = [];
  const telemetry = { write: (line: string) => lines.push(line) };
  const lookup = async () => [{ address: '127.0.0.1' }];
  const services = openServices({ telemetry, source: shelf, ttlMs: 60_000, lookup });
  onTestFinished(() => services.close());
  const settings = { docsUrl: 'https://docs.example/' };
  const functions = {
    [routes.invocations]: apiHandler({ ...settings, routeKeepsDeadline: true }, invocationRoute(services)),
    [routes.certificate]: apiHandler(settings, certificateRoute({ telemetry, source: shelf })),
    [routes.health]: apiHandler(settings, async () => jsonResponse('{"status":"ok"}')),
  };
  const gateway = await gatewayWith(
    api,
    Object.fromEntries(Object.entries(functions).map(([route, handler]) => [route, { name: route, handler }])),
  );
  return {
    ask: (method: string, path: string, headers: Headers, body?: string | Buffer) =>
      ask(gateway.url + path, method, headers, body),
    lines: () => lines.map((line) => JSON.parse(line)),
    url: `https://api.acme.example:${customer.port}/accounts`,
  };
}

type Headers = Readonly<Record<string, string | string[]>>;

async function gatewayWith(
  api: 'http' | 'rest',
  functions: Readonly<Record<string, LocalFunction>>,
  options: Partial<GatewayOptions> = {},
): Promise<Gateway> {
  const gateway = await startGateway({ functions, port: 0, api, ...options });
  onTestFinished(() => gateway.close());
  return gateway;
}

async function ask(url: string, method: string, headers: Headers, body?: string | Buffer): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  httpRequest(url, { method, headers, agent: false }, resolve).once('error', reject).end(body);
  const response = await promise;
  const received = await text(response);
  const isJson = /json/.test(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: received,
    json: isJson ? JSON.parse(received) : undefined,
  };
}

describe.each(['http', 'rest'] as const)('behind the API %s', (api) => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeEach(async () => {
    opened = await open(api);
  });

  it('a request reaches the API of the customer, and its response comes back', async () => {
    const { ask, url } = opened;
    const answer = await ask('POST', invocations, json, JSON.stringify({ url, method: 'POST', json: { a: 'é' } }));
    expect(answer).toMatchObject({ status: 200, json: { status: 200, bodyEncoding: 'utf8' } });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const id = answer.headers[api === 'http' ? 'apigw-requestid' : 'x-amzn-requestid'];
    expect(answer.headers['x-request-id']).toBe(id);
    expect(opened.lines()).toMatchObject([{ requestId: id, identity: 'platform' }]);
  });

  it.each([[{}], [{ 'Content-Type': 'application/octet-stream' }], [{ 'content-TYPE': 'text/plain' }]])(
    'a body is read whatever its type is: %j',
    async (headers) => {
      const { ask, url } = opened;
      const answer = await ask('POST', invocations, headers, Buffer.from(JSON.stringify({ url })));
      expect(answer).toMatchObject({ status: 200, json: { status: 200 } });
    },
  );

  it('a request without a body is refused with a problem document', async () => {
    const answer = await opened.ask('POST', invocations, json);
    expect(answer).toMatchObject({ status: 400, json: { code: 'invalid-request' } });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json.requestId).toBe(answer.headers['x-request-id']);
  });

  it('a failed call is a problem document with the status of its code', async () => {
    const url = 'https://other.example/';
    const answer = await opened.ask('POST', invocations, json, JSON.stringify({ url }));
    expect(answer).toMatchObject({ status: 403, json: { code: 'destination-forbidden' } });
    const missing = await opened.ask('POST', '/v1/identities/acme/invocations', json, JSON.stringify({ url }));
    expect(missing).toMatchObject({ status: 404, json: { code: 'identity-not-found' } });
  });

  it.each([
    [{ accept: 'application/x-pem-file' }, 'application/x-pem-file'],
    [{ ACCEPT: 'application/x-pem-file' }, 'application/x-pem-file'],
    [{ Accept: ['application/x-pem-file', 'text/plain'] }, 'application/x-pem-file'],
    [{ 'X-Accept': 'application/x-pem-file' }, 'application/json'],
  ])('header names have no case, and a repeated header counts as a whole: %j', async (headers, type) => {
    const answer = await opened.ask('GET', certificate, headers);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe(type);
  });

  it.each([
    ['?stage=current', 200, undefined],
    ['?stage=c%75rrent&other=1', 200, undefined],
    ['?stage=previous', 404, 'identity-not-found'],
    ['?stage=current&stage=previous', 400, 'invalid-request'],
    ['?stage=', 400, 'invalid-request'],
  ])(
    'a query is decoded, and a repeated parameter is not taken for its last value: %s',
    async (query, status, code) => {
      const answer = await opened.ask('GET', certificate + query, {});
      expect(answer.status).toBe(status);
      expect(answer.json.code).toBe(code);
    },
  );

  it.each([
    ['%70latform', 200, undefined],
    ['plat%66orm', 200, undefined],
    ['%2570latform', 404, 'identity-not-found'],
    ['a%2Fb', 404, 'identity-not-found'],
    ['..%2Fplatform', 404, 'identity-not-found'],
    ['PLATFORM', 404, 'identity-not-found'],
    ['platform%00', 404, 'identity-not-found'],
  ])('the identity of the path is decoded once: %s', async (identity, status, code) => {
    const answer = await opened.ask('GET', `/v1/identities/${identity}/certificate`, {});
    expect(answer.status).toBe(status);
    expect(answer.json.code).toBe(code);
  });

  it('the line of a call has the ARN that signed, and none without a signature', async () => {
    const { ask, url, lines } = opened;
    const body = JSON.stringify({ url });
    const authorization =
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261201/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=0';
    await ask('POST', invocations, { ...json, Authorization: authorization }, body);
    await ask('POST', invocations, { ...json, Authorization: 'Bearer x' }, body);
    expect(lines().map(({ caller }) => caller)).toEqual(['arn:aws:iam::000000000000:user/local', undefined]);
  });

  it('health needs nothing', async () => {
    expect(await opened.ask('GET', '/v1/health', {})).toMatchObject({ status: 200, body: '{"status":"ok"}' });
  });
});

describe('the gateway itself answers', () => {
  const answers = {
    http: {
      unknown: [404, 'Not Found'],
      failed: [500, 'Internal Server Error'],
      late: [503, 'Service Unavailable'],
      large: [413, 'Request Entity Too Large'],
    },
    rest: {
      unknown: [403, 'Missing Authentication Token'],
      failed: [502, 'Internal server error'],
      late: [504, 'Endpoint request timed out'],
      large: [413, 'Request Too Long'],
    },
  } as const;
  const path = '/v1/things/a';

  async function answerOf(api: 'http' | 'rest', handler: LocalFunction['handler'], target = path, body = '') {
    const functions = { 'POST /v1/things/{thing}': { name: 'under-test', handler } };
    const gateway = await gatewayWith(api, functions, { integrationTimeoutMs: 1_000 });
    const { status, json } = await ask(gateway.url + target, 'POST', { 'content-type': 'application/json' }, body);
    return [status, json.message];
  }

  it.each(['http', 'rest'] as const)('for %s', async (api) => {
    const expected = answers[api];
    const never = () => {
      throw new Error('No call was expected.');
    };
    expect(await answerOf(api, never, '/v1/other')).toEqual(expected.unknown);
    expect(await answerOf(api, never)).toEqual(expected.failed);
    expect(await answerOf(api, async () => ({ statusCode: 99 }))).toEqual(expected.failed);
    expect(await answerOf(api, () => new Promise(() => undefined))).toEqual(expected.late);
    expect(await answerOf(api, never, path, 'x'.repeat(7_000_000))).toEqual(expected.large);
  });

  it('403 for a path outside the stage of a REST API', async () => {
    const functions = { 'GET /v1/health': { name: 'under-test', handler: () => ({ statusCode: 200 }) } };
    const gateway = await gatewayWith('rest', functions);
    const { origin, pathname } = new URL(gateway.url);
    expect(pathname).toBe('/live');
    expect((await ask(`${origin}/v1/health`, 'GET', {})).status).toBe(403);
    expect((await ask(`${origin}/live2/v1/health`, 'GET', {})).status).toBe(403);
    expect((await ask(`${origin}/live/v1/health`, 'GET', {})).status).toBe(200);
  });

  it.each([[{ body: '{}' }], ['text'], [{ statusCode: 200, cookies: ['a=1'] }], [{ statusCode: 200, body: {} }]])(
    '502 for a result that a REST API does not take: %j',
    async (result) => {
      expect(await answerOf('rest', () => result)).toEqual([502, 'Internal server error']);
    },
  );
});
