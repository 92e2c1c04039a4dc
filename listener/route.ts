// Matches a request to a route as API Gateway does: by method and path segments, with one variable per segment.

/** API Gateway's spelling: `POST /v1/identities/{identity}/invocations`. */
export type RouteKey = string;

export interface RouteMatch {
  readonly routeKey: RouteKey;
  /** Percent-decoded; undefined if the route has no variables. */
  readonly pathParameters: Readonly<Record<string, string>> | undefined;
}

/**
 * @param path percent-encoded, without the query
 * @returns undefined if no route matches
 * @throws URIError if the path is not valid percent-encoding
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
