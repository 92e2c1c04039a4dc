// The door of the rotation function: Secrets Manager calls it, so a failure is thrown, in words that may stand in a log.
import type { Context } from 'aws-lambda';
import { openAnnouncements } from '../announcement/announcement.ts';
import { readSettings } from '../config.ts';
import { asCountersignError } from '../errors.ts';
import { openIssuer } from '../issuer/open-issuer.ts';
import { recordInternalError } from '../telemetry/events.ts';
import { openVersions } from '../versions/versions.ts';
import { rotationFailure } from './failure.ts';
import { createRotate } from './rotate.ts';

const settings = readSettings(process.env);
const rotate = createRotate({
  prefix: settings.secretPrefix,
  versions: openVersions({ prefix: settings.secretPrefix }),
  openIssuer: (issuer) => openIssuer(issuer, settings),
  announce: await openAnnouncements(settings.eventBus),
  renewals: settings.renewals,
});

export async function handler(event: unknown, context: Context): Promise<void> {
  try {
    await rotate(event, context);
  } catch (thrown) {
    const error = asCountersignError(thrown);
    if (error.code === 'internal-error') recordInternalError(error, context.awsRequestId);
    throw rotationFailure(error);
  }
}
