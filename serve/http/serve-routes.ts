// The routes that `serve` adds to the API (health, readiness, metrics), and the answers that the server gives itself.
import { randomUUID } from 'node:crypto';
import { type ApiResponse, problemResponse } from '../../core/api.ts';
import { BoundedMap } from '../../core/bounded-map.ts';
import type { CountersignError } from '../../core/errors.ts';
import type { IdentityCache } from '../../core/identity/cache.ts';
import { listIdentities } from '../../core/identity/directory.ts';
import { isIdentityName } from '../../core/identity/identity.ts';
import { routes } from '../../core/settings.ts';
import type { HttpAnswer } from '../../listener/http-answer.ts';
import { matchRoute, type RouteKey, type RouteMatch } from '../../listener/route.ts';

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
    // Paths arrive before authentication: only those of possible identities are kept.
    const { identity } = route.pathParameters ?? {};
    if (identity === undefined || isIdentityName(identity)) matches.set(key, route);
    return route;
  };
}

const common = ['cache-control', 'no-store', 'x-content-type-options', 'nosniff'];
const json = ['content-type', 'application/json', ...common];

export const healthAnswer: HttpAnswer = { status: 200, headers: json, body: JSON.stringify({ status: 'ok' }) };

export function readinessAnswer(readiness: Readiness): HttpAnswer {
  const isReady = readiness === 'ready';
  const body = isReady ? { status: 'ready' } : { status: 'not-ready', reason: readiness };
  return { status: isReady ? 200 : 503, headers: json, body: JSON.stringify(body) };
}

/** Prometheus text format, version 0.0.4. */
export function metricsAnswer(text: string): HttpAnswer {
  const type = 'text/plain; version=0.0.4; charset=utf-8';
  return { status: 200, headers: ['content-type', type, ...common], body: text };
}

export function toHttpAnswer({ status, headers, body }: ApiResponse): HttpAnswer {
  return { status, headers: Object.entries(headers).flat(), body };
}

/** A 401 has `WWW-Authenticate` (RFC 9110, section 11.6.1), with `error` for an invalid token (RFC 6750, section 3). */
export function problemAnswer(error: CountersignError, docsUrl: string): HttpAnswer {
  const requestId = randomUUID();
  const answer = toHttpAnswer(problemResponse(error, requestId, docsUrl));
  const headers = [...answer.headers, ...common, 'x-request-id', requestId];
  if (error.status === 401) {
    const isToken = error.evidence?.reason === 'token-unknown';
    headers.push('www-authenticate', `Bearer realm="countersign"${isToken ? ', error="invalid_token"' : ''}`);
  }
  return { ...answer, headers };
}

export type Readiness = 'ready' | 'shutting-down' | 'identities-unreadable' | 'no-usable-identity';

/** Folders tried for one answer: with so many unusable identities, the process is not ready. */
const maxTried = 100;
/** The route needs no authentication, so its result is kept for this time, in milliseconds. */
const reuseMs = 1_000;

export interface ReadinessCheck {
  check(): Promise<Readiness>;
  shutDown(): void;
}

export function createReadinessCheck(folder: string, identities: Pick<IdentityCache, 'get'>): ReadinessCheck {
  let isShuttingDown = false;
  let last: { readonly at: number; readonly readiness: Promise<Readiness> } | undefined;
  return {
    async check() {
      const now = performance.now();
      if (last === undefined || now - last.at > reuseMs) last = { at: now, readiness: check(folder, identities) };
      const readiness = await last.readiness;
      return isShuttingDown ? 'shutting-down' : readiness;
    },
    shutDown() {
      isShuttingDown = true;
    },
  };
}

async function check(folder: string, identities: Pick<IdentityCache, 'get'>): Promise<Readiness> {
  const names = await listIdentities(folder).catch(() => undefined);
  if (names === undefined) return 'identities-unreadable';
  for (const name of names.slice(0, maxTried)) {
    const isUsable = await Promise.resolve(identities.get(name)).then(
      () => true,
      () => false,
    );
    if (isUsable) return 'ready';
  }
  return 'no-usable-identity';
}
