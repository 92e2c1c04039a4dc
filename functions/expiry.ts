// The door of the hourly inspection: called by a schedule, it reads every identity in Secrets Manager and answers nobody.
import type { Context } from 'aws-lambda';
import { secretsManagerSource } from '../core/identity/secrets-manager.ts';
import { inspectIdentities } from '../core/inspection/inspect.ts';
import { readSettings } from '../core/settings.ts';
import { secretList } from '../core/versions/secret-list.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const source = secretsManagerSource({ prefix: settings.secretPrefix });
const secrets = secretList(settings.secretPrefix);

/** Of Secrets Manager, whatever COUNTERSIGN_IDENTITY_SOURCE says: a directory of identities has no schedule in AWS beside it. */
export const handler = (_event: unknown, context: Context): Promise<void> =>
  inspectIdentities({
    telemetry,
    secrets,
    source,
    now: Date.now(),
    remainingMs: () => context.getRemainingTimeInMillis(),
    requestId: context.awsRequestId,
  });
