// The two formats of an event of API Gateway: 2.0 of HTTP APIs and 1.0 of REST APIs (API Gateway developer guide,
// "Create AWS Lambda proxy integrations for HTTP APIs", "Lambda proxy integrations in API Gateway").
import type { APIGatewayProxyEvent, APIGatewayProxyEventV2, Context } from 'aws-lambda';
import type { ApiCall } from '../../core/api.ts';

/** Of an HTTP API or of a REST API. It has passed `isApiEvent`; every other member may be anything. */
export type ApiEvent = APIGatewayProxyEventV2 | APIGatewayProxyEvent;

export function isApiEvent(event: unknown): event is ApiEvent {
  return isObject(event) && isObject(event.requestContext);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function apiCall(event: ApiEvent, context: Context, requestId: string): ApiCall {
  const { caller, identity, stage, accept } = isRestEvent(event) ? restParts(event) : httpParts(event);
  return {
    requestId,
    caller,
    identity,
    stage,
    accept,
    body: bodyOf(event),
    startedAt: performance.now(),
    remainingMs: context.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY,
  };
}

/** Events of REST APIs have no `version`; those of 1.0 from an HTTP API have. */
function isRestEvent(event: ApiEvent): event is APIGatewayProxyEvent {
  return 'httpMethod' in event && !('routeKey' in event);
}

type Parts = Pick<ApiCall, 'caller' | 'identity' | 'stage' | 'accept'>;

/** Decoded path parameters, header names in lower case, repeated values joined by commas. */
function httpParts(event: APIGatewayProxyEventV2): Parts {
  const { requestContext } = event as Partial<APIGatewayProxyEventV2WithIam>;
  return {
    caller: arnOf(requestContext?.authorizer?.iam?.userArn),
    identity: text(event.pathParameters?.identity),
    stage: text(event.queryStringParameters?.stage),
    accept: text(event.headers?.accept),
  };
}

interface APIGatewayProxyEventV2WithIam {
  readonly requestContext: { readonly authorizer?: { readonly iam?: { readonly userArn?: unknown } } };
}

/**
 * Path parameters are percent-encoded as they were sent, header names are as they were sent, and repeated values are in
 * the `multiValue…` members only. The values are joined as an HTTP API joins them, so that both APIs answer alike.
 */
function restParts(event: APIGatewayProxyEvent): Parts {
  return {
    caller: arnOf(event.requestContext.identity?.userArn),
    identity: decoded(text(event.pathParameters?.identity)),
    stage: joined(event.multiValueQueryStringParameters, (name) => name === 'stage'),
    accept: joined(event.multiValueHeaders, (name) => name.toLowerCase() === 'accept'),
  };
}

/** A name that is not percent-encoding stays as it is, and is refused as every other wrong name. */
function decoded(value: string | undefined): string | undefined {
  if (value === undefined || !value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function joined(values: unknown, isWanted: (name: string) => boolean): string | undefined {
  if (!isObject(values)) return undefined;
  const found = Object.keys(values)
    .filter(isWanted)
    .flatMap((name) => values[name])
    .filter((value) => typeof value === 'string');
  return found.length === 0 ? undefined : found.join(',');
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The signer. ARNs of IAM have no spaces and no control characters (IAM user guide, "IAM identifiers"). */
function arnOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^arn:[\x21-\x7e]{1,2000}$/.test(value) ? value : undefined;
}

/** HTTP APIs pass on as base64 what they do not take for text, REST APIs what their `binaryMediaTypes` name. */
function bodyOf({ body, isBase64Encoded }: { readonly body?: unknown; readonly isBase64Encoded?: unknown }) {
  if (typeof body !== 'string') return undefined;
  return isBase64Encoded === true ? Buffer.from(body, 'base64') : body;
}
