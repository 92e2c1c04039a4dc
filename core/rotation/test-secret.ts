// testSecret: presents the next certificate to every destination that can be named, and holds a rejected one back.

import type { Destination } from '../destination/destination.ts';
import { asCountersignError, CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import type { Renewal } from '../identity/renewal.ts';
import { failureFields } from '../telemetry/failure-fields.ts';
import { recordAnnouncementFailure } from '../telemetry/rotation-record.ts';
import { remainingMs } from '../tls/attempt.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { stagingLabels } from '../versions/versions.ts';
import { announceCertificate } from './announce-certificate.ts';
import { atStage } from './at-stage.ts';
import { membersOf, renewalOf } from './current-document.ts';
import { previousIdentity } from './previous-identity.ts';
import { refused } from './refused.ts';
import { provePending, type Rotation, readCurrent, readPending, usableOf } from './rotation.ts';
import { type Rejection, type Trial, tryDestination } from './try-destination.ts';

/** Connections at the same time; a handshake is 1 to 5 ms of a CPU, and mostly waiting. */
const concurrency = 8;
/** Kept back from the time of the step for telling what came of it. */
const reserveMs = 5_000;
const mostNamed = 20;
/** EventBridge takes 256 KB for an entry (AWS: EventBridge quotas); in each sentence are names that the server chose. */
const mostAnnounced = 100;
const mostDetail = 300;

interface Tried {
  readonly destination: Destination;
  readonly trial: Trial;
}

/** Throws `new-certificate-rejected` and `new-certificate-untested`, both only where a rejection blocks. */
export async function testSecret(rotation: Rotation): Promise<void> {
  const { record } = rotation;
  const stored = await readPending(rotation);
  const current = await readCurrent(rotation);
  if (!stored) return testRenewal(rotation, current);

  const pending = await provePending(rotation, stored);
  const onRejection = rejectionRuleOf(rotation, stored);
  const tried = await tryAll(rotation, pending, usableOf(rotation, current));
  const rejections = tried.flatMap(({ trial }) => (trial.outcome === 'rejected' ? [trial.rejection] : []));
  const untested = tried.filter(({ trial }) => trial.outcome === 'untested').map(({ destination }) => destination);
  record.accepted = tried.filter(({ trial }) => trial.outcome === 'accepted').length;
  record.rejected = rejections.length;
  record.untested = untested.length;
  record.sayNothing = tried.length - record.accepted - record.rejected - record.untested;
  if (rejections.length > 0) {
    record.rejectedBy = rejections.slice(0, mostNamed).map(placeOf);
    await announceRejections(rotation, pending, current, rejections, onRejection);
    if (onRejection === 'block') throw rejected(rejections);
  }
  if (untested.length > 0 && onRejection === 'block') throw notTested(untested);
  record.outcome = 'tested';
}

/**
 * Secrets Manager runs testSecret alone when a schedule is set without rotating (API reference, RotateSecret,
 * RotateImmediately): its version has no value, and all there is to test is that a rotation could begin. A new stack sets the
 * schedule before anybody can put a renewal into its empty secrets: that is no fault yet.
 */
async function testRenewal(rotation: Rotation, current: StoredVersion | undefined): Promise<void> {
  const { services, secretArn, requestVersion, state, token, identity, record } = rotation;
  const hasBegun =
    state.stages.has(requestVersion) || (await services.versions.read(secretArn, { version: requestVersion }));
  if (hasBegun) throw refused('no-value', 'The version has no value yet: createSecret comes first.', token);
  if (current === undefined && !Object.hasOwn(services.renewals, identity)) {
    record.outcome = 'nothing-to-test';
    return;
  }
  renewalOf(rotation, current ? atStage(stagingLabels.current, () => membersOf(current.document)) : {});
  record.outcome = 'renewal-tested';
}

/** A document that was put in by hand may say nothing of it. */
function rejectionRuleOf(rotation: Rotation, { document }: StoredVersion): Renewal['onRejection'] {
  const members = membersOf(document);
  const isKnown = members.renewal !== undefined || Object.hasOwn(rotation.services.renewals, rotation.identity);
  return isKnown ? renewalOf(rotation, members).onRejection : 'block';
}

async function tryAll(rotation: Rotation, pending: Identity, current: Identity | undefined): Promise<Tried[]> {
  const endsAt = performance.now() + remainingMs(rotation.deadline) - reserveMs;
  const waiting = pending.destinations.filter(({ host }) => !host.startsWith('*')).values();
  const tried: Tried[] = [];
  let read: Promise<Identity | undefined> | undefined;
  const previous = () => {
    read ??= current ? previousIdentity(rotation, current) : Promise.resolve(undefined);
    return read;
  };
  const inUse = { current, previous };
  async function work(): Promise<void> {
    for (const destination of waiting) {
      tried.push({ destination, trial: await tryDestination(rotation, destination, pending, inUse, endsAt) });
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work));
  return tried;
}

async function announceRejections(
  rotation: Rotation,
  pending: Identity,
  current: StoredVersion | undefined,
  rejections: readonly Rejection[],
  onRejection: Renewal['onRejection'],
): Promise<void> {
  const detailType = 'Certificate Rejected';
  const rejectedBy = rejections
    .slice(0, mostAnnounced)
    .map((one) => ({ ...one, detail: one.detail.slice(0, mostDetail).toWellFormed() }));
  const more = { onRejection, rejectedBy, rejectedByCount: rejections.length };
  try {
    await announceCertificate(rotation, detailType, pending, current, more);
  } catch (thrown) {
    if (onRejection === 'proceed') throw thrown;
    // The step fails all the same, and by whom the certificate is rejected matters more.
    const { identity, token, services } = rotation;
    recordAnnouncementFailure(
      services.telemetry,
      detailType,
      identity,
      token,
      failureFields(asCountersignError(thrown)),
    );
  }
}

function rejected(rejections: readonly Rejection[]): CountersignError {
  const [{ detail, step, reason }] = rejections as [Rejection];
  const who = named(rejections);
  const sentence = `${who} will not take the new certificate: ${detail}${cutOffBy(rejections)}`;
  return new CountersignError('new-certificate-rejected', sentence, {
    evidence: {
      rejectedBy: rejections.length,
      destinations: rejections.slice(0, mostNamed).map(placeOf),
      step,
      reason,
    },
  });
}

/** Whom the rotation takes the last certificate from that they know: AWSPREVIOUS moves on with it. */
function cutOffBy(rejections: readonly Rejection[]): string {
  const cutOff = rejections.filter(({ takes }) => takes === stagingLabels.previous);
  return cutOff.length === 0
    ? ''
    : ` Served with ${stagingLabels.previous} alone, which the rotation replaces: ${named(cutOff)}.`;
}

function notTested(destinations: readonly Destination[]): CountersignError {
  return new CountersignError(
    'new-certificate-untested',
    `The new certificate could not be tried at ${named(destinations)} before it is used.`,
    { evidence: { untested: destinations.length, destinations: destinations.slice(0, mostNamed).map(placeOf) } },
  );
}

type Place = Pick<Destination, 'host' | 'port'>;

function placeOf({ host, port }: Place): string {
  return `${host}:${port}`;
}

function named(places: readonly Place[]): string {
  const first = placeOf(places[0] as Place);
  if (places.length === 1) return first;
  return `${first} and ${places.length - 1} more ${places.length === 2 ? 'destination' : 'destinations'}`;
}
