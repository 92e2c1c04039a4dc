// The handler of the hourly inspection, which a schedule invokes.
import type { Context } from 'aws-lambda';
import { secretsManagerSource } from '../core/identity/secrets-manager.ts';
import { inspectIdentities } from '../core/inspection/inspect.ts';
import { readSettings } from '../core/settings.ts';
import { secretList } from '../core/versions/secret-list.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const source = secretsManagerSource({ prefix: settings.secretPrefix });
const secrets = secretList(settings.secretPrefix);

/**
 * Always reads Secrets Manager, whatever COUNTERSIGN_IDENTITY_SOURCE is: a directory has no rotation schedule to
 * inspect.
 */
export const handler = (_event: unknown, context: Context): Promise<void> =>
  inspectIdentities({
    telemetry,
    secrets,
    source,
    now: Date.now(),
    remainingMs: () => context.getRemainingTimeInMillis(),
    requestId: context.awsRequestId,
  });
