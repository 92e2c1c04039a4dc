// State changes of a secret by RotateSecret, CancelRotateSecret and the end of a run. Pure: a change makes a new
// record.
import {
  checkRules,
  type RotationRules,
  type RotationWindow,
  windowAfter,
} from '../../core/versions/rotation-schedule.ts';
import { AwsError } from '../aws-protocol/aws-error.ts';

import type { Rotation, RotationRun } from './secret.ts';
import { current, holderOf, pending, type Secret, withPendingVersion } from './secret.ts';

/** The event of a rotation function, once per step (User Guide, "Lambda rotation functions"). */
export interface RotationEvent {
  readonly Step: 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret';
  /** The ARN. */
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}

/** Rejects when the step failed. */
type RotationFunction = (event: RotationEvent) => Promise<void>;

/** The function with this ARN, if any. */
export type RotationFunctions = (arn: string) => RotationFunction | undefined;

export interface RotationRequest {
  readonly token: string;
  readonly functionArn?: string | undefined;
  readonly rules?: RotationRules | undefined;
  readonly isImmediate: boolean;
}

/**
 * The secret with rotation enabled and a run to make. The token of an existing version means a repeated request. The
 * caller must handle an unfinished rotation (`unfinished`). Rules: AWS API reference, RotateSecret.
 */
export function withRotationBegun(secret: Secret, request: RotationRequest, now: number): Secret {
  const { token, isImmediate } = request;
  if (request.rules) requireValid(request.rules, now);
  const functionArn = request.functionArn ?? secret.rotation?.functionArn;
  if (functionArn === undefined) {
    throw new AwsError('InvalidRequestException', 'No Lambda rotation function ARN is associated with this secret.');
  }
  if (secret.versions.some(({ id }) => id === token)) return secret;
  const isConfigured = request.functionArn !== undefined || request.rules !== undefined || !secret.rotation?.isEnabled;
  const rotation: Rotation = {
    ...secret.rotation,
    isEnabled: true,
    functionArn,
    rules: request.rules ?? secret.rotation?.rules ?? {},
    configuredAt: isConfigured ? now : (secret.rotation?.configuredAt ?? now),
    run: { token, isTest: !isImmediate, failures: 0 },
  };
  return { ...withPendingVersion(secret, token, now, { isTest: !isImmediate }), rotation };
}

function requireValid(rules: RotationRules, now: number): void {
  try {
    checkRules(rules, now);
  } catch (thrown) {
    throw new AwsError('InvalidParameterException', (thrown as Error).message);
  }
}

/**
 * The secret with rotation disabled. A run in progress makes no further step, and its AWSPENDING version stays. Rules:
 * AWS API reference, CancelRotateSecret.
 */
export function withRotationCancelled(secret: Secret, now: number): Secret {
  if (!secret.rotation) {
    // AWS's message for a secret without rotation, although it names the other action.
    throw new AwsError(
      'InvalidRequestException',
      "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured " +
        "and you didn't include such an ARN as a parameter in this call.",
    );
  }
  const { run: _, ...rotation } = secret.rotation;
  return { ...secret, changedAt: now, rotation: { ...rotation, isEnabled: false } };
}

/** Id of the version with AWSPENDING but not AWSCURRENT: an unfinished rotation. */
export function unfinished(secret: Secret): string | undefined {
  const holder = holderOf(secret.versions, pending);
  return holder && !holder.stages.includes(current) ? holder.id : undefined;
}

/** Restarts an unfinished rotation from its first step; a cancelled one stays cancelled. */
export function withRotationReattempted(secret: Secret): Secret {
  const token = unfinished(secret);
  const { rotation } = secret;
  if (!rotation?.isEnabled || rotation.run?.isTest || token === undefined) return secret;
  return { ...secret, rotation: { ...rotation, run: { token, isTest: false, failures: 0 } } };
}

/** The secret when a window of its schedule opens. */
export function withScheduledRotation(secret: Secret, token: string, now: number): Secret {
  const { rotation } = secret;
  if (!rotation?.isEnabled || rotation.run) return secret;
  const started = { ...secret, rotation: { ...rotation, lastStartedAt: now } };
  if (unfinished(secret) !== undefined) return withRotationReattempted(started);
  return {
    ...withPendingVersion(secret, token, now),
    rotation: { ...started.rotation, run: { token, isTest: false, failures: 0 } },
  };
}

/**
 * The secret after one run. A run has failed if a step failed, or its version has AWSPENDING and is not current; it is
 * repeated up to `maxFailures` times, then AWSPENDING stays. Without AWSPENDING nothing is left to do. The version of a
 * test is always removed.
 */
export function withRunEnded(
  secret: Secret,
  { token, isTest, failures }: RotationRun,
  { isFailed, maxFailures, now }: { readonly isFailed: boolean; readonly maxFailures: number; readonly now: number },
): Secret {
  const { rotation } = secret;
  // Cancelled or restarted meanwhile.
  if (rotation?.run?.token !== token) return secret;
  const isOut = failures + 1 >= maxFailures;
  const { run: _, ...over } = rotation;
  const again = { ...rotation, run: { token, isTest, failures: failures + 1 } };
  if (isTest) {
    if (isFailed && !isOut) return { ...secret, rotation: again };
    return { ...secret, rotation: over, versions: secret.versions.filter(({ id }) => id !== token) };
  }
  if (isFailed || unfinished(secret) === token) return { ...secret, rotation: isOut ? over : again };
  const isRotated = holderOf(secret.versions, current)?.id === token;
  return { ...secret, rotation: isRotated ? { ...over, lastRotatedAt: now } : over };
}

/** The next window after the last rotation, which can be in the past (API reference, NextRotationDate). */
export function nextRotation(secret: Secret): RotationWindow | undefined {
  return windowFrom(secret, 0);
}

/** When the schedule starts the next run: at the opening of the window, once per window. */
export function nextStart(secret: Secret): number | undefined {
  const { rotation, deletionAt } = secret;
  if (rotation?.run || deletionAt !== undefined) return undefined;
  return windowFrom(secret, rotation?.lastStartedAt ?? 0)?.opensAt;
}

function windowFrom({ rotation, versions }: Secret, notBefore: number): RotationWindow | undefined {
  if (!rotation?.isEnabled) return undefined;
  const { rules, configuredAt, lastRotatedAt = 0 } = rotation;
  // For this rule, a manually stored value counts as a rotation (API reference, RotationRulesType).
  const valued = rules.AutomaticallyAfterDays === undefined ? 0 : (holderOf(versions, current)?.createdAt ?? 0);
  return windowAfter(rules, Math.max(notBefore, configuredAt, lastRotatedAt, valued));
}
