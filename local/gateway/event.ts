// Turns an HTTP request into the event that API Gateway sends a Lambda function: HTTP API, payload format 2.0.
import { randomBytes } from 'node:crypto';
import type { APIGatewayEventRequestContextIAMAuthorizer, APIGatewayProxyEventV2 } from 'aws-lambda';
import { type HttpRequest, toRequestEvent } from '../../listener/event.ts';
import type { RouteMatch } from '../../listener/route.ts';

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

/** What `toRequestEvent` says of the request, and what API Gateway adds: itself, the stage, who signed, and its own headers. */
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

/** Who a signature claims to be. Nothing here checks it: IAM is what stays behind when the cloud is local. */
function readSignature(authorization: string | undefined): APIGatewayEventRequestContextIAMAuthorizer | undefined {
  const accessKey = /^AWS4-HMAC-SHA256 Credential=([\w-]{1,128})\//.exec(authorization ?? '')?.[1];
  if (!accessKey) return undefined;
  return {
    iam: {
      accessKey,
      accountId: localAccountId,
      callerId: accessKey,
      cognitoIdentity: null,
      principalOrgId: '',
      userArn: `arn:aws:iam::${localAccountId}:user/local`,
      userId: accessKey,
    },
  };
}

/** `12/Mar/2020:19:03:58 +0000`, the form of an access log. */
function accessLogTime(date: Date): string {
  const [, , month = ''] = date.toUTCString().split(' ');
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${two(date.getUTCDate())}/${month}/${date.getUTCFullYear()}:${time} +0000`;
}

/** X-Ray's trace header: version, seconds since 1970 as hex, 96 random bits. */
function traceId(date: Date): string {
  return `Root=1-${Math.floor(date.getTime() / 1000).toString(16)}-${randomBytes(12).toString('hex')}`;
}
