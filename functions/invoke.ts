// The door of the invocation function: settings, identities and connections, made once for each environment.

import { openSource } from '../core/identity/source.ts';
import { createInvoke } from '../core/invocation/invoke.ts';
import { openServices } from '../core/invocation/services.ts';
import { platformIdentity, readSettings } from '../core/settings.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import { warmUp } from '../core/tls/warm-up.ts';
import { openDoor } from './api-gateway/handler.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const services = openServices({ telemetry, source: await openSource(settings), ttlMs: settings.identityTtlMs });

// During init, while Lambda gives the function its full CPU. A failure is told to the first caller, not to the log of init.
await Promise.all([Promise.resolve(services.identities.get(platformIdentity)).catch(() => {}), warmUp()]);

export const handler = openDoor(
  {
    docsUrl: settings.docsUrl,
    onInternalError: recordInternalError.bind(undefined, telemetry),
    storyKeepsDeadline: true,
  },
  createInvoke(services),
);
