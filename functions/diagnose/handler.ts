// The door of the diagnosis function: settings and identities, made once for each environment.
import { readSettings } from '../config.ts';
import { createIdentityCache } from '../identity/cache.ts';
import { openSource } from '../identity/source.ts';
import { openDoor } from '../message/door.ts';
import { recordInternalError, recordRefreshFailure } from '../telemetry/events.ts';
import { createDiagnose } from './diagnose.ts';

const settings = readSettings(process.env);
const identities = createIdentityCache({
  source: await openSource(settings),
  ttlMs: settings.identityTtlMs,
  onRefreshFailure: recordRefreshFailure,
});

export const handler = openDoor(
  { docsUrl: settings.docsUrl, onInternalError: recordInternalError, storyKeepsDeadline: true },
  createDiagnose({ identities }),
);
