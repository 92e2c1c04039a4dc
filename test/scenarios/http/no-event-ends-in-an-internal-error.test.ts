// Property: whatever JSON arrives as an event or as a request, the door answers, and never with internal-error.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requireIdentityName } from '../../../core/identity/identity.ts';
import { parseInvocationRequest } from '../../../core/invocation/request.ts';
import { bodyText } from '../../../core/json-request.ts';
import { apiHandler } from '../../../functions/api-gateway/handler.ts';
import { invocationEvent, lambdaContext } from '../../support/http/api-events.ts';

const unforeseen: unknown[] = [];
const door = apiHandler(
  { docsUrl: 'https://docs.example/', onInternalError: (error) => unforeseen.push(error.cause ?? error) },
  async ({ identity, body, remainingMs }) => {
    const request = parseInvocationRequest(requireIdentityName(identity), bodyText(body), remainingMs);
    return { status: 200, headers: {}, body: request.method };
  },
);

async function answerTo(event: unknown): Promise<void> {
  // As it arrives: through JSON, which is where a member named __proto__ becomes one of the object's own.
  const answer = await door(JSON.parse(JSON.stringify(event ?? null)), lambdaContext());
  expect(unforeseen).toEqual([]);
  expect([200, 400, 404]).toContain(answer.statusCode);
  expect(answer.headers?.['x-request-id']).toMatch(/^[\x21-\x7e]{1,128}$/);
  if (answer.statusCode !== 200) expect(JSON.parse(answer.body ?? '')).toHaveProperty('code');
}

const valid = {
  url: 'https://api.acme.example/v1/accounts?id=1',
  method: 'POST',
  headers: { accept: 'application/json', 'x-tag': ['a', 'b'] },
  json: { a: [1, { b: null }], c: 'd' },
  timeoutMs: 10_000,
  requireMutual: true,
};
const fieldNames = [...Object.keys(valid), 'body', 'bodyBase64', '__proto__', 'toString', 'x'];
const anyText = fc.string({ unit: 'binary', maxLength: 40 });
const anyValue = fc.oneof(
  fc.jsonValue({ stringUnit: 'binary' }),
  anyText,
  fc.array(anyText),
  fc.dictionary(anyText, anyText),
);

describe('no internal error is caused by', () => {
  it('the request that the changes start from', async () => {
    const answer = await door(invocationEvent(valid), lambdaContext());
    expect(answer).toMatchObject({ statusCode: 200, body: 'POST' });
  });

  it('any JSON value as an event', async () => {
    await fc.assert(fc.asyncProperty(anyValue, answerTo), { numRuns: 500 });
  });

  it('an event with any part replaced', async () => {
    const parts = [
      'requestContext',
      'pathParameters',
      'body',
      'isBase64Encoded',
      'headers',
      'version',
      'rawPath',
    ] as const;
    const change = fc.dictionary(fc.constantFrom(...parts), anyValue);
    await fc.assert(
      fc.asyncProperty(change, (changes) => answerTo({ ...invocationEvent(valid), ...changes })),
      { numRuns: 500 },
    );
  });

  it('an event of a REST API with any part replaced', async () => {
    const parts = ['requestContext', 'pathParameters', 'multiValueHeaders', 'multiValueQueryStringParameters', 'body'];
    const event = { httpMethod: 'POST', pathParameters: { identity: 'platform' }, requestContext: {}, body: '{}' };
    const change = fc.dictionary(fc.constantFrom(...parts), anyValue);
    await fc.assert(
      fc.asyncProperty(change, (changes) => answerTo({ ...event, ...changes })),
      { numRuns: 500 },
    );
  });

  it('any text and any bytes as a body', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, fc.boolean(), (body, isBase64Encoded) =>
        answerTo({ ...invocationEvent(valid), body, isBase64Encoded }),
      ),
      { numRuns: 500 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), (bytes) =>
        answerTo(invocationEvent(Buffer.from(bytes).toString('base64'), { isBase64Encoded: true })),
      ),
      { numRuns: 200 },
    );
  });

  it('a request with any fields replaced or added', async () => {
    const change = fc.dictionary(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...fieldNames) }, anyText), anyValue);
    await fc.assert(
      fc.asyncProperty(change, fc.boolean(), (changes, onTop) =>
        answerTo(invocationEvent(onTop ? { ...valid, ...changes } : { url: valid.url, ...changes })),
      ),
      { numRuns: 1000 },
    );
  });

  it('a request with a piece of its text cut out or pasted in', async () => {
    const text = JSON.stringify(valid);
    const position = fc.nat({ max: text.length });
    const paste = fc.oneof(anyText, fc.constantFrom('"', '\\', '{', '}', ',', ':', '"url":1,', '\ud800', '[['));
    await fc.assert(
      fc.asyncProperty(position, fc.nat({ max: 5 }), paste, (at, cut, piece) =>
        answerTo(invocationEvent(text.slice(0, at) + piece + text.slice(at + cut))),
      ),
      { numRuns: 1000 },
    );
  });
});
