// What a function returns becomes the HTTP answer that API Gateway would make of it.
import { describe, expect, it } from 'vitest';
import { toHttpAnswer } from '../../../local/gateway/event.ts';

function answerTo(result: unknown) {
  const { status, headers, body } = toHttpAnswer(JSON.stringify(result));
  return { status, headers, body: body.toString() };
}

const refused = {
  status: 500,
  headers: ['content-type', 'application/json'],
  body: '{"message":"Internal Server Error"}',
};

describe('the answer of payload format 2.0', () => {
  it('is 200 and JSON for a result without statusCode', () => {
    expect(answerTo({ ok: true })).toEqual({
      status: 200,
      headers: ['content-type', 'application/json'],
      body: '{"ok":true}',
    });
    expect(answerTo('Hello from Lambda!').body).toBe('Hello from Lambda!');
    expect(answerTo(null).body).toBe('null');
    expect(answerTo([1]).body).toBe('[1]');
  });

  it('has the status, headers, cookies and decoded body of a structured result', () => {
    const body = Buffer.from([0, 255, 10]);
    const {
      status,
      headers,
      body: sent,
    } = toHttpAnswer(
      JSON.stringify({
        statusCode: 201,
        headers: { 'X-Count': 3, 'x-ok': true, 'Content-Type': 'image/png', 'Content-Length': 9, Connection: 'close' },
        cookies: ['a=1; Secure', 'b=2'],
        body: body.toString('base64'),
        isBase64Encoded: true,
      }),
    );
    expect(status).toBe(201);
    expect(headers).toEqual(
      ['x-count', '3', 'x-ok', 'true', 'content-type', 'image/png'].concat([
        'set-cookie',
        'a=1; Secure',
        'set-cookie',
        'b=2',
      ]),
    );
    expect(sent).toEqual(body);
  });

  it('is plain text if a structured result has no content type, and has no type without a body', () => {
    expect(answerTo({ statusCode: 200, body: 'é' }).headers).toEqual(['content-type', 'text/plain;charset=UTF-8']);
    expect(answerTo({ statusCode: 204 })).toEqual({ status: 204, headers: [], body: '' });
  });

  it.each([
    [{ statusCode: 'many' }],
    [{ statusCode: 99 }],
    [{ statusCode: 101 }],
    [{ statusCode: 200, body: { not: 'text' } }],
    [{ statusCode: 200, headers: { 'bad name': 'x' } }],
    [{ statusCode: 200, headers: { split: 'a\r\nset-cookie: b' } }],
    [{ statusCode: 200, headers: { list: ['a'] } }],
    [{ statusCode: 200, cookies: 'a=1' }],
    [{ statusCode: 200, cookies: [1, { a: 1 }] }],
  ])('is 500 for %j', (result) => {
    expect(answerTo(result)).toEqual(refused);
  });
});
