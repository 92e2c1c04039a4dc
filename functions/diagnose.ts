// POST /v1/identities/{identity}/diagnoses. Settings and identities are made once for each execution environment.
import { diagnosisRoute } from '../core/diagnosis/diagnose.ts';
import { createIdentityCache } from '../core/identity/cache.ts';
import { openSource } from '../core/identity/open-source.ts';
import { readSettings } from '../core/settings.ts';
import { recordInternalError, recordRefreshFailure } from '../core/telemetry/events.ts';
import { apiHandler } from './api-gateway/handler.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const identities = createIdentityCache({
  source: await openSource(settings),
  ttlMs: settings.identityTtlMs,
  onRefreshFailure: recordRefreshFailure.bind(undefined, telemetry),
});

export const handler = apiHandler(
  {
    docsUrl: settings.docsUrl,
    onInternalError: recordInternalError.bind(undefined, telemetry),
    routeKeepsDeadline: true,
  },
  diagnosisRoute({ telemetry, identities }),
);
