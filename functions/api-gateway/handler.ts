// The middy chain of every function behind API Gateway, and the translation of events and results.
import middy, { type Request } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import {
  type ApiResponse,
  type ApiRoute,
  type ApiSettings,
  failureResponse,
  requestIdFrom,
  respond,
  withCommonHeaders,
} from '../../core/api.ts';
import { CountersignError } from '../../core/errors.ts';
import { apiCall, isApiEvent, isObject } from './event.ts';

/** A result of both formats: neither a cookie nor a repeated header is ever in it. */
function toResult({ status, headers, body }: ApiResponse): APIGatewayProxyStructuredResultV2 {
  return { statusCode: status, headers, body };
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
      if (!isApiEvent(event)) {
        throw new CountersignError(
          'invalid-request',
          'The event is not a request of API Gateway (payload format 1.0 or 2.0).',
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
