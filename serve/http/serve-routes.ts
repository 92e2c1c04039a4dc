// The routes that an installation of one's own adds, and the answers that are not a function's.
import { randomUUID } from 'node:crypto';
import { type ApiResponse, problemResponse } from '../../core/api.ts';
import { BoundedMap } from '../../core/bounded-map.ts';
import type { CountersignError } from '../../core/errors.ts';
import { routes } from '../../core/settings.ts';
import type { HttpAnswer } from '../../listener/http-answer.ts';
import { matchRoute, type RouteKey, type RouteMatch } from '../../listener/route.ts';
import type { Readiness } from '../readiness.ts';

export const ownRoutes = { ready: 'GET /v1/ready', metrics: 'GET /metrics' } as const;

const routeKeys: readonly RouteKey[] = [...Object.values(routes), ...Object.values(ownRoutes)];

/** A path that was matched is matched alike the next time; there are a few for each identity. */
const matched = new BoundedMap<string, RouteMatch>({ maxEntries: 1_000 });

/** What the server itself answers; HEAD asks for it as GET does (RFC 9110, section 9.3.2). Of a function, there is no HEAD. */
const answeredHere = new Set<RouteKey>([routes.health, ...Object.values(ownRoutes)]);

/** `target` with its query. Throws URIError when the path is not valid percent-encoding. */
export function routeOf(method: string, target: string): RouteMatch | undefined {
  const end = target.indexOf('?');
  const path = end < 0 ? target : target.slice(0, end);
  const key = `${method} ${path}`;
  const known = matched.get(key);
  if (known !== undefined) return known;
  const route = matchRoute(routeKeys, method === 'HEAD' ? 'GET' : method, path);
  if (route === undefined || (method === 'HEAD' && !answeredHere.has(route.routeKey))) return undefined;
  matched.set(key, route);
  return route;
}

const json = ['content-type', 'application/json', 'cache-control', 'no-store'];

export const healthAnswer: HttpAnswer = { status: 200, headers: json, body: JSON.stringify({ status: 'ok' }) };

export function readinessAnswer(readiness: Readiness): HttpAnswer {
  const isReady = readiness === 'ready';
  const body = isReady ? { status: 'ready' } : { status: 'not-ready', reason: readiness };
  return { status: isReady ? 200 : 503, headers: json, body: JSON.stringify(body) };
}

/** Prometheus' text format, version 0.0.4. */
export function metricsAnswer(text: string): HttpAnswer {
  const type = 'text/plain; version=0.0.4; charset=utf-8';
  return { status: 200, headers: ['content-type', type, 'cache-control', 'no-store'], body: text };
}

export function toHttpAnswer({ status, headers, body }: ApiResponse): HttpAnswer {
  return { status, headers: Object.entries(headers).flat(), body };
}

/** RFC 9110, section 11.6.1: a 401 says how to authenticate; RFC 6750, section 3, what was wrong with a token. */
export function problemAnswer(error: CountersignError, docsUrl: string): HttpAnswer {
  const requestId = randomUUID();
  const answer = toHttpAnswer(problemResponse(error, requestId, docsUrl));
  const headers = [...answer.headers, 'cache-control', 'no-store', 'x-request-id', requestId];
  if (error.status === 401) {
    const isToken = error.evidence?.reason === 'token-unknown';
    headers.push('www-authenticate', `Bearer realm="countersign"${isToken ? ', error="invalid_token"' : ''}`);
  }
  return { ...answer, headers };
}
