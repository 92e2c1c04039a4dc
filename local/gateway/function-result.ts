// Turns what a function returned into the HTTP response that API Gateway makes of it: HTTP API, payload format 2.0.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { gatewayAnswer, type HttpAnswer } from '../../listener/http-answer.ts';
import { connectionHeaders } from './event.ts';

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

interface StructuredResult {
  readonly statusCode: unknown;
  readonly headers?: unknown;
  readonly cookies?: unknown;
  readonly body?: unknown;
  readonly isBase64Encoded?: unknown;
}

/** Undefined when the status, a header, a cookie or the body is not what may stand in an answer. */
function toStructuredAnswer(result: StructuredResult): HttpAnswer | undefined {
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
