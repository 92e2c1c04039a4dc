// testSecret: presents the pending certificate to every destination with an exact host, and stops the rotation if one
// of them rejects it.
import type { Destination } from '../destination/destination.ts';
import { asCountersignError, CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import type { Renewal } from '../identity/renewal.ts';
import { recordAnnouncementFailure } from '../telemetry/rotation-record.ts';
import { failureFields } from '../telemetry/telemetry.ts';
import { remainingMs } from '../tls/attempt.ts';
import { type StoredVersion, stagingLabels } from '../versions/versions.ts';
import { membersOf, renewalOf } from './current-document.ts';
import { hasSameDocument } from './require-unchanged.ts';
import {
  checkPending,
  identityIn,
  noValue,
  type Rotation,
  readPending,
  readPreviousIdentity,
  usableIdentity,
} from './rotation.ts';
import { withStage } from './rotation-errors.ts';
import { publishCertificate } from './set-secret.ts';
import { type DestinationTest, type Rejection, testDestination } from './test-destination.ts';

/** Connections at the same time. A handshake takes 1 to 5 ms of CPU, and is mostly waiting. */
const concurrency = 8;
/** Of the time of the step, kept for reporting the result. */
const reserveMs = 5_000;
const maxNamedDestinations = 20;
/**
 * An EventBridge entry has at most 256 KB (EventBridge quotas), and each sentence can contain names that a server
 * chose.
 */
const maxPublishedRejections = 100;
const maxDetailLength = 300;

interface TestedDestination {
  readonly destination: Destination;
  readonly test: DestinationTest;
}

/** Throws `new-certificate-rejected` and `new-certificate-untested`, both only with `onRejection` `block`. */
export async function testSecret(rotation: Rotation): Promise<void> {
  const { services, secretArn, record } = rotation;
  const stored = await readPending(rotation);
  const atCurrent = await services.versions.read(secretArn, { stage: stagingLabels.current });
  const current = identityIn(atCurrent);
  if (stored === undefined) {
    await requireNotStarted(rotation);
    return testRenewal(rotation, current);
  }
  if (atCurrent && hasSameDocument(stored, atCurrent)) return testRenewal(rotation, current);

  const pending = await checkPending(rotation, stored);
  const onRejection = onRejectionOf(rotation, stored);
  const tested = await testDestinations(rotation, pending, usableIdentity(rotation, current));
  const rejections = tested.flatMap(({ test }) => (test.outcome === 'rejected' ? [test.rejection] : []));
  const untested = tested.filter(({ test }) => test.outcome === 'untested').map(({ destination }) => destination);
  record.accepted = tested.filter(({ test }) => test.outcome === 'accepted').length;
  record.rejected = rejections.length;
  record.untested = untested.length;
  record.sayNothing = tested.length - record.accepted - record.rejected - record.untested;
  if (rejections.length > 0) {
    record.rejectedBy = rejections.slice(0, maxNamedDestinations).map(hostAndPort);
    await publishRejections(rotation, pending, current, rejections, onRejection);
    if (onRejection === 'block') throw rejectedError(rejections);
  }
  if (untested.length > 0 && onRejection === 'block') throw untestedError(untested);
  record.outcome = 'tested';
}

/** A version without a value is a test only if no rotation has begun for it. */
async function requireNotStarted(rotation: Rotation): Promise<void> {
  const { services, secretArn, requestVersion, state } = rotation;
  const hasStarted =
    state.stages.has(requestVersion) || (await services.versions.read(secretArn, { version: requestVersion }));
  if (hasStarted) throw noValue(rotation);
}

/**
 * Secrets Manager runs testSecret alone when a schedule is set without rotating (API reference, RotateSecret,
 * RotateImmediately). The version is then a copy of AWSCURRENT, or has no value if the secret has none, and the test is
 * whether a rotation could start. A secret without an identity passes: a new stack sets the schedule before a `renewal`
 * can be stored.
 */
function testRenewal({ services, identity, record }: Rotation, current: StoredVersion | undefined): void {
  if (current === undefined && !Object.hasOwn(services.renewals, identity)) {
    record.outcome = 'nothing-to-test';
    return;
  }
  const members = current ? withStage(stagingLabels.current, () => membersOf(current.document)) : {};
  renewalOf({ services, identity }, members);
  record.outcome = 'renewal-tested';
}

/** A pending document that was put in by hand may have no `renewal`. */
function onRejectionOf(rotation: Rotation, { document }: StoredVersion): Renewal['onRejection'] {
  const members = membersOf(document);
  const hasRenewal = members.renewal !== undefined || Object.hasOwn(rotation.services.renewals, rotation.identity);
  return hasRenewal ? renewalOf(rotation, members).onRejection : 'block';
}

async function testDestinations(
  rotation: Rotation,
  pending: Identity,
  current: Identity | undefined,
): Promise<TestedDestination[]> {
  const endsAt = performance.now() + remainingMs(rotation.deadline) - reserveMs;
  const queue = pending.destinations.filter(({ host }) => !host.startsWith('*')).values();
  const tested: TestedDestination[] = [];
  let reading: Promise<Identity | undefined> | undefined;
  const previous = () => {
    reading ??= current ? readPreviousIdentity(rotation, current) : Promise.resolve(undefined);
    return reading;
  };
  async function work(): Promise<void> {
    for (const destination of queue) {
      const test = await testDestination(rotation, destination, { pending, current, previous }, endsAt);
      tested.push({ destination, test });
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work));
  return tested;
}

async function publishRejections(
  rotation: Rotation,
  pending: Identity,
  current: StoredVersion | undefined,
  rejections: readonly Rejection[],
  onRejection: Renewal['onRejection'],
): Promise<void> {
  const detailType = 'Certificate Rejected';
  const rejectedBy = rejections
    .slice(0, maxPublishedRejections)
    .map((rejection) => ({ ...rejection, detail: rejection.detail.slice(0, maxDetailLength).toWellFormed() }));
  const more = { onRejection, rejectedBy, rejectedByCount: rejections.length };
  try {
    await publishCertificate(rotation, detailType, pending, current, more);
  } catch (thrown) {
    if (onRejection === 'proceed') throw thrown;
    // The step fails anyway, and who rejects the certificate is the more important error.
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

function rejectedError(rejections: readonly Rejection[]): CountersignError {
  const [{ detail, step, reason }] = rejections as [Rejection];
  const destinations = rejections.slice(0, maxNamedDestinations).map(hostAndPort);
  const sentence = `The new certificate is rejected by ${listOf(rejections)}: ${detail}${cutOffSentence(rejections)}`;
  return new CountersignError('new-certificate-rejected', sentence, {
    evidence: { rejectedBy: rejections.length, destinations, step, reason },
  });
}

/** Destinations that accept only AWSPREVIOUS: the rotation moves that label to the current certificate. */
function cutOffSentence(rejections: readonly Rejection[]): string {
  const cutOff = rejections.filter(({ takes }) => takes === stagingLabels.previous);
  return cutOff.length === 0
    ? ''
    : ` Only ${stagingLabels.previous}, which the rotation replaces, is accepted by ${listOf(cutOff)}.`;
}

function untestedError(destinations: readonly Destination[]): CountersignError {
  const sentence = `The new certificate could not be tested at ${listOf(destinations)}.`;
  return new CountersignError('new-certificate-untested', sentence, {
    evidence: {
      untested: destinations.length,
      destinations: destinations.slice(0, maxNamedDestinations).map(hostAndPort),
    },
  });
}

type HostAndPort = Pick<Destination, 'host' | 'port'>;

function hostAndPort({ host, port }: HostAndPort): string {
  return `${host}:${port}`;
}

function listOf(places: readonly HostAndPort[]): string {
  const first = hostAndPort(places[0] as HostAndPort);
  if (places.length === 1) return first;
  return `${first} and ${places.length - 1} more ${places.length === 2 ? 'destination' : 'destinations'}`;
}
