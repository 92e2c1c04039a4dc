// What API Gateway hands over: the identity in the path, and the body as text.
import { isUtf8 } from 'node:buffer';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { CountersignError } from '../../core/errors.ts';
import { requireIdentityName } from '../../core/identity/name.ts';

/** `field` is the field of the request that is wrong, `detail` one sentence without any of its values. */
export function invalidRequest(field: string, detail: string): CountersignError {
  return new CountersignError('invalid-request', detail, { evidence: { field } });
}

/** The `{identity}` of the route. Throws `invalid-request` when there is none, `identity-not-found` when none can have it. */
export function identityName(event: APIGatewayProxyEventV2): string {
  const name: unknown = event.pathParameters?.identity;
  if (typeof name !== 'string') throw invalidRequest('identity', 'The path names no identity.');
  requireIdentityName(name);
  return name;
}

/**
 * Who calls, where the installation knows callers by itself: it says so as a Lambda authorizer would (AWS: HTTP APIs, "Control
 * access with AWS Lambda authorizers", context). With IAM the access log has the caller.
 */
export function callerName(event: APIGatewayProxyEventV2): string | undefined {
  const { authorizer } = event.requestContext as { authorizer?: { lambda?: { caller?: unknown } } };
  const caller = authorizer?.lambda?.caller;
  return typeof caller === 'string' ? caller : undefined;
}

/** The body of the request; API Gateway hands over as base64 what it does not take for text. Throws `invalid-request`. */
export function bodyText(event: APIGatewayProxyEventV2): string {
  const body: unknown = event.body;
  if (typeof body !== 'string' || body === '') throw invalidRequest('body', 'The request has no body.');
  if (event.isBase64Encoded !== true) {
    if (!body.isWellFormed()) throw notUtf8();
    return body;
  }
  const bytes = Buffer.from(body, 'base64');
  if (!isUtf8(bytes)) throw notUtf8();
  return bytes.toString('utf8');
}

function notUtf8(): CountersignError {
  return invalidRequest('body', 'The request body is not UTF-8.');
}
