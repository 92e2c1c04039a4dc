// The handler of the rotation function. Secrets Manager invokes it for each step; a failed step throws.
import { setTimeout } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { asCountersignError, type CountersignError } from '../core/errors.ts';
import { openEventPublisher } from '../core/events/event-publisher.ts';
import { openIssuer } from '../core/issuers/open-issuer.ts';
import { createRotate } from '../core/rotation/rotate.ts';
import { readSettings } from '../core/settings.ts';
import { recordInternalError } from '../core/telemetry/events.ts';
import { openVersions } from '../core/versions/versions.ts';
import { telemetry } from './telemetry.ts';

const settings = readSettings(process.env);
const rotate = createRotate({
  telemetry,
  prefix: settings.secretPrefix,
  versions: openVersions({ prefix: settings.secretPrefix }),
  openIssuer: (issuer) => openIssuer(issuer, settings),
  events: await openEventPublisher(settings.eventBus, telemetry),
  renewals: settings.renewals,
  now: Date.now,
  sleep: (ms) => setTimeout(ms),
});

export async function handler(event: unknown, context: Context): Promise<void> {
  try {
    await rotate(event, { requestId: context.awsRequestId, remainingMs: context.getRemainingTimeInMillis() });
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') recordInternalError(telemetry, error, context.awsRequestId);
    throw rotationFailure(error);
  }
}

/**
 * One sentence and the code. Lambda logs name, message, stack, `cause` and other members of what a handler throws, so
 * the error that is thrown has only these.
 */
export function rotationFailure({ message, code }: CountersignError): Error {
  const failure = new Error(`${message} (${code})`);
  failure.name = 'RotationFailure';
  failure.stack = `${failure.name}: ${failure.message}`;
  return failure;
}
