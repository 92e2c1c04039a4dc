// Turns what a function returned into the HTTP answer that API Gateway makes of it, payload format 2.0, and sends it.
import { type IncomingMessage, type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import { dropBody } from './body.ts';
import { connectionHeaders } from './event.ts';

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

/**
 * @param payload the JSON text that the function returned
 * @returns 500 "Internal Server Error" for a structured answer that is not well formed, as API Gateway does
 * Source: AWS, "Create AWS Lambda proxy integrations for HTTP APIs", Lambda function response format.
 */
export function toHttpAnswer(payload: string): HttpAnswer {
  const result: unknown = JSON.parse(payload);
  if (typeof result !== 'object' || result === null || !('statusCode' in result)) {
    const body = typeof result === 'string' ? result : payload;
    return { status: 200, headers: ['content-type', 'application/json'], body };
  }
  return toStructuredAnswer(result as StructuredResult) ?? gatewayAnswer(500, 'Internal Server Error');
}

export interface StructuredResult {
  readonly statusCode: unknown;
  readonly headers?: unknown;
  readonly cookies?: unknown;
  readonly body?: unknown;
  readonly isBase64Encoded?: unknown;
}

/** Undefined when the status, a header, a cookie or the body is not what may stand in an answer. */
export function toStructuredAnswer(result: StructuredResult): HttpAnswer | undefined {
  const status = Number(result.statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  const body = result.body ?? '';
  const cookies = result.cookies ?? [];
  const fields = Object.entries(result.headers ?? {});
  if (typeof body !== 'string' || !Array.isArray(cookies)) return undefined;

  const headers: string[] = [];
  for (const [name, value] of [...fields, ...cookies.map((cookie) => ['set-cookie', cookie] as const)]) {
    if (!isHeader(name, value)) return undefined;
    if (!connectionHeaders.has(name.toLowerCase()) && name.toLowerCase() !== 'content-length') {
      headers.push(name.toLowerCase(), String(value));
    }
  }
  if (!headers.includes('content-type') && body !== '') headers.push('content-type', 'text/plain;charset=UTF-8');
  return { status, headers, body: result.isBase64Encoded === true ? Buffer.from(body, 'base64') : body };
}

function isHeader(name: string, value: unknown): boolean {
  if (!['string', 'number', 'boolean'].includes(typeof value)) return false;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, String(value));
    return true;
  } catch {
    return false;
  }
}

/** What a client may still send of a request that is answered already, and for how many milliseconds. */
const maxDroppedBytes = 64 * 1024 * 1024;
const maxDroppedMs = 10_000;

/**
 * `isLast`: the connection takes no further request after this one. One that is answered before it was read to its end is
 * the last, too, and the rest of it is read and dropped for a while before the connection is closed: a client that is cut
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
