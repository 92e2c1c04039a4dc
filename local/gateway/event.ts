// The payload format 2.0 of an HTTP API: the event of a request, and the HTTP response of a function's result.
import { randomBytes } from 'node:crypto';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { APIGatewayEventRequestContextIAMAuthorizer, APIGatewayProxyEventV2 } from 'aws-lambda';
import { gatewayAnswer, type HttpAnswer } from '../../listener/http-answer.ts';
import type { RouteMatch } from '../../listener/route.ts';

interface HttpRequest {
  readonly method: string;
  /** Path and query, as they stand in the request line. */
  readonly target: string;
  /** `1.1` */
  readonly httpVersion: string;
  /** Name, value, name, value, … as they were received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface ReceivedRequest extends HttpRequest {
  readonly sourceIp: string;
  /** The port the gateway listens on. */
  readonly port: number;
  readonly receivedAt: Date;
  /** API Gateway's request id, not Lambda's. */
  readonly requestId: string;
}

type RequestContext = APIGatewayProxyEventV2['requestContext'];
/** The event of a route with IAM authorization: the context has an authorizer when the request was signed. */
export type GatewayEvent = Omit<APIGatewayProxyEventV2, 'requestContext'> & {
  readonly requestContext: RequestContext & { readonly authorizer?: APIGatewayEventRequestContextIAMAuthorizer };
};

export const localAccountId = '000000000000';

/**
 * What `toRequestEvent` says of the request, and what API Gateway adds: itself, the stage, who signed, and its own
 * headers.
 */
export function toEvent(request: ReceivedRequest, route: RouteMatch): GatewayEvent {
  const event = toRequestEvent(request, route, (_, headers) => textual.test(headers['content-type'] ?? ''));
  const { headers, rawPath: path } = event;
  addGatewayHeaders(headers, request);
  const domainName = (headers.host ?? 'localhost').replace(/:\d+$/, '');
  const authorizer = readSignature(headers.authorization);
  return {
    ...event,
    requestContext: {
      accountId: localAccountId,
      apiId: 'local',
      ...(authorizer && { authorizer }),
      domainName,
      domainPrefix: domainName.split('.')[0] ?? domainName,
      http: {
        method: request.method,
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: request.requestId,
      routeKey: route.routeKey,
      stage: '$default',
      time: accessLogTime(request.receivedAt),
      timeEpoch: request.receivedAt.getTime(),
    },
  };
}

/** The content types whose body arrives as text; a form and a missing type are base64 (observed of the service). */
const textual = /^(text\/[^;]+|application\/(json|xml|javascript))\s*(;|$)/i;

function addGatewayHeaders(headers: Record<string, string>, request: ReceivedRequest): void {
  const forwardedFor = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = forwardedFor ? `${forwardedFor}, ${request.sourceIp}` : request.sourceIp;
  headers['x-forwarded-port'] = String(request.port);
  headers['x-forwarded-proto'] = 'http';
  headers['x-amzn-trace-id'] ??= traceId(request.receivedAt);
}

/** The access key of a signature. Nothing here checks it: IAM is what stays behind when the cloud is local. */
export function accessKeyOf(authorization: string | undefined): string | undefined {
  return /^AWS4-HMAC-SHA256 Credential=([\w-]{1,128})\//.exec(authorization ?? '')?.[1];
}

export const localUserArn = `arn:aws:iam::${localAccountId}:user/local`;

/** Who a signature claims to be. */
function readSignature(authorization: string | undefined): APIGatewayEventRequestContextIAMAuthorizer | undefined {
  const accessKey = accessKeyOf(authorization);
  if (!accessKey) return undefined;
  return {
    iam: {
      accessKey,
      accountId: localAccountId,
      callerId: accessKey,
      cognitoIdentity: null,
      principalOrgId: '',
      userArn: localUserArn,
      userId: accessKey,
    },
  };
}

/** `12/Mar/2020:19:03:58 +0000`, the form of an access log. */
export function accessLogTime(date: Date): string {
  const [, , month = ''] = date.toUTCString().split(' ');
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${two(date.getUTCDate())}/${month}/${date.getUTCFullYear()}:${time} +0000`;
}

/** X-Ray's trace header: version, seconds since 1970 as hex, 96 random bits. */
export function traceId(date: Date): string {
  return `Root=1-${Math.floor(date.getTime() / 1000).toString(16)}-${randomBytes(12).toString('hex')}`;
}

/** An event without what only the installation knows: its account, its stage, who called. */
interface RequestEvent {
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
 * @param isText whether a body is passed as text, by the body and the lower-case header names; otherwise it is
 * base64
 */
function toRequestEvent(
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
export function emptyRecord(): Record<string, string> {
  return Object.create(null);
}

export function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
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

export function isHeader(name: string, value: unknown): boolean {
  if (!['string', 'number', 'boolean'].includes(typeof value)) return false;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, String(value));
    return true;
  } catch {
    return false;
  }
}
