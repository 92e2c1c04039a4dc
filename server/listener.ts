// One process' server: each request is checked from the outside in (page, route, caller, load, body) and handed to its door.

import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { consoleRouteOf, consoleRoutes } from '../console/routes.ts';
import { identityNamePattern, routes } from '../functions/config.ts';
import { asCountersignError, CountersignError } from '../functions/errors.ts';
import type { Door } from '../functions/message/door.ts';
import { recordInternalError } from '../functions/telemetry/events.ts';
import {
  gatewayAnswer,
  type HttpAnswer,
  type StructuredResult,
  sendAnswer,
  toStructuredAnswer,
} from '../gateway/answer.ts';
import { readBody } from '../gateway/body.ts';
import { toRequestEvent } from '../gateway/event.ts';
import { refusal, refusalOfPage } from '../gateway/guard.ts';
import type { RouteMatch } from '../gateway/route.ts';
import type { Authentication } from './authentication.ts';
import { type Caller, mayUse } from './callers.ts';
import { doorContext } from './doors.ts';
import type { Load } from './load.ts';
import type { ServeLimits } from './options.ts';
import { isPersonsVisit, type OwnConsole } from './own-console.ts';
import { healthAnswer, metricsAnswer, ownRoutes, problemAnswer, readinessAnswer, routeOf } from './own-routes.ts';
import type { ReadinessCheck } from './readiness.ts';
import type { Refusal } from './refusals.ts';
import type { ServerTrust } from './trust.ts';

export interface ListenerParts {
  readonly limits: ServeLimits;
  readonly docsUrl: string;
  /** Undefined: plain HTTP. */
  readonly trust: ServerTrust | undefined;
  readonly wantsClientCertificates: boolean;
  /** Undefined: every caller may use every identity. */
  readonly authentication: Authentication | undefined;
  /** Whether requests must be sent to a name of this machine. */
  readonly isOnLoopback: boolean;
  readonly doors: Readonly<Record<string, Door>>;
  readonly load: Load;
  readonly readiness: ReadinessCheck;
  /** Undefined: there is no page for people. */
  readonly console: OwnConsole | undefined;
  /** Prometheus' text, of all processes. */
  metrics(): Promise<string>;
  onRefused(refusal: Refusal): void;
  onIdentity(name: string): void;
}

/** Not listening yet. */
export function createListener(parts: ListenerParts): Server {
  const { limits, trust, authentication } = parts;
  const options: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headerMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 1_000,
    // A request that could be read in two ways is not read at all.
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    request.on('error', ignored);
    response.on('error', ignored);
    serveOne(parts, server, request, response);
  };
  const server: Server = trust
    ? createTlsServer(
        {
          ...options,
          ...trust.context,
          handshakeTimeout: limits.headerMs,
          requestCert: parts.wantsClientCertificates,
          // Told in HTTP, with a sentence, and health needs none.
          rejectUnauthorized: false,
        },
        onRequest,
      )
    : createServer(options, onRequest);
  server.maxConnections = limits.maxConnections;
  // An answer that nobody reads, and whatever else stands still for longer than any call may take.
  server.setTimeout(limits.requestMs + 30_000, (socket) => socket.destroy());
  if (authentication) server.on('connection', (socket) => authentication.began(socket));
  return server;
}

async function serveOne(parts: ListenerParts, server: Server, request: IncomingMessage, response: ServerResponse) {
  let release: (() => void) | undefined;
  try {
    const answer = await answerTo(parts, request, (taken) => {
      release = taken;
    });
    sendAnswer(request, response, answer, !server.listening);
    if (!response.writableFinished && !response.destroyed) await read(response, parts.limits.requestMs);
  } catch (thrown) {
    recordInternalError(asCountersignError(thrown), '');
    response.destroy();
  } finally {
    release?.();
  }
}

async function answerTo(
  parts: ListenerParts,
  request: IncomingMessage,
  taken: (release: () => void) => void,
): Promise<HttpAnswer> {
  const { method = '', url: target = '/', headers } = request;
  const page = parts.isOnLoopback
    ? refusal(headers, 'this server')
    : refusalOfPage(headers, parts.trust ? 'https' : 'http', 'this server');
  const path = target.split('?', 1)[0] as string;
  const file =
    page === undefined || isPersonsVisit(headers, parts.isOnLoopback)
      ? parts.console?.page.file(method, path, headers)
      : undefined;
  if (file !== undefined) return file;
  if (page !== undefined) return turnAway(parts, request, gatewayAnswer(403, page), { code: '403' });

  let route: RouteMatch | undefined;
  try {
    route = (parts.console && consoleRouteOf(method, path)) ?? routeOf(method, target);
  } catch {
    return turnAway(parts, request, gatewayAnswer(400, 'Bad Request'), { code: '400' });
  }
  if (route?.routeKey === routes.health) return healthAnswer;
  if (route?.routeKey === ownRoutes.ready) return readinessAnswer(await parts.readiness.check());

  let caller: Caller | undefined;
  const identity = nameIn(route);
  try {
    // Before a route that is not there: what there is concerns callers alone.
    caller = parts.authentication?.callerOf(request);
    if (route === undefined) return turnAway(parts, request, gatewayAnswer(404, 'Not Found'), { code: '404' });
    requireAllowed(caller, route);
    if (route.routeKey === ownRoutes.metrics) return metricsAnswer(await parts.metrics());
    const { maxBodyBytes } = parts.limits;
    const announced = headers['content-length'];
    const bytes = announced === undefined ? (headers['transfer-encoding'] ? maxBodyBytes : 0) : Number(announced);
    if (bytes > maxBodyBytes) return turnAway(parts, request, tooLarge, { code: '413', caller: caller?.name });
    taken(parts.load.take(bytes));
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') throw thrown;
    const { code, evidence } = error;
    const reason = evidence?.reason as string | undefined;
    return turnAway(parts, request, problemAnswer(error, parts.docsUrl), {
      code,
      reason,
      caller: caller?.name,
      identity,
    });
  }
  if (parts.console && path.startsWith('/console/')) return parts.console.answer(route, caller);
  if (identity !== undefined) parts.onIdentity(identity);

  const body = await readBody(request, parts.limits.maxBodyBytes);
  if (body === undefined) {
    // What ended early has nobody left to answer.
    if (request.complete || !request.destroyed) parts.onRefused({ code: '413', caller: caller?.name });
    return tooLarge;
  }
  const door = parts.doors[route.routeKey] as Door;
  const made = await door(eventOf(request, route, body, caller), doorContext);
  const answer = toStructuredAnswer(made as StructuredResult);
  if (answer === undefined) throw new Error('The function gave an answer that is none.');
  if (route.routeKey === routes.diagnoses && answer.status === 200) parts.console?.diagnosed(String(answer.body));
  return answer;
}

const tooLarge = gatewayAnswer(413, 'Request Entity Too Large');

/** Throws `caller-forbidden`. */
function requireAllowed(caller: Caller | undefined, route: RouteMatch): void {
  if (caller === undefined) return;
  if (route.routeKey === ownRoutes.metrics) {
    if (caller.metrics) return;
    throw new CountersignError('caller-forbidden', `The caller ${caller.name} may not read the metrics.`, {
      evidence: { reason: 'metrics' },
      hint: 'Whoever runs this installation must give the caller "metrics": true.',
    });
  }
  // Of that, everybody is shown what he may use.
  if (route.routeKey === consoleRoutes.state) return;
  const identity = route.pathParameters?.identity ?? '';
  if (mayUse(caller, identity)) return;
  throw new CountersignError('caller-forbidden', `The caller ${caller.name} may not use that identity.`, {
    evidence: { reason: 'identity' },
  });
}

function nameIn(route: RouteMatch | undefined): string | undefined {
  const name = route?.pathParameters?.identity;
  return name !== undefined && identityNamePattern.test(name) ? name : undefined;
}

function eventOf(
  { method = '', url: target = '/', httpVersion, rawHeaders, headers, socket }: IncomingMessage,
  route: RouteMatch,
  body: Buffer,
  caller: Caller | undefined,
) {
  const event = toRequestEvent({ method, target, httpVersion, rawHeaders, body }, route, isUtf8);
  return {
    ...event,
    requestContext: {
      requestId: randomUUID(),
      routeKey: route.routeKey,
      stage: '$default',
      domainName: headers.host ?? '',
      timeEpoch: Date.now(),
      http: {
        method,
        path: event.rawPath,
        protocol: `HTTP/${httpVersion}`,
        sourceIp: socket.remoteAddress ?? '',
        userAgent: headers['user-agent'] ?? '',
      },
      ...(caller && { authorizer: { lambda: { caller: caller.name } } }),
    },
  };
}

/** Whoever is cut off while it sends does not see the answer: a little is read first, and dropped. */
const readBeforeRefusalBytes = 64 * 1024;

async function turnAway(
  parts: ListenerParts,
  request: IncomingMessage,
  answer: HttpAnswer,
  refused: Refusal,
): Promise<HttpAnswer> {
  parts.onRefused({ ...refused, sourceIp: request.socket.remoteAddress });
  if (!request.complete && !request.destroyed) await readBody(request, readBeforeRefusalBytes);
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

function ignored(): void {}
