// The middy chain of every function behind API Gateway, and the translation of events and results.
import middy, { type Request } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import {
  type ApiCall,
  type ApiResponse,
  type ApiRoute,
  type ApiSettings,
  failureResponse,
  requestIdFrom,
  respond,
  withCommonHeaders,
} from '../../core/api.ts';
import { CountersignError } from '../../core/errors.ts';

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

function isHttpApiEvent(event: unknown): event is APIGatewayProxyEventV2 {
  return isObject(event) && isObject(event.requestContext);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toResult({ status, headers, body }: ApiResponse): APIGatewayProxyStructuredResultV2 {
  return { statusCode: status, headers: { ...headers }, body };
}

export type ApiHandler = (event: unknown, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

interface HandlerSettings extends ApiSettings {
  /** The route ends before Lambda ends it. Then middy's timer and race, 3 to 6 µs of each call, are left out. */
  readonly routeKeepsDeadline?: boolean;
}

/** Milliseconds. Less than limits.timeoutReserveMs: a route is cut off while there is time to say so. */
const lastMomentMs = 200;

type HandlerRequest = Request<unknown, APIGatewayProxyStructuredResultV2, Error, Context, { requestId?: string }>;

/** The Lambda handler of a route. Whatever the event is and whatever the route throws, it answers and never throws. */
export function apiHandler(settings: HandlerSettings, route: ApiRoute): ApiHandler {
  const handler = middy(
    async (event: unknown, context: Context) => {
      const requestId = requestIdOf(event, context);
      if (!isHttpApiEvent(event)) {
        throw new CountersignError(
          'invalid-request',
          'The event is not a request of an HTTP API (payload format 2.0).',
        );
      }
      return toResult(await respond(route, apiCall(event, context, requestId), settings));
    },
    {
      timeoutEarlyInMillis: settings.routeKeepsDeadline ? 0 : lastMomentMs,
      timeoutEarlyResponse: () => {
        throw new CountersignError('internal-error', 'The function ran out of time.');
      },
    },
  );

  handler.onError((request: HandlerRequest) => {
    const requestId = requestIdOf(request.event, request.context);
    request.response = toResult(withCommonHeaders(failureResponse(request.error, requestId, settings), requestId));
  });

  return handler as ApiHandler;
}

/** API Gateway's id, else Lambda's. */
function requestIdOf(event: unknown, context: Context): string {
  const { requestContext } = isObject(event) ? event : {};
  return requestIdFrom(isObject(requestContext) ? requestContext.requestId : undefined, context.awsRequestId);
}
