// How Countersign refuses a defective identity before it calls a server; the matrix bypasses this check.

import { diagnosisRoute } from '../../core/diagnosis/diagnose.ts';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { CountersignError } from '../../core/errors.ts';
import { createIdentityCache } from '../../core/identity/cache.ts';
import { invocationRoute } from '../../core/invocation/invoke.ts';
import { noTelemetry as telemetry } from '../../core/telemetry/telemetry.ts';
import { createPool } from '../../core/tls/connection-pool.ts';
import { apiHandler } from '../../functions/api-gateway/handler.ts';
import { createShelf, documentOf, invocationEvent, lambdaContext } from '../support/stage.ts';
import { type ClientName, createMatrixCertificates } from './certificates.ts';
import { openResources } from './resources.ts';

export interface IdentityRejection {
  readonly verdict: string;
  /** `evidence.reason` of `identity-unusable`, or `–` if it is usable. */
  readonly reason: string;
  readonly invocation: string;
}

export const defective = [
  'expired',
  'notYetValid',
  'serverUsage',
  'withoutIntermediate',
  'keyUsage',
] as const satisfies ClientName[];

/** No call may reach this port. */
const url = 'https://localhost:9/';

export async function rejectIdentities(): Promise<Record<(typeof defective)[number], IdentityRejection>> {
  const resources = openResources();
  try {
    const { clients } = createMatrixCertificates();
    const shelf = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
    const identities = createIdentityCache({ source: shelf, ttlMs: 60_000 });
    const pool = createPool();
    resources.onEnd(() => pool.close());
    const options = { docsUrl: 'https://docs.example/', onInternalError: () => {}, routeKeepsDeadline: true };
    const invoke = apiHandler(options, invocationRoute({ telemetry, identities, pool }));
    const diagnose = apiHandler(options, diagnosisRoute({ telemetry, identities }));
    const outcome = defective.map(async (client) => {
      const name = client.toLowerCase();
      shelf.put(name, 'v1', documentOf(clients[client], [{ host: 'localhost', port: 9, network: 'loopback' }]));
      const called = await invoke(invocationEvent({ url }, name), lambdaContext(10_000));
      const diagnosed = await diagnose(invocationEvent({ url }, name), lambdaContext(10_000));
      const problem = JSON.parse(called.body ?? '') as { code: string; evidence?: { reason?: string } };
      const { verdict } = JSON.parse(diagnosed.body ?? '') as Diagnosis;
      return [client, { verdict, reason: problem.evidence?.reason ?? '–', invocation: problem.code }] as const;
    });
    return Object.fromEntries(await Promise.all(outcome)) as Record<(typeof defective)[number], IdentityRejection>;
  } finally {
    await resources.end();
  }
}
