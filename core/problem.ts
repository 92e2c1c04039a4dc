// The problem document: how a failure is told to the caller (RFC 9457), and nothing that must stay inside.
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { CountersignError } from './errors.ts';

/** An identity is read again after seconds, and a throttled Secrets Manager recovers in as many. */
const retryAfterSeconds = 5;

/** `docsUrl` ends in a slash: an entry of docs/errors.md stands below it for each code. The cause is never shown. */
export function problemDocument(
  error: CountersignError,
  requestId: string,
  docsUrl: string,
): APIGatewayProxyStructuredResultV2 {
  const document = {
    type: `${docsUrl}errors.md#${error.code}`,
    title: error.title,
    status: error.status,
    code: error.code,
    // JSON leaves undefined members out.
    step: error.step,
    detail: error.message,
    hint: error.hint,
    retryable: error.retryable,
    evidence: error.evidence,
    requestId,
  };
  return {
    statusCode: error.status,
    headers: {
      'content-type': 'application/problem+json',
      // RFC 9110, section 10.2.3: a 503 says when to come back.
      ...(error.status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}),
    },
    body: JSON.stringify(document),
  };
}
