// The chain every function's door is made of: the request id, the problem document, the headers of each answer.
import { randomUUID } from 'node:crypto';
import middy, { type Request } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { asCountersignError, CountersignError } from '../../core/errors.ts';
import { problemDocument } from '../../core/problem.ts';

/** What a function does, once the event is known to be one of API Gateway's; `requestContext.requestId` is there. */
export type Story = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

export type Door = (event: unknown, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

interface DoorSettings {
  readonly docsUrl: string;
  /** The story ends by itself before Lambda ends it: middy's timer and race, 3 to 6 µs of each call, are left out. */
  readonly storyKeepsDeadline?: boolean;
  /** Told of every `internal-error`, whose cause the caller is not told; must not throw. */
  readonly onInternalError?: (error: CountersignError, requestId: string) => void;
}

/** Less than limits.timeoutReserveMs: a story is cut off while there is time to say so. */
const lastMomentMs = 200;

type DoorRequest = Request<unknown, APIGatewayProxyStructuredResultV2, Error, Context, { requestId?: string }>;

/** The Lambda handler around a story. Whatever the event is and whatever the story throws, it answers and never throws. */
export function openDoor(settings: DoorSettings, story: Story): Door {
  const door = middy(story, {
    timeoutEarlyInMillis: settings.storyKeepsDeadline ? 0 : lastMomentMs,
    timeoutEarlyResponse: () => {
      throw new CountersignError('internal-error', 'The function ran out of time.');
    },
  });

  door.before((request: DoorRequest) => {
    const requestId = requestIdOf(request.event, request.context);
    request.internal.requestId = requestId;
    if (!isHttpApiEvent(request.event)) {
      throw new CountersignError('invalid-request', 'The event is not a request of an HTTP API (payload format 2.0).');
    }
    request.event.requestContext.requestId = requestId;
  });

  door.after((request: DoorRequest) => {
    request.response = withDoorHeaders(request.response ?? {}, request.internal.requestId ?? '');
  });

  door.onError((request: DoorRequest) => {
    const error = asCountersignError(request.error);
    const requestId = request.internal.requestId ?? '';
    if (error.code === 'internal-error') settings.onInternalError?.(error, requestId);
    request.response = withDoorHeaders(problemDocument(error, requestId, settings.docsUrl), requestId);
  });

  return door as Door;
}

/** Answers hold tokens, balances, addresses: nothing between here and the orchestrator may keep one. */
function withDoorHeaders(
  answer: APIGatewayProxyStructuredResultV2,
  requestId: string,
): APIGatewayProxyStructuredResultV2 {
  return { ...answer, headers: { 'cache-control': 'no-store', ...answer.headers, 'x-request-id': requestId } };
}

function isHttpApiEvent(event: unknown): event is APIGatewayProxyEventV2 {
  return isObject(event) && isObject(event.requestContext);
}

/** Only what may stand in a header is taken over: API Gateway's id, else Lambda's, else a new one. */
function requestIdOf(event: unknown, context: Context): string {
  const ours = isObject(event) && isObject(event.requestContext) ? event.requestContext.requestId : undefined;
  for (const id of [ours, context.awsRequestId]) {
    if (typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id)) return id;
  }
  return randomUUID();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
