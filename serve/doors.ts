// The same stories behind the same doors as on Lambda, with the identities of a directory and the connections of this process.
import type { Context } from 'aws-lambda';
import { createDiagnose } from '../core/diagnosis/diagnose.ts';
import type { IdentityCache } from '../core/identity/cache.ts';
import { directorySource } from '../core/identity/directory.ts';
import type { IdentitySource } from '../core/identity/identity.ts';
import { createInvoke } from '../core/invocation/invoke.ts';
import { openServices } from '../core/invocation/services.ts';
import { publishCertificate } from '../core/publication/publish.ts';
import { routes } from '../core/settings.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import type { Telemetry } from '../core/telemetry/telemetry.ts';
import { warmUp } from '../core/tls/warm-up.ts';
import { type Door, openDoor } from '../functions/api-gateway/handler.ts';
import type { ServeOptions } from './options.ts';
import { readEveryMs } from './reload/identity-reloader.ts';

/** Those that a story answers. */
export type DoorRoute = (typeof routes)[Exclude<keyof typeof routes, 'health'>];

export interface Doors {
  readonly byRoute: Readonly<Record<DoorRoute, Door>>;
  readonly identities: IdentityCache;
  readonly source: IdentitySource;
  /** Closes the connections to customers' APIs: the idle ones at once, the others after their call. */
  close(): void;
}

/** What the stories look at of Lambda's context: nobody ends this process behind their back, so a call has all the time that it may ask for. */
export const doorContext = Object.freeze({ getRemainingTimeInMillis: () => 30_000 }) as Context;

/** Reads no identity yet. */
export async function openDoors(
  options: Pick<ServeOptions, 'identities' | 'identityTtlMs' | 'docsUrl'>,
  telemetry: Telemetry,
): Promise<Doors> {
  const source = directorySource(options.identities);
  const { identities, pool, close } = openServices({ telemetry, source, ttlMs: readEveryMs(options.identityTtlMs) });
  await warmUp();
  const settings = { docsUrl: options.docsUrl, onInternalError: recordInternalError.bind(undefined, telemetry) };
  const keepsDeadline = { ...settings, storyKeepsDeadline: true };
  return {
    byRoute: {
      // Without a fallback: a directory holds no version but the current one.
      [routes.invocations]: openDoor(keepsDeadline, createInvoke({ telemetry, identities, pool })),
      [routes.diagnoses]: openDoor(keepsDeadline, createDiagnose({ telemetry, identities })),
      [routes.certificate]: openDoor(settings, (event) => publishCertificate({ telemetry, source }, event, Date.now())),
    },
    identities,
    source,
    close,
  };
}
