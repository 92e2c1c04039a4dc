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

/** What API Gateway says by itself. */
export function gatewayAnswer(status: number, message: string): HttpAnswer {
  const body = JSON.stringify({ message });
  return { status, headers: ['content-type', 'application/json'], body };
}

/** What a client may still send of a request that is answered already, and for how many milliseconds. */
const maxDroppedBytes = 64 * 1024 * 1024;
const maxDroppedMs = 10_000;

/**
 * `isLast`: the connection takes no further request after this one. One that is answered before it was read to its end
 * is
 * the last, too, and the rest of it is read and dropped for a while before the connection is closed: a client that is
 * cut
 * off while it sends does not see the answer.
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
