// The result of an invocation: the response of the customer's API, in JSON that always fits through Lambda.
import { isAscii, isUtf8 } from 'node:buffer';
import { type ApiResponse, jsonResponse } from '../api.ts';
import { jsonString } from '../json-text.ts';
import { limits } from '../settings.ts';
import { type Timings, timingsText } from '../telemetry/invocation-record.ts';

export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface EncodedBody {
  /** With `utf8`, the text whose UTF-8 is exactly the body's bytes. */
  readonly body: string;
  readonly bodyEncoding: 'utf8' | 'base64';
}

/** docs/api.md describes each member. */
export interface HandshakeReport {
  readonly protocol: string;
  readonly cipher: string;
  readonly connection: 'new' | 'resumed' | 'reused';
  readonly server: {
    readonly subject: string;
    readonly issuer: string;
    readonly fingerprint256: string;
    readonly validTo: string;
  };
  readonly clientCertificateRequested: boolean | 'unknown';
  /** Present only if the certificate was sent. */
  readonly client?:
    | {
        readonly fingerprint256: string;
        readonly validTo: string;
        readonly version: string;
        readonly stage: string;
      }
    | undefined;
}

/** docs/api.md describes each member. */
export interface InvocationResult extends EncodedBody {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly handshake: HandshakeReport;
  readonly timings: Timings;
  /** For a response that needs an explanation, with who must act. */
  readonly advice?: string | undefined;
}

/** Hop-by-hop headers (RFC 9110, section 7.6.1), and `trailer`, since trailers are dropped. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Size of the largest body in base64. The rest of Lambda's limit is for headers and handshake. */
const maxBodyTextBytes = Math.ceil(limits.maxAnswerBytes / 3) * 4;

/**
 * Bytes that each byte takes in Lambda's payload, where the body is a JSON string inside a JSON string:
 * `"` becomes `\\\"`, a line feed `\\n`, another control character `\\u0001`.
 */
const nestedSizes = Uint8Array.from({ length: 256 }, (_, byte) => {
  return JSON.stringify(JSON.stringify(String.fromCharCode(byte))).length - 6;
}).map((size, byte) => (byte > 0x7f ? 1 : size));

/**
 * The response of the route. Both ends of a handshake are the same objects for every call on a connection, so their
 * JSON is made once. Only numbers and OpenSSL's names of protocols and cipher suites are inserted without quoting.
 */
export function invocationResponse(result: InvocationResult): ApiResponse {
  const { status, headers, body, bodyEncoding, handshake, timings, advice } = result;
  const { protocol, cipher, connection, server, clientCertificateRequested: requested, client } = handshake;
  const text = `{"status":${status},"headers":${headersText(headers)},"body":${jsonString(body)},"bodyEncoding":"${bodyEncoding}","handshake":{"protocol":"${protocol}","cipher":"${cipher}","connection":"${connection}","server":${textOf(server)},"clientCertificateRequested":${requested === 'unknown' ? '"unknown"' : requested}${client === undefined ? '' : `,"client":${textOf(client)}`}},"timings":${timingsText(timings)}${advice === undefined ? '' : `,"advice":${jsonString(advice)}`}}`;
  return jsonResponse(text);
}

function headersText(headers: AnswerHeaders): string {
  let text = '';
  for (const name in headers) {
    const value = headers[name] as string | readonly string[];
    text += `${text === '' ? '' : ','}${jsonString(name)}:${typeof value === 'string' ? jsonString(value) : JSON.stringify(value)}`;
  }
  return `{${text}}`;
}

const texts = new WeakMap<object, string>();

function textOf(part: object): string {
  let text = texts.get(part);
  if (text === undefined) {
    text = JSON.stringify(part);
    texts.set(part, text);
  }
  return text;
}

/**
 * Names in lower case; a repeated header has a list of its values. The object has no prototype, so any name is safe.
 * @param rawHeaders Node's list of names and values
 * @param decoded whether a content coding was removed from the body
 */
export function answerHeaders(rawHeaders: readonly string[], decoded: boolean): AnswerHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  let connection = '';
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    const value = rawHeaders[at + 1] as string;
    if (name === 'connection') connection += `,${value}`;
    if (hopByHop.has(name)) continue;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (typeof before === 'string') headers[name] = [before, value];
    else before.push(value);
  }
  // Most servers name none of their own.
  if (!/^(?:,(?:keep-alive|close))?$/i.test(connection)) {
    for (const name of connection.toLowerCase().split(',')) delete headers[name.trim()];
  }
  if (decoded) {
    delete headers['content-encoding'];
    delete headers['content-length'];
  }
  return headers;
}

/** Text if the bytes are text and fit as text, otherwise base64, which always fits (docs/decisions/0033). */
export function encodeBody(bytes: Buffer, contentType: string | undefined): EncodedBody {
  if (isText(bytes, contentType) && fitsAsText(bytes)) return { body: bytes.toString('utf8'), bodyEncoding: 'utf8' };
  return { body: bytes.toString('base64'), bodyEncoding: 'base64' };
}

/** In another charset, bytes that are valid UTF-8 are other characters. */
function isText(bytes: Buffer, contentType: string | undefined): boolean {
  const charset = contentType && /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
  if (!charset || /^(utf-?8|us-ascii)$/i.test(charset)) return isUtf8(bytes);
  // These agree with ASCII in its half; UTF-16 and the ISO 2022 family do not.
  return /^(iso-8859-|windows-125|latin)/i.test(charset) && isAscii(bytes);
}

function fitsAsText(bytes: Buffer): boolean {
  // Seven is the largest of the sizes: most bodies need no counting.
  if (bytes.length * 7 <= maxBodyTextBytes) return true;
  let size = 0;
  // By index: a Buffer's iterator takes ten times as long.
  for (let at = 0; at < bytes.length; at++) size += nestedSizes[bytes[at] as number] as number;
  return size <= maxBodyTextBytes;
}
