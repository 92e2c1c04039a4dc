// One request, checked from the outside in (page, route, caller, load, body) and handed to its use case.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { consoleRouteOf } from '../../console/routes.ts';
import { type ApiCall, respond } from '../../core/api.ts';
import { asCountersignError } from '../../core/errors.ts';
import { identityNamePattern, routes } from '../../core/settings.ts';
import { recordInternalError } from '../../core/telemetry/events.ts';
import type { Telemetry } from '../../core/telemetry/telemetry.ts';
import { dropBody, readBody } from '../../listener/body.ts';
import { crossOriginError, loopbackRequestError } from '../../listener/browser-guard.ts';
import { gatewayAnswer, type HttpAnswer, sendAnswer } from '../../listener/http-answer.ts';
import { connectionsOf } from '../../listener/listen.ts';
import type { RouteMatch } from '../../listener/route.ts';
import type { Authentication } from '../auth/authentication.ts';
import { type Caller, requireAllowed } from '../auth/callers.ts';
import type { ServeLimits } from '../options.ts';
import type { ReadinessCheck } from '../readiness.ts';
import type { UseCaseRoute, UseCases } from '../use-cases.ts';
import type { AdmittedCall, LoadLimit } from './load-limit.ts';
import type { RejectedRequest } from './rejection-log.ts';
import { isPageVisit, type ServeConsole } from './serve-console.ts';
import {
  healthAnswer,
  metricsAnswer,
  problemAnswer,
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
  /** Undefined: every caller may use every identity. */
  readonly authentication: Authentication | undefined;
  /** Whether requests must be sent to a name of this machine. */
  readonly isOnLoopback: boolean;
  readonly routes: UseCases['byRoute'];
  readonly router: Router;
  readonly load: LoadLimit;
  readonly readiness: ReadinessCheck;
  /** Undefined: there is no page for people. */
  readonly console: ServeConsole | undefined;
  /** Prometheus' text, of all processes. */
  metrics(): Promise<string>;
  onRefused(request: RejectedRequest): void;
  onIdentity(name: string): void;
}

/** Never rejects. */
export async function serveOne(
  parts: RequestParts,
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
  goOn: () => void,
) {
  const call: { taken?: AdmittedCall } = {};
  try {
    const answer = await answerTo(parts, request, call, goOn);
    sendAnswer(request, response, answer, isLast(parts, server, request, answer));
    if (!response.writableFinished && !response.destroyed) await read(response, parts.limits.requestMs);
  } catch (thrown) {
    recordInternalError(parts.telemetry, asCountersignError(thrown), '');
    response.destroy();
  } finally {
    call.taken?.release();
  }
}

/** With requests behind it that are in flight, too, the last of them ends the connection. */
function isLast({ authentication }: RequestParts, server: Server, request: IncomingMessage, { status }: HttpAnswer) {
  const isStale = authentication?.isStale(request.socket) === true;
  if (isStale && status === 401) return true;
  return (isStale || !server.listening) && connectionsOf(server).isLatest(request);
}

/** `goOn` tells whoever waits for that to send the body. */
async function answerTo(
  parts: RequestParts,
  request: IncomingMessage,
  call: { taken?: AdmittedCall },
  goOn: () => void,
): Promise<HttpAnswer> {
  const { method = '', url: target = '/', headers } = request;
  const unread = unreadable(request);
  if (unread !== undefined) return turnAway(parts, request, unread, { code: String(unread.status) });
  const page = parts.isOnLoopback
    ? loopbackRequestError(headers, 'this server')
    : crossOriginError(headers, parts.isTls ? 'https' : 'http', 'this server');
  const path = target.split('?', 1)[0] as string;
  const file =
    page === undefined || isPageVisit(headers, parts.isOnLoopback)
      ? parts.console?.page.file(method, path, headers)
      : undefined;
  if (file !== undefined) return file;
  if (page !== undefined) return turnAway(parts, request, gatewayAnswer(403, page), { code: '403' });

  let route: RouteMatch | undefined;
  try {
    route = (parts.console && consoleRouteOf(method, path)) ?? parts.router(method, path);
  } catch {
    return turnAway(parts, request, gatewayAnswer(400, 'Bad Request'), { code: '400' });
  }
  if (route?.routeKey === routes.health) return healthAnswer;
  if (route?.routeKey === serveRoutes.ready) return readinessAnswer(await parts.readiness.check());

  let caller: Caller | undefined;
  let body: Buffer | undefined;
  const identity = nameIn(route);
  try {
    // Before a route that is not there: what there is concerns callers alone.
    caller = parts.authentication?.callerOf(request);
    if (route === undefined) return turnAway(parts, request, gatewayAnswer(404, 'Not Found'), { code: '404' });
    requireAllowed(caller, route);
    if (route.routeKey === serveRoutes.metrics) return metricsAnswer(await parts.metrics());
    const { maxBodyBytes } = parts.limits;
    const announced = Number(headers['content-length'] ?? 0);
    if (announced > maxBodyBytes) return turnAway(parts, request, tooLarge, { code: '413', caller: caller?.name });
    const taken = parts.load.take(announced);
    call.taken = taken;
    if (parts.console && path.startsWith('/console/')) {
      taken.begin();
      return await parts.console.answer(route, caller);
    }
    if (identity !== undefined) parts.onIdentity(identity);
    goOn();
    body = await readBody(request, maxBodyBytes, taken.hold);
    if (body !== undefined) taken.begin();
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw thrown;
    // Of a body that did not fit.
    call.taken?.hold(0);
    const { code, evidence } = error;
    const reason = evidence?.reason as string | undefined;
    return turnAway(parts, request, problemAnswer(error, parts.docsUrl), {
      code,
      reason,
      caller: caller?.name,
      identity,
    });
  }
  if (body === undefined) {
    call.taken.hold(0);
    // What ended early has nobody left to answer.
    if (request.complete || !request.destroyed) parts.onRefused({ code: '413', caller: caller?.name });
    return tooLarge;
  }
  // Every other route has been answered.
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

/** A parameter that stands twice is joined by a comma, as in API Gateway's payload format 2.0. */
function stageIn(url: string): string | undefined {
  const at = url.indexOf('?');
  if (at < 0) return undefined;
  const query = new URLSearchParams(url.slice(at + 1));
  return query.has('stage') ? query.getAll('stage').join(',') : undefined;
}

/** RFC 9112, section 3.2: a request has a Host; RFC 9110, section 10.1.1: of what it may expect there is one thing. */
function unreadable({ headers: { host, expect }, httpVersion }: IncomingMessage): HttpAnswer | undefined {
  if (httpVersion !== '1.1') return undefined;
  if (host === undefined) return gatewayAnswer(400, 'Bad Request');
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return gatewayAnswer(417, 'Expectation Failed');
  return undefined;
}

const tooLarge = gatewayAnswer(413, 'Request Entity Too Large');

function nameIn(route: RouteMatch | undefined): string | undefined {
  const name = route?.pathParameters?.identity;
  return name !== undefined && identityNamePattern.test(name) ? name : undefined;
}

/** A body that is not longer is read and dropped before the answer, so that the connection can stay. */
const readBeforeRefusalBytes = 64 * 1024;

async function turnAway(
  { limits, onRefused }: RequestParts,
  request: IncomingMessage,
  answer: HttpAnswer,
  refused: RejectedRequest,
): Promise<HttpAnswer> {
  onRefused({ ...refused, sourceIp: request.socket.remoteAddress });
  const { expect, 'content-length': announced = 0 } = request.headers;
  const isShort = expect === undefined && Number(announced) <= readBeforeRefusalBytes;
  if (isShort && !request.complete) await dropBody(request, readBeforeRefusalBytes, limits.requestMs);
  return answer;
}

/** An answer that its caller has not read yet takes as much room as a call in flight, and counts as one. */
function read(response: ServerResponse, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), ms).unref();
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
