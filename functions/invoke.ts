// POST /v1/identities/{identity}/invocations. Settings, identities and connections are made once for each environment.
import { openSource } from '../core/identity/open-source.ts';
import { invocationRoute } from '../core/invocation/invoke.ts';
import { openServices } from '../core/invocation/services.ts';
import { platformIdentity, readSettings } from '../core/settings.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import { warmUp } from '../core/tls/secure-context.ts';
import { apiHandler } from './api-gateway/handler.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const services = openServices({ telemetry, source: await openSource(settings), ttlMs: settings.identityTtlMs });

// During init Lambda gives the function its full CPU. The first caller gets the error of an identity that cannot be
// read.
await Promise.all([Promise.resolve(services.identities.get(platformIdentity)).catch(() => {}), warmUp()]);

export const handler = apiHandler(
  {
    docsUrl: settings.docsUrl,
    onInternalError: recordInternalError.bind(undefined, telemetry),
    routeKeepsDeadline: true,
  },
  invocationRoute(services),
);
