// Handles one request: checks Host and Origin, route, caller, load and body, then calls the use case.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { consoleRouteOf } from '../../console/routes.ts';
import { type ApiCall, respond } from '../../core/api.ts';
import { asCountersignError } from '../../core/errors.ts';
import { identityNamePattern, routes } from '../../core/settings.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import type { Telemetry } from '../../core/telemetry/telemetry.ts';
import { dropBody, readBody } from '../../listener/body.ts';
import { gatewayAnswer, type HttpAnswer, sendAnswer } from '../../listener/http-answer.ts';
import { connectionsOf } from '../../listener/listen.ts';
import { crossOriginError, loopbackRequestError } from '../../listener/loopback.ts';
import type { RouteMatch } from '../../listener/route.ts';
import type { Authentication } from '../auth/authentication.ts';
import { type Caller, requireAllowed } from '../auth/callers.ts';
import type { ServeLimits } from '../options.ts';
import type { UseCaseRoute, UseCases } from '../use-cases.ts';
import type { ConnectionShare } from './connection-share.ts';
import type { AdmittedCall, LoadLimit } from './load-limit.ts';
import type { RejectedRequest } from './rejection-log.ts';
import { isPageVisit, type ServeConsole } from './serve-console.ts';
import {
  healthAnswer,
  metricsAnswer,
  problemAnswer,
  type ReadinessCheck,
  type Router,
  readinessAnswer,
  serveRoutes,
  toHttpAnswer,
} from './serve-routes.ts';

export interface RequestParts {
  readonly telemetry: Telemetry;
  readonly limits: ServeLimits;
  readonly docsUrl: string;
  /** Whether requests come over TLS. */
  readonly isTls: boolean;
  /** Undefined: no authentication, every request is allowed. */
  readonly authentication: Authentication | undefined;
  /** Whether `Host` must be a loopback name. */
  readonly isOnLoopback: boolean;
  readonly routes: UseCases['byRoute'];
  readonly router: Router;
  readonly load: LoadLimit;
  readonly share: ConnectionShare;
  readonly readiness: ReadinessCheck;
  /** Undefined with --no-console. */
  readonly console: ServeConsole | undefined;
  /** Prometheus text of all processes. */
  metrics(): Promise<string>;
  onRejected(request: RejectedRequest): void;
  onIdentity(name: string): void;
}

/**
 * Never rejects.
 * @param sendContinue sends 100 Continue if the client waits for it
 */
export async function handleRequest(
  parts: RequestParts,
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
  sendContinue: () => void,
) {
  const slot: { call?: AdmittedCall } = {};
  parts.share.onRequest(request.socket);
  try {
    const answer = await answerTo(parts, request, slot, sendContinue);
    sendAnswer(request, response, answer, closesConnection(parts, server, request, answer));
    if (!response.writableFinished && !response.destroyed) await waitUntilRead(response, parts.limits.requestMs);
  } catch (thrown) {
    recordInternalError(parts.telemetry, asCountersignError(thrown), '');
    response.destroy();
  } finally {
    slot.call?.release();
  }
}

/** Whether the connection closes after this answer. With pipelined requests, the last of them closes it. */
function closesConnection(
  { authentication, share }: RequestParts,
  server: Server,
  request: IncomingMessage,
  { status }: HttpAnswer,
) {
  const isStale = authentication?.isStale(request.socket) === true;
  if (isStale && status === 401) return true;
  // A proxy in front can see another end of the request (RFC 9112, section 6.1).
  if (request.httpVersion === '1.0' && request.headers['transfer-encoding'] !== undefined) return true;
  return connectionsOf(server).isLatest(request) && (isStale || !server.listening || share.takeRelease());
}

async function answerTo(
  parts: RequestParts,
  request: IncomingMessage,
  slot: { call?: AdmittedCall },
  sendContinue: () => void,
): Promise<HttpAnswer> {
  const { method = '', url: target = '/', headers } = request;
  const invalid = invalidRequestAnswer(request);
  if (invalid !== undefined) return reject(parts, request, invalid, { code: String(invalid.status) });
  const originError = parts.isOnLoopback
    ? loopbackRequestError(headers, 'this server')
    : crossOriginError(headers, parts.isTls ? 'https' : 'http', 'this server');
  const path = target.split('?', 1)[0] as string;
  const file =
    originError === undefined || isPageVisit(headers, parts.isOnLoopback)
      ? parts.console?.page.file(method, path, headers)
      : undefined;
  if (file !== undefined) return file;
  if (originError !== undefined) return reject(parts, request, gatewayAnswer(403, originError), { code: '403' });

  let route: RouteMatch | undefined;
  try {
    route = (parts.console && consoleRouteOf(method, path)) ?? parts.router(method, path);
  } catch {
    return reject(parts, request, gatewayAnswer(400, 'Bad Request'), { code: '400' });
  }
  if (route?.routeKey === routes.health) return healthAnswer;
  if (route?.routeKey === serveRoutes.ready) return readinessAnswer(await parts.readiness.check());

  let caller: Caller | undefined;
  let body: Buffer | undefined;
  const identity = identityIn(route);
  try {
    // Before the 404: only callers may learn which routes exist.
    caller = parts.authentication?.callerOf(request);
    if (route === undefined) return reject(parts, request, gatewayAnswer(404, 'Not Found'), { code: '404' });
    requireAllowed(caller, route);
    if (route.routeKey === serveRoutes.metrics) return metricsAnswer(await parts.metrics());
    const { maxBodyBytes } = parts.limits;
    const announced = Number(headers['content-length'] ?? 0);
    if (announced > maxBodyBytes) return reject(parts, request, tooLarge, { code: '413', caller: caller?.name });
    const call = parts.load.admit(announced);
    slot.call = call;
    if (parts.console && path.startsWith('/console/')) {
      call.start();
      return await parts.console.answer(route, caller);
    }
    if (identity !== undefined) parts.onIdentity(identity);
    sendContinue();
    body = await readBody(request, maxBodyBytes, call.setBufferedBytes);
    if (body !== undefined) call.start();
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw thrown;
    // Releases the bytes of a body that did not fit.
    slot.call?.setBufferedBytes(0);
    const { code, evidence } = error;
    const reason = evidence?.reason as string | undefined;
    return reject(parts, request, problemAnswer(error, parts.docsUrl), {
      code,
      reason,
      caller: caller?.name,
      identity,
    });
  }
  if (body === undefined) {
    slot.call.setBufferedBytes(0);
    // An aborted request is not counted: it has no client to answer.
    if (request.complete || !request.destroyed) parts.onRejected({ code: '413', caller: caller?.name });
    return tooLarge;
  }
  // All other routes were answered above.
  const useCase = parts.routes[route.routeKey as UseCaseRoute];
  const { docsUrl, telemetry } = parts;
  const onInternalError = recordInternalError.bind(undefined, telemetry);
  return toHttpAnswer(await respond(useCase, apiCall(request, route, body, caller), { docsUrl, onInternalError }));
}

function apiCall(
  { url = '', headers }: IncomingMessage,
  { pathParameters }: RouteMatch,
  body: Buffer,
  caller: Caller | undefined,
): ApiCall {
  return {
    requestId: randomUUID(),
    caller: caller?.name,
    identity: pathParameters?.identity,
    body,
    stage: stageIn(url),
    accept: headers.accept,
    startedAt: performance.now(),
    // Calls are limited by timeoutMs alone: nothing ends this process while one is in flight.
    remainingMs: Number.POSITIVE_INFINITY,
  };
}

/** A repeated parameter is joined with commas, as in API Gateway's payload format 2.0. */
function stageIn(url: string): string | undefined {
  const at = url.indexOf('?');
  if (at < 0) return undefined;
  const query = new URLSearchParams(url.slice(at + 1));
  return query.has('stage') ? query.getAll('stage').join(',') : undefined;
}

/** Requires a Host (RFC 9112, section 3.2), and no Expect but 100-continue (RFC 9110, section 10.1.1). */
function invalidRequestAnswer({ headers: { host, expect }, httpVersion }: IncomingMessage): HttpAnswer | undefined {
  if (httpVersion !== '1.1') return undefined;
  if (host === undefined) return gatewayAnswer(400, 'Bad Request');
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return gatewayAnswer(417, 'Expectation Failed');
  return undefined;
}

const tooLarge = gatewayAnswer(413, 'Request Entity Too Large');

function identityIn(route: RouteMatch | undefined): string | undefined {
  const name = route?.pathParameters?.identity;
  return name !== undefined && identityNamePattern.test(name) ? name : undefined;
}

/** A shorter body is dropped before the answer, so that the connection can stay open. */
const maxDroppedBytes = 64 * 1024;

async function reject(
  { limits, onRejected }: RequestParts,
  request: IncomingMessage,
  answer: HttpAnswer,
  rejected: RejectedRequest,
): Promise<HttpAnswer> {
  onRejected({ ...rejected, sourceIp: request.socket.remoteAddress });
  const { expect, 'content-length': announced = 0 } = request.headers;
  const isShort = expect === undefined && Number(announced) <= maxDroppedBytes;
  if (isShort && !request.complete) await dropBody(request, maxDroppedBytes, limits.requestMs);
  return answer;
}

/** Until the client has read its answer, the call counts as in flight: the answer is still in memory. */
function waitUntilRead(response: ServerResponse, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), ms).unref();
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
