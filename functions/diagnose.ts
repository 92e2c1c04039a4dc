// The door of the diagnosis function: settings and identities, made once for each environment.

import { createDiagnose } from '../core/diagnosis/diagnose.ts';
import { createIdentityCache } from '../core/identity/cache.ts';
import { openSource } from '../core/identity/source.ts';
import { readSettings } from '../core/settings.ts';
import { recordInternalError, recordRefreshFailure } from '../core/telemetry/events.ts';
import { openDoor } from './api-gateway/handler.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const identities = createIdentityCache({
  source: await openSource(settings),
  ttlMs: settings.identityTtlMs,
  onRefreshFailure: recordRefreshFailure.bind(undefined, telemetry),
});

export const handler = openDoor(
  {
    docsUrl: settings.docsUrl,
    onInternalError: recordInternalError.bind(undefined, telemetry),
    storyKeepsDeadline: true,
  },
  createDiagnose({ telemetry, identities }),
);
