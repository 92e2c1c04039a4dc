// What an invocation request may say, field by field, and the words with which the rest is refused.
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { requireIdentityName } from '../../../core/identity/identity.ts';
import type { InvocationRequest } from '../../../core/invocation/request.ts';
import { readRequestHeaders } from '../../../core/invocation/request-headers.ts';
import { membersOf } from '../../../core/json-request.ts';
import { apiCall } from '../../../functions/api-gateway/event.ts';
import { invocationEvent, lambdaContext, parseEvent } from '../../support/http/api-events.ts';

const url = 'https://api.acme.example/v1/accounts?id=1';

function parse(body: unknown, remainingMs?: number): InvocationRequest {
  return parseEvent(invocationEvent(body), remainingMs);
}

const identityOf = (event: APIGatewayProxyEventV2) =>
  requireIdentityName(apiCall(event, lambdaContext(), 'request-1').identity);

function refusal(body: unknown): CountersignError {
  try {
    parse(body);
  } catch (error) {
    expect(error).toBeInstanceOf(CountersignError);
    expect((error as CountersignError).code).toBe('invalid-request');
    return error as CountersignError;
  }
  throw new Error('The request was accepted.');
}

describe('a request with only a URL', () => {
  it('is a GET with the defaults', () => {
    expect(parse({ url })).toEqual({
      identity: 'platform',
      url,
      method: 'GET',
      headers: ['accept-encoding', 'gzip, deflate, br, zstd', 'user-agent', 'countersign'],
      body: undefined,
      timeoutMs: 10_000,
      requireMutual: false,
      decodeContent: true,
    });
  });

  it.each([{}, { url: '' }, { url: null }, { url: 5 }, { url: [url] }])('is rejected without a url: %j', (body) => {
    expect(refusal(body).evidence).toEqual({ field: 'url' });
  });
});

describe('the method', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'X'.repeat(32)])(
    '%s is sent as written',
    (method) => expect(parse({ url, method }).method).toBe(method),
  );

  it('is GET by default, also with a body', () => {
    expect(parse({ url, body: 'x' }).method).toBe('GET');
  });

  it.each([
    '',
    'get',
    'Post',
    'GET ',
    'G ET',
    'GET\r\nX: y',
    'GÉT',
    'X'.repeat(33),
    'CONNECT',
    'TRACE',
    null,
    1,
    ['GET'],
  ])('%j is rejected', (method) => expect(refusal({ url, method }).evidence).toEqual({ field: 'method' }));
});

describe('the headers', () => {
  it('are kept in order and spelling, a list as one line for each value', () => {
    const headers = { Accept: 'application/json', 'x-tag': ['a', 'b'], 'X-Tag': 'c', __proto__: undefined };
    const text = JSON.stringify({ url, headers }).replace('"X-Tag"', '"__proto__":"d","X-Tag"');
    expect(parse(text).headers.slice(0, 10)).toEqual([
      ...['Accept', 'application/json', 'x-tag', 'a', 'x-tag', 'b', '__proto__', 'd', 'X-Tag', 'c'],
    ]);
  });

  it('can contain every byte that a field value can have', () => {
    const value = `x${String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code).filter(isFieldByte))}x`;
    expect(parse({ url, headers: { 'x-all': value } }).headers[1]).toBe(value);
    function isFieldByte(code: number): boolean {
      return code === 9 || (code >= 0x20 && code !== 0x7f);
    }
  });

  it('of the caller replace the defaults', () => {
    const request = parse({
      url,
      json: {},
      headers: { 'Accept-Encoding': 'identity', 'USER-AGENT': 'bot', 'Content-Type': 'application/vnd.acme+json' },
    });
    expect(request.headers).toHaveLength(6);
    expect(request.decodeContent).toBe(false);
  });

  it.each([
    ...[
      'Host',
      'content-length',
      'Transfer-Encoding',
      'connection',
      'Keep-Alive',
      'TE',
      'trailer',
      'Upgrade',
      'Expect',
    ],
    ...['Proxy-Authorization', 'proxy-connection', 'HTTP2-Settings'],
  ])('%s cannot be set by the caller', (name) => {
    expect(refusal({ url, headers: { [name]: 'x' } }).message).toContain(`"${name}"`);
  });

  it.each([...'()<>@,;:\\"/[]?={} \t\r\n\0\x7fé', '', 'a b', 'a\r\nb', ':path'])(
    'a name with %j is rejected',
    (character) => {
      refusal({ url, headers: { [character === '' ? '' : `x${character}`]: 'y' } });
    },
  );

  it.each(['Q\r\nb: c', 'Q\nb', 'Q\rb', 'Q\0b', 'Q\x7fb', 'Q\x1bb', 'Q€', ' Q', 'Q ', '\tQ'])(
    'the value %j is refused',
    (value) => {
      expect(refusal({ url, headers: { 'x-secret': value } }).message).not.toContain('Q');
      refusal({ url, headers: { 'x-secret': ['fine', value] } });
    },
  );

  it.each([null, 5, true, {}, [5], [['a']], [null]])('the value %j is refused', (value) => {
    refusal({ url, headers: { 'x-one': value } });
  });

  it.each([null, 'a: b', 5, [['a', 'b']]])('%j is not a set of headers', (headers) => {
    expect(refusal({ url, headers }).evidence).toEqual({ field: 'headers' });
  });

  it('are limited in number and in bytes', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'y']));
    expect(parse({ url, headers: many(100) }).headers).toHaveLength(204);
    refusal({ url, headers: many(101) });
    const sized = (bytes: number) => ({ 'x-long': 'y'.repeat(bytes - 'x-long'.length - 4) });
    expect(parse({ url, headers: sized(32_768) }).headers[1]).toHaveLength(32_758);
    refusal({ url, headers: sized(32_769) });
  });

  it('are rejected for their number before each is parsed', () => {
    const looked: string[] = [];
    const counted = <Value extends object>(value: Value) =>
      new Proxy(value, {
        get(target, key, receiver) {
          if (typeof key === 'string' && key !== 'length') looked.push(key);
          return Reflect.get(target, key, receiver);
        },
      });
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x-${at}`, 'y']));
    expect(() => readRequestHeaders(counted(many), { text: JSON.stringify(many), start: 0 })).toThrow('more than 100');
    expect(looked.splice(0)).toEqual([]);
    const list = { 'x-one': Array(5_000).fill('') };
    const values = { 'x-one': counted(list['x-one']) };
    expect(() => readRequestHeaders(values, { text: JSON.stringify(list), start: 0 })).toThrow('more than 100');
    expect(looked.length).toBeLessThan(105);
  });

  it('are searched in the text only up to their limit', () => {
    expect(membersOf('{"a":1,"b":2,"c":{}}', 0, 2).map(({ key }) => key)).toEqual(['a', 'b']);
    expect(refusal(`{"url":"${url}","headers":{${Array(5_000).fill('"a":"1"').join()}}}`).message).toContain('twice');
    expect(refusal(`{"url":"${url}",${Array(5_000).fill('"method":"GET"').join()}}`).message).toContain('twice');
  });

  it('are rejected if one is written twice', () => {
    expect(refusal(`{"url":"${url}","headers":{"a":"1","a":"2"}}`).message).toContain('twice');
    expect(refusal(`{"url":"${url}","headers":{"a":"1","\\u0061":"2"}}`).message).toContain('twice');
  });
});

describe('the body', () => {
  it.each([
    '{"id":12345678901234567890,"big":1e400,"zero":-0.0,"twice":1,"twice":2}',
    '{ "spaced" : [ 1 , 2 ] }',
    '"\\ud800 alone, \\u0041, \\"quoted\\" \\\\"',
    'null',
    'false',
    '-1.5e+10',
    '[]',
    '{"a":"}","b":["]",{"c":"\\\\"}]}',
  ])('as json is sent as it was written: %s', (source) => {
    for (const text of [
      `{"url":"${url}","json":${source}}`,
      `{"json":${source},"url":"${url}"}`,
      `{ "\\u006ason" :\t${source}\r\n, "url":"${url}" }`,
    ]) {
      const request = parse(text);
      expect(request.body?.toString()).toBe(source);
      expect(request.headers).toContain('application/json');
    }
  });

  it('as text is UTF-8, and an empty body differs from an absent one', () => {
    expect(parse({ url, body: 'grün €' }).body).toEqual(Buffer.from('grün €'));
    expect(parse({ url, body: '' }).body).toEqual(Buffer.alloc(0));
    expect(parse({ url, body: 'x' }).headers).not.toContain('content-type');
    expect(refusal(`{"url":"${url}","body":"\\ud800"}`).evidence).toEqual({ field: 'body' });
    refusal({ url, body: {} });
    refusal({ url, body: null });
  });

  it('as base64 can contain any byte, only in the canonical form', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(parse({ url, bodyBase64: bytes.toString('base64') }).body).toEqual(bytes);
    expect(parse({ url, bodyBase64: '' }).body).toEqual(Buffer.alloc(0));
  });

  it.each(['YQ', 'YQ=', 'YR==', 'Y Q==', 'YQ==\n', '-_-_', 'YQ==YQ==', '!', null, 5])(
    '%j is not base64',
    (bodyBase64) => {
      expect(refusal({ url, bodyBase64 }).evidence).toEqual({ field: 'bodyBase64' });
    },
  );

  it('is given in one form only', () => {
    refusal({ url, json: null, body: '' });
    refusal({ url, json: null, bodyBase64: '' });
    refusal({ url, body: '', bodyBase64: '' });
  });
});

describe('timeoutMs', () => {
  it.each([1, 28_000])('can be %d', (timeoutMs) => expect(parse({ url, timeoutMs }).timeoutMs).toBe(timeoutMs));

  it.each([0, -1, 28_001, 1.5, '5', null, true, [5]])('cannot be %j', (timeoutMs) => {
    expect(refusal({ url, timeoutMs }).evidence).toEqual({ field: 'timeoutMs' });
  });

  it('never exceeds the remaining time of the function minus the time for the response', () => {
    expect(parse({ url, timeoutMs: 20_000 }, 8_000.7).timeoutMs).toBe(7_500);
    expect(parse({ url }, 60_000).timeoutMs).toBe(10_000);
    expect(parse({ url }, 100).timeoutMs).toBe(1);
  });
});

describe('the request as a whole', () => {
  it('has no other field: a misspelled one is rejected', () => {
    expect(refusal({ url, requireMutal: true }).message).toBe('There is no field "requireMutal".');
    refusal(`{"url":"${url}","__proto__":{"requireMutual":true}}`);
    refusal(`{"url":"${url}","constructor":1}`);
  });

  it('has no duplicate field', () => {
    expect(refusal(`{"url":"https://a.example","url":"${url}"}`).message).toContain('"url" stands twice');
    refusal(`{"url":"${url}","requireMutual":true,"requireMutual":false}`);
  });

  it.each(['true', 1, 'yes', null, 0])('requireMutual is not %j', (requireMutual) => {
    expect(refusal({ url, requireMutual }).evidence).toEqual({ field: 'requireMutual' });
  });

  it.each(['', '{', '[]', 'null', '5', '"x"', `{"url":"${url}"} x`, '\ufeff{}', '{"url":\u00a0""}'])(
    '%j is not a request',
    (text) => {
      expect(refusal(text).evidence).toEqual({ field: 'body' });
    },
  );

  it('is never quoted when it is not JSON', () => {
    const error = refusal('{"url":"https://a.example","body":"secret-value" oops}');
    expect(`${error.message}${String(error.cause)}${JSON.stringify(error)}`).not.toMatch(/secret-value|oops/);
    expect(error.message).toMatch(/character \d+/);
  });

  it('can be nested deeply if it is small', () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    expect(parse(`{"url":"${url}","json":${deep}}`).body).toHaveLength(60_000);
  });

  it.each([
    ['[', ']'],
    ['{"a":', '}'],
  ])('is nested at most 1,000 deep if it is large: %j', (open, close) => {
    // Brackets in a string, behind an escaped quote too, are no nesting.
    const large = `"x":${JSON.stringify('["'.repeat(40_000))}`;
    const nested = (deep: number) => `${open.repeat(deep - 1)}1${close.repeat(deep - 1)}`;
    expect(parse(`{"url":"${url}","json":{${large},"y":${nested(999)}}}`).body?.length).toBeGreaterThan(80_000);
    const error = refusal(`{"url":"${url}","json":{${large},"y":${nested(1_000)}}}`);
    expect(error.message).toBe('The request body is large and nested more than 1000 deep.');
    expect(error.evidence).toEqual({ field: 'body' });
  });

  it.each(['['.repeat(70_000), `{"a":"${'['.repeat(70_000)}`, `"${'\\\\'.repeat(70_000)}\\"`])(
    'that is truncated is rejected: %#',
    (text) => expect(refusal(text).evidence).toEqual({ field: 'body' }),
  );

  it('can arrive as base64, and must be UTF-8', () => {
    const encoded = (bytes: Buffer) => invocationEvent(bytes.toString('base64'), { isBase64Encoded: true });
    expect(parseEvent(encoded(Buffer.from(`{"url":"${url}","body":"ü"}`))).body?.toString()).toBe('ü');
    expect(() => parseEvent(encoded(Buffer.from(`{"url":"${url}","body":"\xfc"}`, 'latin1')))).toThrow('not UTF-8');
    refusal(`{"url":"${url}","body":"\ud800"}`);
  });
});

describe('the identity', () => {
  it('is in the path', () => {
    expect(identityOf(invocationEvent({ url }))).toBe('platform');
    expect(() => identityOf(invocationEvent({ url }, { pathParameters: { identity: '../x' } }))).toThrow(
      expect.objectContaining({ code: 'identity-not-found' }),
    );
    for (const pathParameters of [undefined, {}, { id: 'platform' }]) {
      const event = { ...invocationEvent({ url }), pathParameters } as ReturnType<typeof invocationEvent>;
      expect(() => identityOf(event)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
    }
  });
});
