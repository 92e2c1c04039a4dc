// The door of the invocation function: settings, identities and connections, made once for each environment.
import { platformIdentity, readSettings } from '../config.ts';
import { createPool } from '../connection/pool.ts';
import { warmUp } from '../connection/warm-up.ts';
import { createIdentityCache } from '../identity/cache.ts';
import { openSource } from '../identity/source.ts';
import { openDoor } from '../message/door.ts';
import { recordIdentityTaken, recordInternalError, recordRefreshFailure } from '../telemetry/events.ts';
import { createInvoke } from './invoke.ts';

const settings = readSettings(process.env);
const pool = createPool();
const identities = createIdentityCache({
  source: await openSource(settings),
  ttlMs: settings.identityTtlMs,
  onRefreshFailure: recordRefreshFailure,
  onRefresh: (name, identity) => {
    recordIdentityTaken(name, identity.version);
  },
  onLetGo: pool.retire,
});

// During init, while Lambda gives the function its full CPU. A failure is told to the first caller, not to the log of init.
await Promise.all([Promise.resolve(identities.get(platformIdentity)).catch(() => {}), warmUp()]);

export const handler = openDoor(
  { docsUrl: settings.docsUrl, onInternalError: recordInternalError, storyKeepsDeadline: true },
  createInvoke({ identities, pool }),
);
