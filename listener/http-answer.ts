// Sends an HTTP response, also to a client that has not sent its whole request yet.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dropBody } from './body.ts';

export interface HttpAnswer {
  readonly status: number;
  /** Name, value, name, value, … */
  readonly headers: readonly string[];
  /** Text is sent as UTF-8. */
  readonly body: string | Buffer;
}

/** An error in the format of API Gateway's own errors. */
export function gatewayAnswer(status: number, message: string): HttpAnswer {
  const body = JSON.stringify({ message });
  return { status, headers: ['content-type', 'application/json'], body };
}

/** Dropped of a request that was answered before its end: bytes and milliseconds. */
const maxDroppedBytes = 64 * 1024 * 1024;
const maxDroppedMs = 10_000;

/**
 * @param isLast closes the connection after this answer. An answer before the end of the request does so, too: the rest
 * of the request is dropped for a while first, because a client that is cut off while it sends does not see the answer.
 */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: HttpAnswer,
  isLast: boolean,
): void {
  if (response.destroyed) return;
  const hasBody = answer.status !== 204 && answer.status !== 304;
  const headers = [...answer.headers];
  if (hasBody) headers.push('content-length', String(Buffer.byteLength(answer.body)));
  if (isLast || !request.complete) headers.push('connection', 'close');
  response.writeHead(answer.status, headers);
  if (request.complete) {
    response.end(hasBody ? answer.body : undefined);
    return;
  }
  if (hasBody && answer.body.length > 0) response.write(answer.body);
  else response.flushHeaders();
  dropBody(request, maxDroppedBytes, maxDroppedMs).then(() => response.end());
}
