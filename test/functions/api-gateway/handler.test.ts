// What every door does around its story: the request id, the headers of each answer, failures as problem documents.
import { describe, expect, it } from 'vitest';
import type { ApiRoute } from '../../../core/api.ts';
import { CountersignError, type ErrorCode, errorTable } from '../../../core/errors.ts';
import { apiHandler } from '../../../functions/api-gateway/handler.ts';
import { invocationEvent, lambdaContext } from '../../support/http/api-events.ts';

const docsUrl = 'https://docs.example/countersign/';
const fine: ApiRoute = async () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'fine' });

describe('a response', () => {
  it('has the request id and cannot be cached', async () => {
    expect(await apiHandler({ docsUrl }, fine)(invocationEvent({}), lambdaContext())).toEqual({
      statusCode: 200,
      headers: {
        'content-type': 'text/plain',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-request-id': 'JKJaXmPLvHcESHA=',
      },
      body: 'fine',
    });
  });

  it.each([undefined, '', 5, 'a\r\nset-cookie: b', 'a b', 'x'.repeat(129)])(
    'has the id of Lambda, or a new one, if that of the event is %j',
    async (requestId) => {
      const seen: string[] = [];
      const door = apiHandler({ docsUrl }, async ({ requestId: seenId }) => {
        seen.push(seenId);
        return { status: 200, headers: {}, body: '' };
      });
      const { requestContext } = invocationEvent({});
      const context = lambdaContext();
      const first = await door({ requestContext: { ...requestContext, requestId } }, context);
      expect(first.headers?.['x-request-id']).toBe(context.awsRequestId);
      context.awsRequestId = '';
      const second = await door({ requestContext: { ...requestContext, requestId } }, context);
      expect(second.headers?.['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(seen).toEqual([first.headers?.['x-request-id'], second.headers?.['x-request-id']]);
    },
  );
});

describe('a failure', () => {
  it.each(Object.keys(errorTable) as ErrorCode[])('%s is a problem document', async (code) => {
    const door = apiHandler({ docsUrl }, async () => {
      throw new CountersignError(code, 'It happened.', {
        evidence: { alert: 'unknown_ca' },
        cause: new Error('inside'),
      });
    });
    const answer = await door(invocationEvent({}), lambdaContext());
    const entry = errorTable[code];
    expect(answer.statusCode).toBe(entry.status);
    expect(answer.headers).toEqual({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'JKJaXmPLvHcESHA=',
      ...(entry.status === 503 ? { 'retry-after': '5' } : {}),
    });
    expect(JSON.parse(answer.body ?? '')).toEqual({
      type: `${docsUrl}errors.md#${code}`,
      ...entry,
      code,
      detail: 'It happened.',
      evidence: { alert: 'unknown_ca' },
      requestId: 'JKJaXmPLvHcESHA=',
    });
  });

  it.each([new Error('secret'), 'secret', undefined, null, { secret: 1 }])(
    'an unexpected error reveals nothing: %s',
    async (thrown) => {
      const told: CountersignError[] = [];
      const door = apiHandler({ docsUrl, onInternalError: (error) => told.push(error) }, async () => {
        throw thrown;
      });
      const answer = await door(invocationEvent({}), lambdaContext());
      expect(answer.statusCode).toBe(500);
      expect(answer.body).not.toContain('secret');
      expect(told.map((error) => error.cause)).toEqual([thrown]);
    },
  );

  it('is returned before the function times out, if the use case misses its deadline', async () => {
    const told: string[] = [];
    const door = apiHandler({ docsUrl, onInternalError: (error, id) => told.push(`${id} ${error.message}`) }, () => {
      return new Promise(() => {});
    });
    const answer = await door(invocationEvent({}), lambdaContext(1));
    expect(JSON.parse(answer.body ?? '')).toMatchObject({
      code: 'internal-error',
      detail: 'The function ran out of time.',
    });
    expect(told).toEqual(['JKJaXmPLvHcESHA= The function ran out of time.']);
  });
});

describe('an event that is not from an HTTP API', () => {
  const events: unknown[] = [undefined, null, 5, 'x', [], {}, { requestContext: null }, { requestContext: [] }, true];

  it.each(events)('is a 400: %j', async (event) => {
    let called = false;
    const door = apiHandler({ docsUrl }, async () => {
      called = true;
      return { status: 200, headers: {}, body: '' };
    });
    const answer = await door(event, lambdaContext());
    expect(JSON.parse(answer.body ?? '')).toMatchObject({ code: 'invalid-request', status: 400 });
    expect(called).toBe(false);
  });
});
