// The event of a REST API that a function is given locally, field by field.
import { describe, expect, it } from 'vitest';
import type { ReceivedRequest } from '../../../local/gateway/event.ts';
import { toRestAnswer, toRestEvent } from '../../../local/gateway/rest-event.ts';

const request: ReceivedRequest = {
  method: 'POST',
  target: '/live/v1/identities/%70latform/invocations?name=me&name=%C3%A9&flag',
  httpVersion: '1.1',
  rawHeaders: [
    ...['Host', 'abc.execute-api.us-east-1.amazonaws.com', 'User-Agent', 'agent', 'Content-Type', 'image/png'],
    ...['Header1', 'value1', 'Header1', 'value2', 'HEADER1', 'value3', 'Connection', 'keep-alive'],
    ...['X-Amzn-Trace-Id', 'Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e'],
    ...['Authorization', 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/execute-api/aws4_request'],
  ],
  body: Buffer.from('é'),
  sourceIp: '192.0.2.1',
  port: 443,
  receivedAt: new Date(1_583_348_638_390),
  requestId: 'id',
};
const route = {
  routeKey: 'POST /v1/identities/{identity}/invocations',
  pathParameters: { identity: 'platform' },
};

describe('the event of payload format 1.0', () => {
  it('has the members that AWS documents, the path as it was sent, and the stage in the context only', () => {
    expect(toRestEvent(request, route)).toEqual({
      resource: '/v1/identities/{identity}/invocations',
      path: '/v1/identities/%70latform/invocations',
      httpMethod: 'POST',
      headers: {
        Host: 'abc.execute-api.us-east-1.amazonaws.com',
        'User-Agent': 'agent',
        'Content-Type': 'image/png',
        Header1: 'value2',
        HEADER1: 'value3',
        'X-Amzn-Trace-Id': 'Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e',
        Authorization: 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/execute-api/aws4_request',
        'X-Forwarded-For': '192.0.2.1',
        'X-Forwarded-Port': '443',
        'X-Forwarded-Proto': 'http',
      },
      multiValueHeaders: expect.objectContaining({ Header1: ['value1', 'value2'], HEADER1: ['value3'] }),
      queryStringParameters: { name: 'é', flag: '' },
      multiValueQueryStringParameters: { name: ['me', 'é'], flag: [''] },
      pathParameters: { identity: '%70latform' },
      stageVariables: null,
      requestContext: {
        accountId: '000000000000',
        apiId: 'local',
        domainName: 'abc.execute-api.us-east-1.amazonaws.com',
        domainPrefix: 'abc',
        extendedRequestId: 'id',
        httpMethod: 'POST',
        identity: expect.objectContaining({
          accessKey: 'AKIDEXAMPLE',
          sourceIp: '192.0.2.1',
          userAgent: 'agent',
          userArn: 'arn:aws:iam::000000000000:user/local',
        }),
        path: '/live/v1/identities/%70latform/invocations',
        protocol: 'HTTP/1.1',
        requestId: 'id',
        requestTime: '04/Mar/2020:19:03:58 +0000',
        requestTimeEpoch: 1_583_348_638_390,
        resourceId: 'local',
        resourcePath: '/v1/identities/{identity}/invocations',
        stage: 'live',
      },
      body: 'é',
      isBase64Encoded: false,
    });
  });

  it('has null for what the request does not have', () => {
    const event = toRestEvent(
      { ...request, method: 'GET', target: '/live/v1/health', rawHeaders: [], body: Buffer.alloc(0) },
      { routeKey: 'GET /v1/health', pathParameters: undefined },
    );
    expect(event).toMatchObject({
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      pathParameters: null,
      body: null,
      requestContext: { domainName: 'localhost', identity: { accessKey: null, userArn: null, userAgent: null } },
    });
  });
});

it('the answer has the headers of both members, and JSON as its type', () => {
  const result = {
    statusCode: 201,
    headers: { 'X-A': 1 },
    multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'] },
    body: 'é',
  };
  expect(toRestAnswer(JSON.stringify(result))).toEqual({
    status: 201,
    headers: ['x-a', '1', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'content-type', 'application/json'],
    body: 'é',
  });
});
