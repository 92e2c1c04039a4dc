// Finds the route of an HTTP API that a request is for, as API Gateway does: method and path segments, one variable each.

/** API Gateway's spelling: `POST /v1/identities/{identity}/invocations`. */
export type RouteKey = string;

export interface RouteMatch {
  readonly routeKey: RouteKey;
  /** Decoded; undefined when the route has no variable. */
  readonly pathParameters: Readonly<Record<string, string>> | undefined;
}

/**
 * @param path as it was requested, still percent-encoded, without the query
 * @returns undefined when no route matches
 * @throws URIError when the path is not valid percent-encoding
 */
export function matchRoute(routeKeys: readonly RouteKey[], method: string, path: string): RouteMatch | undefined {
  const segments = path.split('/').map(decodeURIComponent);
  for (const routeKey of routeKeys) {
    const [routeMethod, routePath = ''] = routeKey.split(' ');
    if (routeMethod !== method && routeMethod !== 'ANY') continue;
    const parameters = matchSegments(routePath.split('/'), segments);
    if (parameters) {
      return { routeKey, pathParameters: Object.keys(parameters).length > 0 ? parameters : undefined };
    }
  }
  return undefined;
}

function matchSegments(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    const variable = /^\{(\w+)\}$/.exec(part)?.[1];
    if (variable && segment !== '') parameters[variable] = segment;
    else if (part !== segment) return undefined;
  }
  return parameters;
}
