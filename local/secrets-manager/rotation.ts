// What RotateSecret, CancelRotateSecret and the end of a run do to a secret; pure, a change makes a new record.
import { AwsError } from './errors.ts';
import { current, holderOf, pending, type Secret, withPendingVersion } from './secret.ts';

/** What a rotation function is called with, once for each step (User Guide, "Lambda rotation functions"). */
export interface RotationEvent {
  readonly Step: 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret';
  /** The ARN. */
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}

/** Rejects when the step failed. */
export type RotationFunction = (event: RotationEvent) => Promise<void>;

/** The function of this ARN; undefined when there is none. */
export type RotationFunctions = (arn: string) => RotationFunction | undefined;

/** AWS's own words, as they were given. */
export interface RotationRules {
  readonly AutomaticallyAfterDays?: number;
  readonly ScheduleExpression?: string;
  readonly Duration?: string;
}

/** All times are milliseconds since 1970. */
export interface Rotation {
  readonly isEnabled: boolean;
  readonly functionArn: string;
  readonly rules: RotationRules;
  readonly configuredAt: number;
  readonly lastRotatedAt?: number;
  /** When the schedule began a run last, whatever became of it. */
  readonly lastStartedAt?: number;
  /** What the function is still to be called for. */
  readonly run?: RotationRun;
}

export interface RotationRun {
  /** Id of the version that holds AWSPENDING. */
  readonly token: string;
  /** testSecret alone, of a version that is removed afterwards. */
  readonly isTest: boolean;
  /** Whole runs that a failed step has ended. */
  readonly failures: number;
}

export interface RotationRequest {
  readonly token: string;
  readonly functionArn?: string | undefined;
  readonly rules?: RotationRules | undefined;
  readonly isImmediate: boolean;
}

/**
 * The secret with rotation turned on and a run to be made. The token of a version that exists is the same request again.
 * Rules: AWS API reference, RotateSecret.
 */
export function withRotationBegun(secret: Secret, request: RotationRequest, now: number): Secret {
  const { token, isImmediate } = request;
  const functionArn = request.functionArn ?? secret.rotation?.functionArn;
  if (functionArn === undefined) {
    throw new AwsError('InvalidRequestException', 'No Lambda rotation function ARN is associated with this secret.');
  }
  if (secret.versions.some(({ id }) => id === token)) return secret;
  if (unfinished(secret) !== undefined) throw previousRotationIncomplete();
  const { run: _, ...before } = secret.rotation ?? {};
  const isConfigured = request.functionArn !== undefined || request.rules !== undefined || !secret.rotation?.isEnabled;
  const rotation: Rotation = {
    ...before,
    isEnabled: true,
    functionArn,
    rules: request.rules ?? secret.rotation?.rules ?? {},
    configuredAt: isConfigured ? now : (secret.rotation?.configuredAt ?? now),
    run: { token, isTest: !isImmediate, failures: 0 },
  };
  return { ...withPendingVersion(secret, token, now), rotation };
}

/**
 * The secret with rotation turned off; a run that has begun makes no further step, and its AWSPENDING version stays.
 * Rules: AWS API reference, CancelRotateSecret.
 */
export function withRotationCancelled(secret: Secret, now: number): Secret {
  if (!secret.rotation) {
    // AWS's words for a secret that was never set up to rotate, though they speak of the other action.
    throw new AwsError(
      'InvalidRequestException',
      "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN configured " +
        "and you didn't include such an ARN as a parameter in this call.",
    );
  }
  const { run: _, ...rotation } = secret.rotation;
  return { ...secret, changedAt: now, rotation: { ...rotation, isEnabled: false } };
}

/** Id of the version that holds AWSPENDING without being the current one: a rotation that did not come to its end. */
export function unfinished(secret: Secret): string | undefined {
  const holder = holderOf(secret.versions, pending);
  return holder && !holder.stages.includes(current) ? holder.id : undefined;
}

export function previousRotationIncomplete(): AwsError {
  return new AwsError(
    'InvalidRequestException',
    "A previous rotation isn't complete. That rotation will be reattempted.",
  );
}
