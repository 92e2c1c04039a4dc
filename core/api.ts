// The HTTP API without its server: what a route receives, what it returns, and the problem document of a failure.
import { randomUUID } from 'node:crypto';
import { asCountersignError, type CountersignError } from './errors.ts';
import { routes } from './settings.ts';

/** One request to a route. Shells (Lambda, `serve`) translate their own requests into it. */
export interface ApiCall {
  readonly requestId: string;
  /** Name of the caller, where the installation knows callers; on AWS the ARN that signed. */
  readonly caller: string | undefined;
  /** `{identity}` of the path, decoded and not yet checked. */
  readonly identity: string | undefined;
  readonly body: string | Buffer | undefined;
  /** The query parameter `stage`. */
  readonly stage?: string | undefined;
  /** The `Accept` header. */
  readonly accept?: string | undefined;
  /** performance.now() when the whole request had arrived. */
  readonly startedAt: number;
  /** Milliseconds until the platform ends the call; infinite where it never does. */
  readonly remainingMs: number;
}

export interface ApiResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Throws CountersignError. */
export type ApiRoute = (call: ApiCall) => Promise<ApiResponse>;

export interface ApiSettings {
  /** URL of the folder that holds errors.md; ends in a slash. */
  readonly docsUrl: string;
  /** Called for every `internal-error`, whose cause the caller does not see. Must not throw. */
  readonly onInternalError?: (error: CountersignError, requestId: string) => void;
}

/** RFC 9457. Members that are undefined are left out of the JSON. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  /** Step of the handshake that failed, 1 to 5. */
  readonly step?: number | undefined;
  readonly detail: string;
  readonly hint?: string | undefined;
  readonly retryable: boolean;
  readonly evidence?: Readonly<Record<string, unknown>> | undefined;
  /** What to post to find the cause; its absence means that a diagnosis would find no more. */
  readonly diagnosis?: { readonly route: string; readonly body: { readonly url: string } } | undefined;
  readonly requestId: string;
}

/** The cause of the error is never part of the document. */
export function problemDocument(error: CountersignError, requestId: string, docsUrl: string): ProblemDocument {
  return {
    type: `${docsUrl}errors.md#${error.code}`,
    title: error.title,
    status: error.status,
    code: error.code,
    step: error.step,
    detail: error.message,
    hint: error.hint,
    retryable: error.retryable,
    evidence: error.evidence,
    diagnosis: error.diagnosis && {
      route: routes.diagnoses.replace('{identity}', error.diagnosis.identity),
      body: { url: error.diagnosis.url },
    },
    requestId,
  };
}

/** Seconds. An identity is read again after some seconds, and a throttled Secrets Manager recovers as fast. */
const retryAfterSeconds = 5;

export function problemResponse(error: CountersignError, requestId: string, docsUrl: string): ApiResponse {
  return {
    status: error.status,
    headers: {
      'content-type': 'application/problem+json',
      // RFC 9110, section 10.2.3: a 503 says when to come back.
      ...(error.status === 503 && error.retryable ? { 'retry-after': String(retryAfterSeconds) } : {}),
    },
    body: JSON.stringify(problemDocument(error, requestId, docsUrl)),
  };
}

export function jsonResponse(text: string): ApiResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: text };
}

/**
 * Responses hold tokens, balances, addresses: no cache between here and the orchestrator may keep one. A browser that
 * opens one must not take text of a customer for a page.
 */
export function withCommonHeaders(response: ApiResponse, requestId: string): ApiResponse {
  const headers = {
    'cache-control': 'no-store',
    ...response.headers,
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
  };
  return { status: response.status, headers, body: response.body };
}

/** Answers a call; a failure becomes a problem document. Never rejects. */
export async function respond(route: ApiRoute, call: ApiCall, settings: ApiSettings): Promise<ApiResponse> {
  const { requestId } = call;
  try {
    return withCommonHeaders(await route(call), requestId);
  } catch (thrown) {
    return withCommonHeaders(failureResponse(thrown, requestId, settings), requestId);
  }
}

export function failureResponse(
  thrown: unknown,
  requestId: string,
  { docsUrl, onInternalError }: ApiSettings,
): ApiResponse {
  const error = asCountersignError(thrown);
  if (error.code === 'internal-error') onInternalError?.(error, requestId);
  return problemResponse(error, requestId, docsUrl);
}

/** The first of the given ids that can stand in a header, else a new one. */
export function requestIdFrom(...ids: readonly unknown[]): string {
  for (const id of ids) if (typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id)) return id;
  return randomUUID();
}
