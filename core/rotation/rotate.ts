// The use case of the rotation function: runs one step of a rotation for an event from Secrets Manager.
import * as v from 'valibot';
import { asCountersignError } from '../errors.ts';
import { type RotationRecord, recordRotation } from '../telemetry/rotation-record.ts';
import { failureFields } from '../telemetry/telemetry.ts';
import { deadlineIn, roundMs } from '../tls/attempt.ts';
import {
  identityNamed,
  pollWithBackoff,
  requestVersionOf,
  type SecretState,
  stagingLabels,
} from '../versions/versions.ts';
import { createSecret } from './create-secret.ts';
import { finishRemaining, finishSecret } from './finish-secret.ts';
import type { Rotation, RotationServices } from './rotation.ts';
import { type RotationRefusedReason, rotationRefused } from './rotation-errors.ts';
import { setSecret } from './set-secret.ts';
import { testSecret } from './test-secret.ts';

export const rotationSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
type RotationStep = (typeof rotationSteps)[number];

const steps: Readonly<Record<RotationStep, (rotation: Rotation) => Promise<void>>> = {
  createSecret,
  setSecret,
  testSecret,
  finishSecret,
};

export interface RotationCall {
  readonly requestId: string;
  /** Milliseconds until the step must have ended. */
  readonly remainingMs: number;
}

/** `event` is the event of Secrets Manager. Throws CountersignError; Secrets Manager then runs the steps again. */
export type Rotate = (event: unknown, call: RotationCall) => Promise<void>;

export function createRotate(services: RotationServices): Rotate {
  return async (event, call) => {
    await runStep(services, () => parseRotationEvent(event), call);
  };
}

export interface StepRequest {
  readonly step: RotationStep;
  /** ARN of the secret; in a directory the name of the identity. */
  readonly secretArn: string;
  readonly token: string;
  readonly rotationToken?: string | undefined;
}

/**
 * Every step writes one log record, also if it fails. `finished`: the version was current already, and nothing is left
 * to do. Throws CountersignError.
 */
export async function runStep(
  services: RotationServices,
  parse: () => StepRequest,
  { requestId, remainingMs }: RotationCall,
): Promise<'done' | 'finished'> {
  const startedAt = performance.now();
  const record: RotationRecord = { requestId, totalMs: 0 };
  try {
    const deadline = deadlineIn(remainingMs, startedAt);
    const { step, secretArn, token, rotationToken } = parse();
    record.step = step;
    record.version = token;
    const { identity, state, isCurrent } = await requireRotationInProgress(services, secretArn, token);
    record.identity = identity;
    const requestVersion = requestVersionOf(token);
    const rotation = { services, identity, secretArn, token, rotationToken, requestVersion, state, deadline, record };
    await (isCurrent ? finishRemaining(rotation) : steps[step](rotation));
    return isCurrent ? 'finished' : 'done';
  } catch (thrown) {
    const error = asCountersignError(thrown);
    Object.assign(record, failureFields(error));
    const { code, evidence } = error;
    if (code === 'identity-unusable' && typeof evidence?.stage === 'string') record.stage = evidence.stage;
    throw error;
  } finally {
    record.totalMs = roundMs(performance.now() - startedAt);
    recordRotation(services.telemetry, record);
  }
}

/** Secrets Manager User Guide, "Lambda rotation functions"; lengths: API reference, RotateSecret and PutSecretValue. */
const eventSchema = v.object({
  Step: v.picklist(rotationSteps),
  SecretId: v.pipe(v.string(), v.regex(/^arn:[\w-]{1,32}:secretsmanager:[\w-]{1,64}:\d{12}:secret:[\w/+=.@-]{1,519}$/)),
  ClientRequestToken: v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{32,64}$/)),
  RotationToken: v.exactOptional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(256)))),
});

/**
 * Throws `rotation-refused`; the sentence names the member that is wrong and never quotes its value. Unknown members
 * are allowed: AWS added RotationToken that way.
 */
export function parseRotationEvent(event: unknown): StepRequest {
  const result = v.safeParse(eventSchema, event, { abortEarly: true });
  if (result.success) {
    const { Step, SecretId, ClientRequestToken, RotationToken } = result.output;
    return { step: Step, secretArn: SecretId, token: ClientRequestToken, rotationToken: RotationToken ?? undefined };
  }
  const key = result.issues[0].path?.[0]?.key;
  const fault = typeof key === 'string' ? `${key} is missing or malformed` : 'expected an object';
  throw rotationRefused('event-malformed', `Not a Secrets Manager rotation event: ${fault}.`, undefined);
}

interface RotationInProgress {
  readonly identity: string;
  readonly state: SecretState;
  /** The version has AWSCURRENT already: only labels are left to remove. */
  readonly isCurrent: boolean;
}

/**
 * Throws `rotation-refused`. RotateSecret wrote the labels just before the event, so the secret is read again, for 3.1
 * s, before a label counts as missing.
 */
async function requireRotationInProgress(
  { versions, prefix, sleep }: Pick<RotationServices, 'versions' | 'prefix' | 'sleep'>,
  secretArn: string,
  token: string,
): Promise<RotationInProgress> {
  const labelsOf = (seen: SecretState) => seen.stages.get(token) ?? [];
  const state = await pollWithBackoff(
    () => versions.describe(secretArn),
    (seen) =>
      seen.rotationEnabled &&
      labelsOf(seen).some((label) => label === stagingLabels.pending || label === stagingLabels.current),
    sleep,
  );
  const refuse = (reason: RotationRefusedReason, sentence: string, hint?: string) =>
    rotationRefused(reason, sentence, token, hint);

  const identity = identityNamed(prefix, state.name);
  if (identity === undefined) {
    throw refuse('foreign-secret', 'The name of the secret is not the prefix followed by the name of an identity.');
  }
  const labels = labelsOf(state);
  if (labels.includes(stagingLabels.current)) return { identity, state, isCurrent: true };
  if (!state.rotationEnabled) throw refuse('not-enabled', 'Rotation is not enabled for the secret.');
  if (!state.stages.has(token)) {
    throw refuse('unknown-version', 'The secret has no version with that token and a staging label.');
  }
  if (!labels.includes(stagingLabels.pending)) {
    throw refuse('not-pending', 'The version of that token does not have AWSPENDING: another rotation replaced it.');
  }
  // AWSPREVIOUS is the version that AWSCURRENT was moved from (AWS API reference, UpdateSecretVersionStage): this
  // version was promoted, and rolled back before its labels were removed.
  if (labels.includes(stagingLabels.previous)) {
    throw refuse(
      'moved-back',
      'AWSCURRENT was moved back from the version of that token; a rotation does not undo a rollback.',
      'The platform must cancel the rotation and remove AWSPENDING; docs/rotation.md, "Cancel a rotation", has the commands.',
    );
  }
  return { identity, state, isCurrent: false };
}
