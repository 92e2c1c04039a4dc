// The events and results of a REST API (payload format 1.0): API Gateway developer guide, "Lambda proxy integrations in
// API Gateway", "Input format of a Lambda function for proxy integration" and "Output format".
import type { APIGatewayEventIdentity, APIGatewayProxyEvent } from 'aws-lambda';
import { gatewayAnswer, type HttpAnswer } from '../../listener/http-answer.ts';
import type { RouteMatch } from '../../listener/route.ts';
import {
  accessKeyOf,
  accessLogTime,
  connectionHeaders,
  emptyRecord,
  isHeader,
  localAccountId,
  localUserArn,
  type ReceivedRequest,
  splitOnce,
  traceId,
} from './event.ts';

/** As in the stack. REST APIs have no `$default`: the stage is the first part of the path. */
export const restStage = 'live';

export type RestEvent = Omit<APIGatewayProxyEvent, 'requestContext'> & {
  readonly requestContext: Omit<APIGatewayProxyEvent['requestContext'], 'authorizer'>;
};

/**
 * The path and its parameters are percent-encoded as they were sent, a query is decoded, header names keep their case,
 * and an absent member is null. The body is text: the API of the stack has no `binaryMediaTypes`.
 */
export function toRestEvent(request: ReceivedRequest, route: RouteMatch): RestEvent {
  const [target = '/', rawQuery = ''] = splitOnce(request.target, '?');
  const path = target.slice(`/${restStage}`.length);
  const [, resource = ''] = route.routeKey.split(' ');
  const headers = readHeaders(request);
  const query = grouped([...new URLSearchParams(rawQuery)]);
  const lowered = new Map(Object.entries(headers).map(([name, values]) => [name.toLowerCase(), values.at(-1)]));
  const domainName = (lowered.get('host') ?? 'localhost').replace(/:\d+$/, '');
  return {
    resource,
    path,
    httpMethod: request.method,
    headers: lastOf(headers),
    multiValueHeaders: headers,
    queryStringParameters: rawQuery === '' ? null : lastOf(query),
    multiValueQueryStringParameters: rawQuery === '' ? null : query,
    pathParameters: encodedParameters(resource, path),
    stageVariables: null,
    requestContext: {
      accountId: localAccountId,
      apiId: 'local',
      domainName,
      domainPrefix: domainName.split('.')[0] ?? domainName,
      extendedRequestId: request.requestId,
      httpMethod: request.method,
      identity: identityOf(request, lowered),
      path: target,
      protocol: `HTTP/${request.httpVersion}`,
      requestId: request.requestId,
      requestTime: accessLogTime(request.receivedAt),
      requestTimeEpoch: request.receivedAt.getTime(),
      resourceId: 'local',
      resourcePath: resource,
      stage: restStage,
    },
    body: request.body.length === 0 ? null : request.body.toString(),
    isBase64Encoded: false,
  };
}

function readHeaders({ rawHeaders, sourceIp, port, receivedAt }: ReceivedRequest): Record<string, string[]> {
  const pairs = rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && !connectionHeaders.has(name.toLowerCase()) ? [[name, rawHeaders[index + 1] ?? '']] : [],
  ) as [string, string][];
  const has = (wanted: string) => pairs.some(([name]) => name.toLowerCase() === wanted);
  if (!has('x-amzn-trace-id')) pairs.push(['X-Amzn-Trace-Id', traceId(receivedAt)]);
  if (!has('x-forwarded-for')) pairs.push(['X-Forwarded-For', sourceIp]);
  return grouped([...pairs, ['X-Forwarded-Port', String(port)], ['X-Forwarded-Proto', 'http']]);
}

function grouped(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const values = emptyRecord() as unknown as Record<string, string[]>;
  for (const [name, value] of pairs) values[name] = [...(values[name] ?? []), value];
  return values;
}

function lastOf(values: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  const last = emptyRecord();
  for (const [name, all] of Object.entries(values)) last[name] = all.at(-1) ?? '';
  return last;
}

function encodedParameters(resource: string, path: string): Record<string, string> | null {
  const segments = path.split('/');
  const found = resource.split('/').flatMap((part, index) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    return name === undefined ? [] : [[name, segments[index] ?? '']];
  });
  return found.length === 0 ? null : Object.fromEntries(found);
}

function identityOf(request: ReceivedRequest, headers: ReadonlyMap<string, string | undefined>) {
  const accessKey = accessKeyOf(headers.get('authorization')) ?? null;
  return {
    accessKey,
    accountId: accessKey && localAccountId,
    apiKey: null,
    apiKeyId: null,
    caller: accessKey,
    clientCert: null,
    cognitoAuthenticationProvider: null,
    cognitoAuthenticationType: null,
    cognitoIdentityId: null,
    cognitoIdentityPoolId: null,
    principalOrgId: null,
    sourceIp: request.sourceIp,
    user: accessKey,
    userAgent: headers.get('user-agent') ?? null,
    userArn: accessKey && localUserArn,
  } satisfies APIGatewayEventIdentity;
}

/**
 * @param payload the JSON text that the function returned
 * @returns 502 "Internal server error" for a result that is not well formed, as API Gateway does
 */
export function toRestAnswer(payload: string): HttpAnswer {
  return structuredAnswer(JSON.parse(payload)) ?? malformed;
}

const malformed = gatewayAnswer(502, 'Internal server error');

function structuredAnswer(result: unknown): HttpAnswer | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  const { statusCode, headers, multiValueHeaders, body = '', ...others } = result as Record<string, unknown>;
  const status = Number(statusCode);
  const unknown = Object.keys(others).some((name) => name !== 'isBase64Encoded');
  if (unknown || !Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (body !== null && typeof body !== 'string') return undefined;
  const fields = [
    ...Object.entries(headers ?? {}),
    ...Object.entries(multiValueHeaders ?? {}).flatMap(([name, values]) => [values].flat().map((one) => [name, one])),
  ] as [string, unknown][];
  const sent: string[] = [];
  for (const [name, value] of fields) {
    if (!isHeader(name, value)) return undefined;
    const lower = name.toLowerCase();
    if (!connectionHeaders.has(lower) && lower !== 'content-length') sent.push(lower, String(value));
  }
  if (!sent.includes('content-type') && body) sent.push('content-type', 'application/json');
  return { status, headers: sent, body: body ?? '' };
}

/** What a REST API answers when Lambda could not (API Gateway developer guide, "Gateway response types"). */
export const restFailures = {
  'event-too-large': gatewayAnswer(413, 'Request Too Long'),
  failed: malformed,
  'timed-out': gatewayAnswer(504, 'Endpoint request timed out'),
} as const;

/** An unknown route and a request without a signature have one answer. */
export const restNoRoute = gatewayAnswer(403, 'Missing Authentication Token');
