// Events as API Gateway sends them (payload format 2.0), and a Lambda context, for the tests of the doors.
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { requireIdentityName } from '../../../core/identity/identity.ts';
import { type InvocationRequest, parseInvocationRequest } from '../../../core/invocation/request.ts';
import { bodyText } from '../../../core/json-request.ts';
import { apiCall } from '../../../functions/api-gateway/event.ts';

/** An invocation's event; a `body` other than a string becomes JSON. */
export function invocationEvent(body: unknown, changes: Partial<APIGatewayProxyEventV2> = {}): APIGatewayProxyEventV2 {
  const path = '/v1/identities/platform/invocations';
  return {
    version: '2.0',
    routeKey: 'POST /v1/identities/{identity}/invocations',
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', host: 'api.example' },
    pathParameters: { identity: 'platform' },
    requestContext: {
      accountId: '123456789012',
      apiId: 'a1b2c3d4e5',
      domainName: 'api.example',
      domainPrefix: 'api',
      http: { method: 'POST', path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'orchestrator' },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey: 'POST /v1/identities/{identity}/invocations',
      stage: '$default',
      time: '01/Nov/2026:00:00:00 +0000',
      timeEpoch: 1_793_491_200_000,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    isBase64Encoded: false,
    ...changes,
  };
}

export function lambdaContext(remainingMs = 29_000): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'invoke',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:eu-central-1:123456789012:function:invoke',
    memoryLimitInMB: '512',
    awsRequestId: '6f1b0c3a-8d0b-4b0e-9f57-0d2f5b8f3d11',
    logGroupName: '/aws/lambda/invoke',
    logStreamName: '2026/11/01/[$LATEST]0',
    getRemainingTimeInMillis: () => remainingMs,
    done: () => {},
    fail: () => {},
    succeed: () => {},
  };
}

/** Parses the invocation request of an event, as the function does. */
export function parseEvent(event: APIGatewayProxyEventV2, remainingMs?: number): InvocationRequest {
  const { identity, body } = apiCall(event, lambdaContext(remainingMs), 'request-1');
  return parseInvocationRequest(requireIdentityName(identity), bodyText(body), remainingMs);
}
