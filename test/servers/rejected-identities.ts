// What Countersign itself says to a defective identity, before any server sees it: the check that the matrix passes by.

import { diagnosisRoute } from '../../core/diagnosis/diagnose.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { CountersignError } from '../../core/errors.ts';
import { createIdentityCache } from '../../core/identity/cache.ts';
import { invocationRoute } from '../../core/invocation/invoke.ts';
import { noTelemetry as telemetry } from '../../core/telemetry/telemetry.ts';
import { createPool } from '../../core/tls/connection-pool.ts';
import { apiHandler } from '../../functions/api-gateway/handler.ts';
import { createShelf, documentOf, invocationEvent, lambdaContext } from '../support/stage.ts';
import { type ClientName, makeCast } from './cast.ts';
import { openScope } from './scope.ts';

export interface Refusal {
  readonly verdict: string;
  /** `evidence.reason` of `identity-unusable`, or `–` when it is found usable. */
  readonly reason: string;
  readonly invocation: string;
}

export const defective = [
  'expired',
  'notYetValid',
  'serverUsage',
  'withoutIntermediate',
] as const satisfies ClientName[];

/** Port 9 stands for a server: nothing may get so far. */
const url = 'https://localhost:9/';

export async function refusedBeforehand(): Promise<Record<(typeof defective)[number], Refusal>> {
  const scope = openScope();
  try {
    const { clients } = makeCast(scope);
    const shelf = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
    const identities = createIdentityCache({ source: shelf, ttlMs: 60_000 });
    const pool = createPool();
    scope.onEnd(() => pool.close());
    const options = { docsUrl: 'https://docs.example/', onInternalError: () => {}, routeKeepsDeadline: true };
    const invoke = apiHandler(options, invocationRoute({ telemetry, identities, pool }));
    const diagnose = apiHandler(options, diagnosisRoute({ telemetry, identities }));
    const told = defective.map(async (client) => {
      const name = client.toLowerCase();
      shelf.put(name, 'v1', documentOf(clients[client], [{ host: 'localhost', port: 9, network: 'loopback' }]));
      const called = await invoke(invocationEvent({ url }, name), lambdaContext(10_000));
      const diagnosed = await diagnose(invocationEvent({ url }, name), lambdaContext(10_000));
      const problem = JSON.parse(called.body ?? '') as { code: string; evidence?: { reason?: string } };
      const { verdict } = JSON.parse(diagnosed.body ?? '') as Diagnosis;
      return [client, { verdict, reason: problem.evidence?.reason ?? '–', invocation: problem.code }] as const;
    });
    return Object.fromEntries(await Promise.all(told)) as Record<(typeof defective)[number], Refusal>;
  } finally {
    await scope.end();
  }
}
