// Translates events of API Gateway (HTTP API, payload format 2.0) into API calls, and API responses into results.
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type { ApiCall, ApiResponse } from '../../core/api.ts';

/** The event has passed `isHttpApiEvent`; every other member may be anything. */
export function apiCall(event: APIGatewayProxyEventV2, context: Context, requestId: string): ApiCall {
  return {
    requestId,
    // With IAM the access log has the caller.
    caller: undefined,
    identity: text(event.pathParameters?.identity),
    body: bodyOf(event),
    stage: text(event.queryStringParameters?.stage),
    accept: text(event.headers?.accept),
    startedAt: performance.now(),
    remainingMs: context.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** API Gateway passes on as base64 what it does not take for text. */
function bodyOf({ body, isBase64Encoded }: { readonly body?: unknown; readonly isBase64Encoded?: unknown }) {
  if (typeof body !== 'string') return undefined;
  return isBase64Encoded === true ? Buffer.from(body, 'base64') : body;
}

export function isHttpApiEvent(event: unknown): event is APIGatewayProxyEventV2 {
  return isObject(event) && isObject(event.requestContext);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function toResult({ status, headers, body }: ApiResponse): APIGatewayProxyStructuredResultV2 {
  return { statusCode: status, headers: { ...headers }, body };
}
