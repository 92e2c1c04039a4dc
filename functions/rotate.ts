// The door of the rotation function: Secrets Manager calls it, so a failure is thrown, in words that may stand in a log.
import type { Context } from 'aws-lambda';
import { asCountersignError } from '../core/errors.ts';
import { openAnnouncements } from '../core/events/event-publisher.ts';
import { openIssuer } from '../core/issuers/open-issuer.ts';
import { rotationFailure } from '../core/rotation/failure.ts';
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
  announce: await openAnnouncements(settings.eventBus, telemetry),
  renewals: settings.renewals,
});

export async function handler(event: unknown, context: Context): Promise<void> {
  try {
    await rotate(event, {
      requestId: context.awsRequestId,
      remainingMs: context.getRemainingTimeInMillis(),
    });
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') recordInternalError(telemetry, error, context.awsRequestId);
    throw rotationFailure(error);
  }
}
