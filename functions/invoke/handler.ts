// The door of the invocation function: settings, identities and connections, made once for each environment.
import { platformIdentity, readSettings } from '../config.ts';
import { warmUp } from '../connection/warm-up.ts';
import { openSource } from '../identity/source.ts';
import { openDoor } from '../message/door.ts';
import { recordInternalError } from '../telemetry/events.ts';
import { createInvoke } from './invoke.ts';
import { openServices } from './services.ts';

const settings = readSettings(process.env);
const services = openServices({ source: await openSource(settings), ttlMs: settings.identityTtlMs });

// During init, while Lambda gives the function its full CPU. A failure is told to the first caller, not to the log of init.
await Promise.all([Promise.resolve(services.identities.get(platformIdentity)).catch(() => {}), warmUp()]);

export const handler = openDoor(
  { docsUrl: settings.docsUrl, onInternalError: recordInternalError, storyKeepsDeadline: true },
  createInvoke(services),
);
