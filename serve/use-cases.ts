// The routes of the API in this process, with the identities of a directory.
import type { ApiRoute } from '../core/api.ts';
import { diagnosisRoute } from '../core/diagnosis/diagnose.ts';
import type { Diagnosis } from '../core/diagnosis/diagnosis.ts';
import type { IdentityCache } from '../core/identity/cache.ts';
import { directorySource } from '../core/identity/directory.ts';
import type { IdentitySource } from '../core/identity/identity.ts';
import { invocationRoute } from '../core/invocation/invoke.ts';
import { openServices } from '../core/invocation/services.ts';
import { openFilesLimit } from '../core/open-files-limit.ts';
import { certificateRoute } from '../core/publication/publish.ts';
import { routes } from '../core/settings.ts';
import type { Telemetry } from '../core/telemetry/telemetry.ts';
import { limitsFor } from '../core/tls/connection-pool.ts';
import { warmUp } from '../core/tls/secure-context.ts';
import { apiConnections, type ServeOptions } from './options.ts';
import { reloadIntervalMs } from './reload/identity-reloader.ts';

/** The routes of a use case. */
export type UseCaseRoute = (typeof routes)[Exclude<keyof typeof routes, 'health'>];

export interface UseCases {
  readonly byRoute: Readonly<Record<UseCaseRoute, ApiRoute>>;
  readonly identities: IdentityCache;
  readonly source: IdentitySource;
  /** Closes the connections to customers' APIs: idle ones at once, the others after their call. */
  close(): void;
}

/** Reads no identity yet. */
export async function openUseCases(
  options: Pick<ServeOptions, 'identities' | 'identityTtlMs' | 'limits'>,
  telemetry: Telemetry,
  onDiagnosis: (diagnosis: Diagnosis) => void,
): Promise<UseCases> {
  const source = directorySource(options.identities);
  const ttlMs = reloadIntervalMs(options.identityTtlMs);
  const most = apiConnections(options.limits, openFilesLimit());
  const poolLimits = most === undefined ? {} : { limits: limitsFor(most) };
  const { identities, fallback, pool, close } = openServices({ telemetry, source, ttlMs, ...poolLimits });
  await warmUp();
  return {
    byRoute: {
      [routes.invocations]: invocationRoute({ telemetry, identities, fallback, pool }),
      [routes.diagnoses]: diagnosisRoute({ telemetry, identities }, onDiagnosis),
      [routes.certificate]: certificateRoute({ telemetry, source }),
    },
    identities,
    source,
    close,
  };
}
