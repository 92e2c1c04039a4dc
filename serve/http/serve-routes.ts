// The routes that `serve` adds to the API, and the answers that the server gives itself.
import { randomUUID } from 'node:crypto';
import { type ApiResponse, problemResponse } from '../../core/api.ts';
import { BoundedMap } from '../../core/bounded-map.ts';
import type { CountersignError } from '../../core/errors.ts';
import { routes } from '../../core/settings.ts';
import type { HttpAnswer } from '../../listener/http-answer.ts';
import { matchRoute, type RouteKey, type RouteMatch } from '../../listener/route.ts';
import type { Readiness } from '../readiness.ts';

export const serveRoutes = { ready: 'GET /v1/ready', metrics: 'GET /metrics' } as const;

const routeKeys: readonly RouteKey[] = [...Object.values(routes), ...Object.values(serveRoutes)];

/** The only routes that answer HEAD (RFC 9110, section 9.3.2); API Gateway has no HEAD for the others. */
const headRoutes = new Set<RouteKey>([routes.health, ...Object.values(serveRoutes)]);

/** `path` without its query. Throws URIError if it is not valid percent-encoding. */
export type Router = (method: string, path: string) => RouteMatch | undefined;

/** Remembers its matches: there are a few paths for each identity. */
export function createRouter(): Router {
  const matches = new BoundedMap<string, RouteMatch>({ maxEntries: 1_000 });
  return (method, path) => {
    const key = `${method} ${path}`;
    const known = matches.get(key);
    if (known !== undefined) return known;
    const route = matchRoute(routeKeys, method === 'HEAD' ? 'GET' : method, path);
    if (route === undefined || (method === 'HEAD' && !headRoutes.has(route.routeKey))) return undefined;
    matches.set(key, route);
    return route;
  };
}

const json = ['content-type', 'application/json', 'cache-control', 'no-store'];

export const healthAnswer: HttpAnswer = { status: 200, headers: json, body: JSON.stringify({ status: 'ok' }) };

export function readinessAnswer(readiness: Readiness): HttpAnswer {
  const isReady = readiness === 'ready';
  const body = isReady ? { status: 'ready' } : { status: 'not-ready', reason: readiness };
  return { status: isReady ? 200 : 503, headers: json, body: JSON.stringify(body) };
}

/** Prometheus text format, version 0.0.4. */
export function metricsAnswer(text: string): HttpAnswer {
  const type = 'text/plain; version=0.0.4; charset=utf-8';
  return { status: 200, headers: ['content-type', type, 'cache-control', 'no-store'], body: text };
}

export function toHttpAnswer({ status, headers, body }: ApiResponse): HttpAnswer {
  return { status, headers: Object.entries(headers).flat(), body };
}

/** A 401 has `WWW-Authenticate` (RFC 9110, section 11.6.1), with `error` for an invalid token (RFC 6750, section 3). */
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
