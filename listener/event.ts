// Turns an HTTP request into what every event of payload format 2.0 says of it, wherever the functions run.
import type { RouteMatch } from './route.ts';

export interface HttpRequest {
  readonly method: string;
  /** Path and query, as they stand in the request line. */
  readonly target: string;
  /** `1.1` */
  readonly httpVersion: string;
  /** Name, value, name, value, … as they were received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** An event without what only the installation knows: its account, its stage, who called. */
export interface RequestEvent {
  readonly version: '2.0';
  readonly routeKey: string;
  /** Decoded. */
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: string[];
  readonly headers: Record<string, string>;
  readonly queryStringParameters?: Record<string, string>;
  readonly body?: string;
  readonly pathParameters?: Record<string, string>;
  readonly isBase64Encoded: boolean;
}

/** They concern one connection (RFC 9110, section 7.6.1), so a gateway does not hand them on. */
export const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Fields: AWS, "Create AWS Lambda proxy integrations for HTTP APIs", payload format 2.0. What that page leaves open
 * follows what was observed of the service: names in lower case, `rawPath` decoded, the query as it was sent, cookies
 * in their own field alone, and no field at all for a query, a cookie, a variable or a body that is not there.
 * @param isText tells of the body and the headers' names in lower case whether the body is handed over as text; it is base64 otherwise
 */
export function toRequestEvent(
  request: HttpRequest,
  route: RouteMatch,
  isText: (body: Buffer, headers: Readonly<Record<string, string>>) => boolean,
): RequestEvent {
  const [encodedPath = '/', rawQueryString = ''] = splitOnce(request.target, '?');
  const { headers, cookies } = readHeaders(request.rawHeaders);
  headers['content-length'] = String(request.body.length);
  const query = readQuery(rawQueryString);
  const hasBody = request.body.length > 0;
  const asText = hasBody && isText(request.body, headers);
  return {
    version: '2.0',
    routeKey: route.routeKey,
    rawPath: decodeURIComponent(encodedPath),
    rawQueryString,
    ...(cookies.length > 0 && { cookies }),
    headers,
    ...(query && { queryStringParameters: query }),
    ...(hasBody && { body: request.body.toString(asText ? 'utf8' : 'base64') }),
    ...(route.pathParameters && { pathParameters: { ...route.pathParameters } }),
    isBase64Encoded: hasBody && !asText,
  };
}

function readHeaders(rawHeaders: readonly string[]): { headers: Record<string, string>; cookies: string[] } {
  const headers = emptyRecord();
  const cookies: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    const value = rawHeaders[index + 1] as string;
    if (connectionHeaders.has(name)) continue;
    if (name === 'cookie') cookies.push(...value.split(/;\s*/).filter(Boolean));
    else headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  return { headers, cookies };
}

function readQuery(rawQueryString: string): Record<string, string> | undefined {
  if (rawQueryString === '') return undefined;
  const query = emptyRecord();
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    query[name] = query[name] === undefined ? value : `${query[name]},${value}`;
  }
  return query;
}

/** Without a prototype: a header or a parameter may be called `constructor`. */
function emptyRecord(): Record<string, string> {
  return Object.create(null);
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
