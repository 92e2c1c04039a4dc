// A secret and its rotation as stored, with AWS's rules for versions and staging labels. Pure: a change makes a new
// record.

import type { RotationRules } from '../../core/versions/rotation-schedule.ts';
import { AwsError } from '../aws-protocol/aws-error.ts';

/** Text as received, or bytes as base64. */
export type SecretValue = { readonly string: string } | { readonly binary: string };

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** All times are milliseconds since 1970. */
export interface Version {
  readonly id: string;
  /** Staging labels, sorted, as AWS lists them. Without one the version is deprecated. */
  readonly stages: readonly string[];
  readonly createdAt: number;
  /** Start of the day (UTC) of the last read; AWS stores only the day. */
  readonly accessedOn?: number;
  /** Absent in a version from RotateSecret until the rotation function stores one. */
  readonly value?: SecretValue;
}

export interface Secret {
  readonly name: string;
  readonly arn: string;
  readonly description?: string;
  readonly kmsKeyId?: string;
  /** Absent until the first tag, empty after the last one is removed: AWS distinguishes them. */
  readonly tags?: readonly Tag[];
  readonly createdAt: number;
  readonly changedAt: number;
  readonly accessedOn?: number;
  /** End of the recovery window, if scheduled for deletion. */
  readonly deletionAt?: number;
  /** Absent until the first RotateSecret. */
  readonly rotation?: Rotation;
  /** Oldest first. */
  readonly versions: readonly Version[];
}

export const current = 'AWSCURRENT';
export const pending = 'AWSPENDING';
const previous = 'AWSPREVIOUS';
const day = 86_400_000;

/** AWS: Secrets Manager quotas, "versions per secret" and "staging labels attached across all versions of a secret". */
const quotas = { versions: 100, stages: 20 } as const;

export function sameValue(one: SecretValue | undefined, other: SecretValue): boolean {
  if (one === undefined) return false;
  if ('string' in one) return 'string' in other && one.string === other.string;
  return 'binary' in other && one.binary === other.binary;
}

/**
 * Adds a version and moves its labels to it. An existing id with the same value changes nothing, so requests can be
 * repeated. An existing id without a value (from RotateSecret) gets this value.
 */
export function withVersion(
  secret: Secret,
  version: { readonly id: string; readonly value: SecretValue; readonly stages?: readonly string[] },
  now: number,
): Secret {
  const existing = secret.versions.find(({ id }) => id === version.id);
  const wanted = version.stages ?? [current];
  if (existing && existing.value === undefined) {
    const filled = secret.versions.map((one) => (one === existing ? { ...one, value: version.value } : one));
    return { ...secret, changedAt: now, versions: withinQuotas(attach(filled, version.id, wanted), now) };
  }
  if (existing && sameValue(existing.value, version.value)) return secret;
  if (existing) throw tokenInUse(secret, version.id);
  // The first version is always current (AWS API reference, PutSecretValue).
  const stages = holderOf(secret.versions, current) ? wanted : [...wanted, current];
  const added = [...secret.versions, { id: version.id, stages: [], createdAt: now, value: version.value }];
  return { ...secret, changedAt: now, versions: withinQuotas(attach(added, version.id, stages), now) };
}

/** Adds an AWSPENDING version, as RotateSecret does: without a value, or for a test with that of AWSCURRENT. */
export function withPendingVersion(secret: Secret, id: string, now: number, { isTest = false } = {}): Secret {
  const value = isTest ? holderOf(secret.versions, current)?.value : undefined;
  const added = [...secret.versions, { id, stages: [], createdAt: now, ...(value === undefined ? {} : { value }) }];
  return { ...secret, changedAt: now, versions: withinQuotas(attach(added, id, [pending]), now) };
}

/**
 * Moves one label to a version, or removes it (without `moveTo`). Rules: AWS API reference, UpdateSecretVersionStage.
 */
export function withStageMoved(
  secret: Secret,
  move: { readonly stage: string; readonly removeFrom: string | undefined; readonly moveTo: string | undefined },
  now: number,
): Secret {
  const { stage, removeFrom, moveTo } = move;
  for (const id of [removeFrom, moveTo]) {
    if (id !== undefined && !secret.versions.some((version) => version.id === id))
      throw valueNotFound(`VersionId: ${id}`);
  }
  const holder = holderOf(secret.versions, stage);
  if (moveTo === undefined) {
    if (removeFrom === undefined) throw invalid('You must provide RemoveFromVersionId, MoveToVersionId, or both.');
    if (holder?.id !== removeFrom) throw invalid(`Staging label ${stage} is not attached to version ${removeFrom}.`);
    if (stage === current) {
      throw invalid(
        `You can only move staging label ${current} to a different secret version. It can’t be completely removed.`,
      );
    }
    return { ...secret, changedAt: now, versions: detach(secret.versions, [stage]) };
  }
  if (removeFrom !== undefined && removeFrom !== holder?.id) {
    throw invalid(
      `When you move staging label ${stage}, if you specify RemoveFromVersionId, ` +
        `it must be set to the version that currently has the staging label ${stage}.`,
    );
  }
  if (holder?.id === moveTo) return secret;
  if (holder && removeFrom === undefined) {
    throw invalid(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ` +
        `${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  }
  return { ...secret, changedAt: now, versions: withinQuotas(attach(secret.versions, moveTo, [stage]), now) };
}

/**
 * The requested version; by default the current one. Throws as GetSecretValue does, also for a version without a value.
 */
export function versionOf(secret: Secret, id: string | undefined, stage: string | undefined): ValuedVersion {
  if (id === undefined) {
    const wanted = stage ?? current;
    const version = holderOf(secret.versions, wanted);
    if (!version || !hasValue(version)) throw valueNotFound(`staging label: ${wanted}`);
    return version;
  }
  const version = secret.versions.find((candidate) => candidate.id === id);
  if (!version || !hasValue(version)) throw valueNotFound(`VersionId: ${id}`);
  if (stage !== undefined && !version.stages.includes(stage)) {
    throw new AwsError(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    );
  }
  return version;
}

export type ValuedVersion = Version & { readonly value: SecretValue };

function hasValue(version: Version): version is ValuedVersion {
  return version.value !== undefined;
}

/** Sets the day of the last read; returns the same record if it is set already. */
export function withAccess(secret: Secret, id: string, now: number): Secret {
  const accessedOn = now - (now % day);
  const version = secret.versions.find((candidate) => candidate.id === id);
  if (secret.accessedOn === accessedOn && version?.accessedOn === accessedOn) return secret;
  const versions = secret.versions.map((candidate) => (candidate.id === id ? { ...candidate, accessedOn } : candidate));
  return { ...secret, accessedOn, versions };
}

/** Throws if the secret is scheduled for deletion. */
export function mustBeActive(secret: Secret): void {
  if (secret.deletionAt === undefined) return;
  throw new AwsError(
    'InvalidRequestException',
    "You can't perform this operation on the secret because it was marked for deletion.",
  );
}

export function tokenInUse(secret: Secret, token: string): AwsError {
  return new AwsError(
    'ResourceExistsException',
    `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${secret.arn}.`,
  );
}

export function holderOf(versions: readonly Version[], stage: string): Version | undefined {
  return versions.find((version) => version.stages.includes(stage));
}

/** AWSPREVIOUS moves to the version that loses AWSCURRENT. */
function attach(versions: readonly Version[], id: string, stages: readonly string[]): readonly Version[] {
  const replaced = stages.includes(current) ? holderOf(versions, current) : undefined;
  const attached = detach(versions, stages).map((version) => (version.id === id ? labelled(version, stages) : version));
  if (!replaced || replaced.id === id) return attached;
  return detach(attached, [previous]).map((version) =>
    version.id === replaced.id ? labelled(version, [previous]) : version,
  );
}

function labelled(version: Version, stages: readonly string[]): Version {
  return { ...version, stages: [...new Set([...version.stages, ...stages])].sort() };
}

function detach(versions: readonly Version[], stages: readonly string[]): readonly Version[] {
  return versions.map((version) => ({ ...version, stages: version.stages.filter((stage) => !stages.includes(stage)) }));
}

/**
 * Removes old deprecated versions over the quota, but not those of the last 24 hours, so that too many writes per day
 * fail (AWS API reference, PutSecretValue).
 */
function withinQuotas(versions: readonly Version[], now: number): readonly Version[] {
  let surplus = versions.length - quotas.versions;
  const kept = versions.filter((version) => {
    const removable = surplus > 0 && version.stages.length === 0 && version.createdAt <= now - day;
    if (removable) surplus -= 1;
    return !removable;
  });
  if (surplus > 0) throw quotaReached(`${quotas.versions} versions, those of the last 24 hours among them`);
  if (kept.reduce((sum, version) => sum + version.stages.length, 0) > quotas.stages) {
    throw quotaReached(`${quotas.stages} staging labels across all its versions`);
  }
  return kept;
}

function quotaReached(quota: string): AwsError {
  return new AwsError('LimitExceededException', `A secret can have at most ${quota}.`);
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}

/** All times are milliseconds since 1970. */
export interface Rotation {
  readonly isEnabled: boolean;
  readonly functionArn: string;
  readonly rules: RotationRules;
  readonly configuredAt: number;
  readonly lastRotatedAt?: number;
  /** When the schedule last started a run. */
  readonly lastStartedAt?: number;
  /** The run in progress. */
  readonly run?: RotationRun;
}

export interface RotationRun {
  /** Id of the version that holds AWSPENDING. */
  readonly token: string;
  /** Runs only testSecret, for a version that is removed afterwards. */
  readonly isTest: boolean;
  /** Number of failed runs. */
  readonly failures: number;
}

/** `which` is `VersionId: …` or `staging label: …`, AWS's words. */
function valueNotFound(which: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${which}`,
  );
}
