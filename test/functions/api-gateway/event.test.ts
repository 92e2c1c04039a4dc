// Both formats of an event become the same call: names of any case, repeated values, encoded paths, bodies, the caller.
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { apiCall } from '../../../functions/api-gateway/event.ts';
import { invocationEvent, lambdaContext } from '../../support/http/api-events.ts';

/** Of a REST API; AWS documents the members in "Input format of a Lambda function for proxy integration". */
function restEvent(changes: Readonly<Record<string, unknown>> = {}): APIGatewayProxyEvent {
  return {
    resource: '/v1/identities/{identity}/certificate',
    path: '/v1/identities/platform/certificate',
    httpMethod: 'GET',
    headers: { Accept: 'application/json', Host: 'api.example' },
    multiValueHeaders: { Accept: ['application/json'], Host: ['api.example'] },
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: { identity: 'platform' },
    stageVariables: null,
    requestContext: {
      accountId: '123456789012',
      identity: { userArn: 'arn:aws:sts::123456789012:assumed-role/bots/session' },
      path: '/live/v1/identities/platform/certificate',
      requestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
      stage: 'live',
    },
    body: null,
    isBase64Encoded: false,
    ...changes,
  } as unknown as APIGatewayProxyEvent;
}

const callOf = (event: Parameters<typeof apiCall>[0]) => apiCall(event, lambdaContext(), 'request-1');

describe('an event of a REST API', () => {
  it('is a call', () => {
    expect(callOf(restEvent())).toEqual({
      requestId: 'request-1',
      caller: 'arn:aws:sts::123456789012:assumed-role/bots/session',
      identity: 'platform',
      body: undefined,
      stage: undefined,
      accept: 'application/json',
      startedAt: expect.any(Number),
      remainingMs: 29_000,
    });
  });

  it.each([
    [{ accept: ['a/b'] }, 'a/b'],
    [{ ACCEPT: ['a/b', 'c/d'] }, 'a/b,c/d'],
    [{ Accept: ['a/b'], accept: ['c/d'] }, 'a/b,c/d'],
    [{ 'x-accept': ['a/b'] }, undefined],
    [{ Accept: [1, null] }, undefined],
    [{ Accept: 'a/b' }, 'a/b'],
    [null, undefined],
    ['accept', undefined],
  ])('has the header of %j', (multiValueHeaders, accept) => {
    expect(callOf(restEvent({ multiValueHeaders })).accept).toBe(accept);
  });

  it.each([
    [{ stage: ['previous'] }, 'previous'],
    [{ stage: ['pending', 'previous'] }, 'pending,previous'],
    [{ Stage: ['previous'] }, undefined],
    [{}, undefined],
    [null, undefined],
  ])('has the stage of %j', (multiValueQueryStringParameters, stage) => {
    expect(callOf(restEvent({ multiValueQueryStringParameters })).stage).toBe(stage);
  });

  it.each([
    ['acme-bank', 'acme-bank'],
    ['%70latform', 'platform'],
    ['a%2Fb', 'a/b'],
    ['a%252Fb', 'a%2Fb'],
    ['%E0%A4%A', '%E0%A4%A'],
    ['100%', '100%'],
    [7, undefined],
  ])('has the identity of the path %j, decoded once', (identity, expected) => {
    expect(callOf(restEvent({ pathParameters: { identity } })).identity).toBe(expected);
  });

  it('has a body as text, or as bytes if it is base64', () => {
    expect(callOf(restEvent({ body: '{"a":"é"}' })).body).toBe('{"a":"é"}');
    expect(callOf(restEvent({ body: 'w6k=', isBase64Encoded: true })).body).toEqual(Buffer.from('é'));
  });

  it.each([undefined, null, 7, '', 'platform', 'arn:aws:iam::1:user/a\nb', `arn:${'x'.repeat(2_001)}`])(
    'has no caller if the ARN is %j',
    (userArn) => {
      const { requestContext } = restEvent();
      expect(
        callOf(restEvent({ requestContext: { ...requestContext, identity: { userArn } } })).caller,
      ).toBeUndefined();
    },
  );

  it('can lack every member but the context', () => {
    const event = { httpMethod: 'GET', requestContext: {} } as unknown as APIGatewayProxyEvent;
    expect(callOf(event)).toMatchObject({ caller: undefined, identity: undefined, body: undefined });
  });
});

describe('an event of an HTTP API', () => {
  it('has the ARN that signed', () => {
    const { requestContext } = invocationEvent({});
    const signed = (userArn: unknown) =>
      invocationEvent({}, { requestContext: { ...requestContext, authorizer: { iam: { userArn } } } as never });
    expect(callOf(invocationEvent({})).caller).toBeUndefined();
    expect(callOf(signed('arn:aws:iam::123456789012:user/bots')).caller).toBe('arn:aws:iam::123456789012:user/bots');
    expect(callOf(signed('a b')).caller).toBeUndefined();
  });

  it('is one also with members of the other', () => {
    const event = { ...invocationEvent({}), httpMethod: 'POST', multiValueHeaders: { accept: ['a/b'] } };
    expect(callOf(event).accept).toBeUndefined();
  });
});
