// The invocation answer: which headers it carries, when a body is text, and that it always fits through Lambda.
import { describe, expect, it } from 'vitest';
import {
  answerHeaders,
  encodeBody,
  type InvocationResult,
  invocationResponse,
} from '../../../core/invocation/answer.ts';
import { limits } from '../../../core/settings.ts';

/** AWS: Lambda quotas, invocation payload, 6 MB each for request and response; what it enforces is 6,291,556 bytes. */
const lambdaAnswerBytes = limits.maxEventBytes;

describe('the headers of an answer', () => {
  it('are in lower case, repeated ones as a list', () => {
    const raw = [
      'Content-Type',
      'text/plain',
      'Set-Cookie',
      'a=1',
      'set-cookie',
      'b=2',
      'SET-COOKIE',
      'c=3',
      'X-Empty',
      '',
    ];
    expect({ ...answerHeaders(raw, false) }).toEqual({
      'content-type': 'text/plain',
      'set-cookie': ['a=1', 'b=2', 'c=3'],
      'x-empty': '',
    });
  });

  it('leave out hop-by-hop headers', () => {
    const raw = [
      ...[
        'Connection',
        'keep-alive, X-Hop',
        'connection',
        'x-other',
        'Keep-Alive',
        'timeout=5',
        'X-Hop',
        '1',
        'x-other',
        '2',
      ],
      ...[
        'Transfer-Encoding',
        'chunked',
        'Trailer',
        'x-sum',
        'Upgrade',
        'h2c',
        'Proxy-Authenticate',
        'Basic',
        'TE',
        'x',
      ],
      ...['Date', 'today'],
    ];
    expect({ ...answerHeaders(raw, false) }).toEqual({ date: 'today' });
  });

  it('describe the returned bytes', () => {
    const raw = ['Content-Encoding', 'gzip', 'Content-Length', '20', 'ETag', '"x"'];
    expect({ ...answerHeaders(raw, true) }).toEqual({ etag: '"x"' });
    expect({ ...answerHeaders(raw, false) }).toEqual({
      'content-encoding': 'gzip',
      'content-length': '20',
      etag: '"x"',
    });
  });

  it('can have any name', () => {
    const raw = ['__proto__', 'a', 'constructor', 'b', '__PROTO__', 'c', 'toString', 'd'];
    const text = JSON.stringify(answerHeaders(raw, false));
    expect(text).toBe('{"__proto__":["a","c"],"constructor":"b","tostring":"d"}');
  });
});

describe('the encoding of a body', () => {
  const latin = Buffer.from('grün', 'latin1');
  const utf8 = Buffer.from('grün €');

  it.each([
    [utf8, undefined, 'utf8'],
    [utf8, 'text/plain', 'utf8'],
    [utf8, 'application/json; charset=UTF-8', 'utf8'],
    [utf8, 'text/html;Charset="utf8"', 'utf8'],
    [utf8, 'text/plain; charset=iso-8859-1', 'base64'],
    [latin, 'text/plain; charset=iso-8859-1', 'base64'],
    [latin, undefined, 'base64'],
    [Buffer.from('green'), 'text/plain; charset=ISO-8859-1', 'utf8'],
    [Buffer.from('green'), 'text/plain; charset=windows-1252', 'utf8'],
    [Buffer.from('green', 'utf16le'), 'text/plain; charset=utf-16le', 'base64'],
    [Buffer.from('green'), 'text/plain; charset=utf-7', 'base64'],
    [Buffer.from([0xed, 0xa0, 0x80]), undefined, 'base64'],
    [Buffer.from([0xc0, 0x80]), undefined, 'base64'],
    [Buffer.from('\ufeff{}'), 'application/json', 'utf8'],
    [Buffer.from('\0'), undefined, 'utf8'],
    [Buffer.alloc(0), 'image/png', 'utf8'],
    [Buffer.from([0x89, 0x50, 0x4e, 0x47]), 'image/png', 'base64'],
  ])('%o as %s is %s, and decodes to the same bytes', (bytes, contentType, encoding) => {
    const { body, bodyEncoding } = encodeBody(bytes, contentType);
    expect(bodyEncoding).toBe(encoding);
    expect(Buffer.from(body, bodyEncoding)).toEqual(bytes);
  });
});

describe('an answer of the largest size', () => {
  const size = limits.maxAnswerBytes;
  const bodies: Readonly<Record<string, [Buffer, 'utf8' | 'base64']>> = {
    letters: [Buffer.alloc(size, 'a'), 'utf8'],
    noise: [Buffer.alloc(size, 0xff), 'base64'],
    'control characters': [Buffer.alloc(size, 1), 'base64'],
    'line feeds': [Buffer.alloc(size, '\n'), 'base64'],
    quotes: [Buffer.alloc(size, '"'), 'base64'],
    backslashes: [Buffer.alloc(size, '\\'), 'base64'],
    'three-byte characters': [Buffer.alloc(size, '€'), 'utf8'],
    JSON: [Buffer.alloc(size, '{"id":1,"name":"Example"},'), 'base64'],
    'prose with some quotes': [Buffer.alloc(size, `${'word '.repeat(20)}"quoted"\n`), 'utf8'],
    'as many quotes as just fit': [
      Buffer.concat([Buffer.alloc(500_000, '"'), Buffer.alloc(size - 500_000, 'a')]),
      'utf8',
    ],
    'one quote too many': [Buffer.concat([Buffer.alloc(500_001, '"'), Buffer.alloc(size - 500_001, 'a')]), 'base64'],
  };

  it.each(Object.keys(bodies))('of %s fits through Lambda with the largest headers', (name) => {
    const [bytes, encoding] = bodies[name] as [Buffer, string];
    const encoded = encodeBody(bytes, undefined);
    expect(encoded.bodyEncoding).toBe(encoding);
    const answer: InvocationResult = {
      status: 200,
      // The connection takes a head of 64 KB at most; quotes grow most.
      headers: { 'x-large': '"'.repeat(64 * 1024) },
      ...encoded,
      handshake: {
        protocol: 'TLSv1.3',
        cipher: 'TLS_AES_128_GCM_SHA256',
        connection: 'new',
        server: {
          subject: 'CN=x'.repeat(250),
          issuer: 'CN=y'.repeat(250),
          fingerprint256: 'AA:'.repeat(32),
          validTo: '',
        },
        clientCertificateRequested: 'unknown',
        client: { fingerprint256: 'AA:'.repeat(32), validTo: '', version: 'v'.repeat(64), stage: 'AWSCURRENT' },
      },
      timings: { identityMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, firstByteMs: 0, totalMs: 0 },
    };
    expect(Buffer.byteLength(JSON.stringify(invocationResponse(answer)))).toBeLessThan(lambdaAnswerBytes);
  });

  it('has the exact size of JSON inside JSON', () => {
    // 900,000 bytes are past where everything fits, so the count decides; each character alone is on one side of it.
    for (let code = 0; code < 128; code++) {
      const character = String.fromCharCode(code);
      const takes = JSON.stringify(JSON.stringify(character)).length - 6;
      const most = Math.floor(6_000_000 / takes);
      if (most > size) continue;
      expect(encodeBody(Buffer.alloc(most, character), undefined).bodyEncoding).toBe('utf8');
      expect(encodeBody(Buffer.alloc(most + 1, character), undefined).bodyEncoding).toBe('base64');
    }
  });
});
