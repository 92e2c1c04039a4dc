// The invocation request: what a caller asks for, parsed from the event of API Gateway, refused when it could be misread.
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { bodyText, invalidRequest } from '../../functions/api-gateway/event.ts';
import type { HttpRequest } from '../http/exchange.ts';
import { type Member, membersOf, nestsDeeperThan } from '../http/json-text.ts';
import { type RequestHeaders, readRequestHeaders, shown, tokenPattern } from '../http/request-headers.ts';
import { limits } from '../settings.ts';

/** `decodeContent` is false if the caller set accept-encoding: the content coding is then returned as received. */
export interface InvocationRequest extends HttpRequest {
  readonly url: string;
  readonly timeoutMs: number;
  readonly requireMutual: boolean;
}

/** docs/api.md has a row for each. */
export const knownFields = new Set([
  'url',
  'method',
  'headers',
  'json',
  'body',
  'bodyBase64',
  'timeoutMs',
  'requireMutual',
] as const);

type Field = typeof knownFields extends Set<infer Name> ? Name : never;
type Fields = Readonly<Partial<Record<Field, unknown>>>;

/** What node:zlib decodes; see body.ts. */
const acceptEncoding = 'gzip, deflate, br, zstd';

/** Some firewalls turn away requests without one; a caller's own takes its place. */
const userAgent = 'countersign';

/**
 * Checks every field by hand: a schema library does not see the text, and quotes values in its words (docs/decisions/0030).
 * Throws `invalid-request`, whose evidence names the field. `remainingMs` is what Lambda has left for the call.
 */
export function parseInvocation(
  event: APIGatewayProxyEventV2,
  remainingMs = Number.POSITIVE_INFINITY,
): InvocationRequest {
  const text = bodyText(event);
  const fields: Fields = parseFields(text);
  const members = checkMembers(text, knownFields);
  const headers = readRequestHeaders(fields.headers, text, members.get('headers')?.start ?? 0);
  const body = readBody(fields, text, members.get('json'));
  const decodeContent = !headers.names.has('accept-encoding');
  return {
    url: readUrl(fields.url),
    method: readMethod(fields.method),
    headers: withDefaults(headers, 'json' in fields),
    body,
    timeoutMs: readTimeout(fields.timeoutMs, remainingMs),
    requireMutual: readFlag(fields.requireMutual),
    decodeContent,
  };
}

/** JSON.parse takes about 90 bytes for each bracket: what is small enough may be as deep as it likes. */
const unboundedLength = 64 * 1024;
const mostNested = 1_000;

export function parseFields(text: string): Readonly<Record<string, unknown>> {
  if (text.length > unboundedLength && nestsDeeperThan(text, mostNested)) {
    throw invalidRequest('body', `The request body is large and nested more than ${mostNested} deep.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8's message quotes the text, so neither it nor the error itself may leave this place.
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw invalidRequest('body', `The request body is not JSON${position ? `: see character ${position}` : ''}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('body', 'The request body must be a JSON object.');
  }
  return value as Readonly<Record<string, unknown>>;
}

/** A misspelt or repeated field must not be ignored in silence: it might have been requireMutual. */
export function checkMembers(text: string, known: ReadonlySet<string>): Map<string, Member> {
  const members = new Map<string, Member>();
  // One more than there are fields: among those, one is unknown or stands twice.
  for (const member of membersOf(text, 0, known.size + 1)) {
    const { key } = member;
    if (!known.has(key)) throw invalidRequest(key.slice(0, 64), `There is no field ${shown(key)}.`);
    if (members.has(key)) throw invalidRequest(key, `The field "${key}" stands twice in the request.`);
    members.set(key, member);
  }
  return members;
}

/** Only that it is a string; what it may say is the destination guard's to judge. */
export function readUrl(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalidRequest('url', 'The field "url" must be a URL.');
  return value;
}

function readMethod(value: unknown): string {
  if (value === undefined) return 'GET';
  if (typeof value !== 'string' || value.length > 32 || !tokenPattern.test(value)) {
    throw invalidRequest('method', 'The field "method" must be an HTTP method of at most 32 characters.');
  }
  // Methods are case-sensitive, but Node's HTTP client writes them in capitals whatever it is given.
  if (/[a-z]/.test(value)) throw invalidRequest('method', 'The field "method" must be written in capitals.');
  if (value === 'CONNECT' || value === 'TRACE') {
    throw invalidRequest('method', `The method ${value} cannot be sent through Countersign.`);
  }
  return value;
}

/** `json` is sent as the caller wrote it, so that no number loses digits and no key is merged (docs/decisions/0031). */
function readBody(fields: Fields, text: string, json: Member | undefined): Buffer | undefined {
  const { body, bodyBase64 } = fields;
  if ((json ? 1 : 0) + ('body' in fields ? 1 : 0) + ('bodyBase64' in fields ? 1 : 0) > 1) {
    throw invalidRequest('body', 'Only one of "json", "body" and "bodyBase64" may be given.');
  }
  if (json) return Buffer.from(text.slice(json.start, json.end), 'utf8');
  if ('body' in fields) {
    if (typeof body !== 'string' || !body.isWellFormed()) {
      throw invalidRequest('body', 'The field "body" must be a string without lone surrogates.');
    }
    return Buffer.from(body, 'utf8');
  }
  if (!('bodyBase64' in fields)) return undefined;
  const bytes = Buffer.from(typeof bodyBase64 === 'string' ? bodyBase64 : '', 'base64');
  // Node skips what is not base64; written back, only the canonical form is the same (RFC 4648, section 3.5).
  if (bytes.toString('base64') !== bodyBase64) {
    throw invalidRequest(
      'bodyBase64',
      'The field "bodyBase64" must be base64 with padding and nothing else (RFC 4648, section 4).',
    );
  }
  return bytes;
}

function withDefaults({ list, names }: RequestHeaders, isJson: boolean): readonly string[] {
  if (isJson && !names.has('content-type')) list.push('content-type', 'application/json');
  if (!names.has('accept-encoding')) list.push('accept-encoding', acceptEncoding);
  if (!names.has('user-agent')) list.push('user-agent', userAgent);
  return list;
}

export function readTimeout(value: unknown, remainingMs: number): number {
  if (value !== undefined && (!Number.isInteger(value) || Number(value) < 1 || Number(value) > limits.maxTimeoutMs)) {
    throw invalidRequest('timeoutMs', `The field "timeoutMs" must be a whole number from 1 to ${limits.maxTimeoutMs}.`);
  }
  const wanted = (value as number | undefined) ?? limits.defaultTimeoutMs;
  return Math.max(1, Math.min(wanted, Math.floor(remainingMs - limits.timeoutReserveMs)));
}

function readFlag(value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    throw invalidRequest('requireMutual', 'The field "requireMutual" must be true or false.');
  }
  return value === true;
}
