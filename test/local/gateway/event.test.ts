// The event that a function is given locally is the event that API Gateway documents, field by field.
import { describe, expect, it } from 'vitest';
import { matchRoute } from '../../../listener/route.ts';
import { type ReceivedRequest, toEvent } from '../../../local/gateway/event.ts';

const request: ReceivedRequest = {
  method: 'POST',
  target: '/my/path?parameter1=value1&parameter1=value2&parameter2=value',
  httpVersion: '1.1',
  rawHeaders: [
    ...['Host', 'id.execute-api.us-east-1.amazonaws.com', 'User-Agent', 'agent', 'Content-Type', 'text/plain'],
    ...['Header1', 'value1', 'Header2', 'value1', 'HEADER2', 'value2', 'Cookie', 'cookie1; cookie2'],
    ...['Connection', 'keep-alive', 'X-Amzn-Trace-Id', 'Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e'],
  ],
  body: Buffer.from('Hello from Lambda'),
  sourceIp: '192.0.2.1',
  port: 443,
  receivedAt: new Date(1_583_348_638_390),
  requestId: 'id',
};
const route = { routeKey: 'POST /my/{parameter1}', pathParameters: { parameter1: 'path' } };

function eventFor(change: Partial<ReceivedRequest>) {
  return toEvent({ ...request, ...change }, { routeKey: 'GET /', pathParameters: undefined });
}

describe('the event of payload format 2.0', () => {
  it("equals AWS's documented example, where that page and the service agree", () => {
    expect(toEvent(request, route)).toEqual({
      version: '2.0',
      routeKey: 'POST /my/{parameter1}',
      rawPath: '/my/path',
      rawQueryString: 'parameter1=value1&parameter1=value2&parameter2=value',
      cookies: ['cookie1', 'cookie2'],
      headers: {
        'content-length': '17',
        'content-type': 'text/plain',
        header1: 'value1',
        header2: 'value1,value2',
        host: 'id.execute-api.us-east-1.amazonaws.com',
        'user-agent': 'agent',
        'x-amzn-trace-id': 'Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e',
        'x-forwarded-for': '192.0.2.1',
        'x-forwarded-port': '443',
        'x-forwarded-proto': 'http',
      },
      queryStringParameters: { parameter1: 'value1,value2', parameter2: 'value' },
      requestContext: {
        accountId: '000000000000',
        apiId: 'local',
        domainName: 'id.execute-api.us-east-1.amazonaws.com',
        domainPrefix: 'id',
        http: {
          method: 'POST',
          path: '/my/path',
          protocol: 'HTTP/1.1',
          sourceIp: '192.0.2.1',
          userAgent: 'agent',
        },
        requestId: 'id',
        routeKey: 'POST /my/{parameter1}',
        stage: '$default',
        // The page says 12/Mar beside this timeEpoch, which is 04/Mar.
        time: '04/Mar/2020:19:03:58 +0000',
        timeEpoch: 1_583_348_638_390,
      },
      body: 'Hello from Lambda',
      pathParameters: { parameter1: 'path' },
      isBase64Encoded: false,
    });
  });

  it('leaves out absent members', () => {
    const event = eventFor({
      method: 'GET',
      target: '/',
      rawHeaders: ['Host', 'localhost:8080'],
      body: Buffer.alloc(0),
    });
    expect(Object.keys(event).sort()).toEqual(
      ['headers', 'isBase64Encoded', 'rawPath', 'rawQueryString', 'requestContext', 'routeKey', 'version'].sort(),
    );
    expect(event.rawQueryString).toBe('');
    expect(event.requestContext.domainName).toBe('localhost');
    expect(event.requestContext.http.userAgent).toBe('');
    expect(event.headers['content-length']).toBe('0');
    expect(event.headers['x-amzn-trace-id']).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
  });

  it.each([
    ['text/plain', false],
    ['text/csv; charset=utf-8', false],
    ['application/json', false],
    ['Application/JSON;charset=UTF-8', false],
    ['application/xml', false],
    ['application/javascript', false],
    ['application/problem+json', true],
    ['application/x-www-form-urlencoded', true],
    ['application/octet-stream', true],
    ['image/png', true],
    [undefined, true],
  ])('a body of type %s: base64 %s', (contentType, isBase64Encoded) => {
    const event = eventFor({ rawHeaders: contentType ? ['content-type', contentType] : [], body: Buffer.from('é') });
    expect(event).toMatchObject({ isBase64Encoded, body: isBase64Encoded ? 'w6k=' : 'é' });
  });

  it('decodes the path and the parameters, and leaves the query string as it was sent', () => {
    const event = eventFor({ target: '/a%20b?q=%2B+1&e=%C3%A9&flag&constructor=x' });
    expect(event.rawPath).toBe('/a b');
    expect(event.rawQueryString).toBe('q=%2B+1&e=%C3%A9&flag&constructor=x');
    expect(event.queryStringParameters).toEqual({ q: '+ 1', e: 'é', flag: '', constructor: 'x' });
  });

  it('appends the caller to x-forwarded-for and removes connection headers', () => {
    const { headers } = eventFor({
      rawHeaders: [
        'X-Forwarded-For',
        '198.51.100.7',
        'TE',
        'trailers',
        'Constructor',
        'a',
        'Transfer-Encoding',
        'chunked',
      ],
    });
    expect(headers['x-forwarded-for']).toBe('198.51.100.7, 192.0.2.1');
    expect(headers.constructor).toBe('a');
    expect(headers).not.toHaveProperty('te');
    expect(headers).not.toHaveProperty('transfer-encoding');
  });

  it('has the access key of a signed request, and no caller of an unsigned one', () => {
    const credential =
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/execute-api/aws4_request, Signature=0';
    const signed = eventFor({ rawHeaders: ['authorization', credential] });
    expect(signed.requestContext.authorizer?.iam).toMatchObject({ accessKey: 'AKIDEXAMPLE', cognitoIdentity: null });
    expect(eventFor({ rawHeaders: ['authorization', 'Bearer x'] }).requestContext).not.toHaveProperty('authorizer');
  });
});

describe('the routes', () => {
  const routes = ['POST /v1/identities/{identity}/invocations', 'GET /v1/health'];

  it.each([
    ['POST', '/v1/identities/platform/invocations', { identity: 'platform' }],
    ['POST', '/v1/identities/a%2Fb%20c/invocations', { identity: 'a/b c' }],
    ['GET', '/v1/health', undefined],
  ])('%s %s is a route', (method, path, pathParameters) => {
    expect(matchRoute(routes, method, path)).toEqual({ routeKey: expect.any(String), pathParameters });
  });

  it.each([
    ['GET', '/v1/identities/platform/invocations'],
    ['HEAD', '/v1/health'],
    ['GET', '/v1/health/'],
    ['GET', '/V1/health'],
    ['POST', '/v1/identities//invocations'],
    ['POST', '/v1/identities/a/b/invocations'],
    ['GET', '/'],
    ['GET', '*'],
  ])('%s %s has no route', (method, path) => {
    expect(matchRoute(routes, method, path)).toBeUndefined();
  });
});
