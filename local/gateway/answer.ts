// Turns what a Lambda function returned into the HTTP answer that API Gateway makes of it, payload format 2.0.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { connectionHeaders } from './event.ts';

export interface HttpAnswer {
  readonly status: number;
  /** Name, value, name, value, … */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** What API Gateway says by itself. */
export function gatewayAnswer(status: number, message: string): HttpAnswer {
  const body = Buffer.from(JSON.stringify({ message }));
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
    const body = Buffer.from(typeof result === 'string' ? result : payload);
    return { status: 200, headers: ['content-type', 'application/json'], body };
  }
  return structured(result as StructuredResult) ?? gatewayAnswer(500, 'Internal Server Error');
}

interface StructuredResult {
  readonly statusCode: unknown;
  readonly headers?: unknown;
  readonly cookies?: unknown;
  readonly body?: unknown;
  readonly isBase64Encoded?: unknown;
}

function structured(result: StructuredResult): HttpAnswer | undefined {
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
  return { status, headers, body: Buffer.from(body, result.isBase64Encoded === true ? 'base64' : 'utf8') };
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
