// What a caller may ask for, once it is known who calls.
import { consoleRoutes } from '../../console/routes.ts';
import { CountersignError } from '../../core/errors.ts';
import type { RouteMatch } from '../../listener/route.ts';
import { ownRoutes } from '../http/serve-routes.ts';
import { type Caller, mayUse } from './callers.ts';

/** Throws `caller-forbidden`. Without callers, everybody may do everything. */
export function requireAllowed(caller: Caller | undefined, route: RouteMatch): void {
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
  const identity = route.pathParameters?.identity;
  // A route that is of no identity is nobody's until it is said above whose.
  if (identity !== undefined && mayUse(caller, identity)) return;
  throw new CountersignError('caller-forbidden', `The caller ${caller.name} may not use that identity.`, {
    evidence: { reason: 'identity' },
  });
}
