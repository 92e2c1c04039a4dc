// The invocation request: one call of a customer's API. A request that could be misread is refused.
import type { HttpRequest } from '../http/exchange.ts';
import { checkMembers, invalidRequest, type Member, parseFields, readTimeout, readUrl } from '../json-request.ts';
import { type RequestHeaders, readRequestHeaders, tokenPattern } from './request-headers.ts';

/** `decodeContent` is false if the caller set accept-encoding: the content coding is then returned as received. */
export interface InvocationRequest extends HttpRequest {
  /** A name that an identity can have. */
  readonly identity: string;
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
/** The fields of a request, not yet checked. `json` is given as text, see `readBody`. */
export type InvocationFields = Readonly<Partial<Record<Field, unknown>>>;

/** What node:zlib decodes; see core/http/content-coding.ts. */
const acceptEncoding = 'gzip, deflate, br, zstd';

/** Some firewalls turn away requests without one; a caller's own takes its place. */
const userAgent = 'countersign';

/** Where the JSON text of a request holds its members. */
interface RequestText {
  readonly text: string;
  readonly members: ReadonlyMap<string, Member>;
}

/**
 * Parses the JSON body of a request. Every field is checked by hand: a schema library does not see the text, and quotes
 * values in its messages (docs/decisions/0030). Throws `invalid-request`, whose evidence names the field.
 * @param remainingMs milliseconds that the platform has left for the call
 */
export function parseInvocationRequest(
  identity: string,
  text: string,
  remainingMs = Number.POSITIVE_INFINITY,
): InvocationRequest {
  const fields: InvocationFields = parseFields(text);
  return checkInvocationRequest(identity, fields, remainingMs, { text, members: checkMembers(text, knownFields) });
}

/** Checks fields that are values already. Without `source` the field `json` must not be there. Throws as above. */
export function checkInvocationRequest(
  identity: string,
  fields: InvocationFields,
  remainingMs = Number.POSITIVE_INFINITY,
  source?: RequestText,
): InvocationRequest {
  const headersAt = source?.members.get('headers')?.start ?? 0;
  const headers = readRequestHeaders(fields.headers, source && { text: source.text, start: headersAt });
  const body = readBody(fields, source);
  const decodeContent = !headers.names.has('accept-encoding');
  return {
    identity,
    url: readUrl(fields.url),
    method: readMethod(fields.method),
    headers: withDefaults(headers, 'json' in fields),
    body,
    timeoutMs: readTimeout(fields.timeoutMs, remainingMs),
    requireMutual: readFlag(fields.requireMutual),
    decodeContent,
  };
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
function readBody(fields: InvocationFields, source: RequestText | undefined): Buffer | undefined {
  const json = source?.members.get('json');
  const { body, bodyBase64 } = fields;
  if ((json ? 1 : 0) + ('body' in fields ? 1 : 0) + ('bodyBase64' in fields ? 1 : 0) > 1) {
    throw invalidRequest('body', 'Only one of "json", "body" and "bodyBase64" may be given.');
  }
  if (source && json) return Buffer.from(source.text.slice(json.start, json.end), 'utf8');
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

function readFlag(value: unknown): boolean {
  if (value !== undefined && typeof value !== 'boolean') {
    throw invalidRequest('requireMutual', 'The field "requireMutual" must be true or false.');
  }
  return value === true;
}
