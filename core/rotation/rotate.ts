// The use case of the rotation function: runs one step of a rotation for an event from Secrets Manager.
// A step may have run before, completely or in part, so each step continues from what it finds.
import * as v from 'valibot';
import { asCountersignError } from '../errors.ts';
import { failureFields } from '../telemetry/failure-fields.ts';
import { type RotationRecord, recordRotation } from '../telemetry/rotation-record.ts';
import { deadlineIn, roundMs } from '../tls/attempt.ts';
import { requestVersionOf } from '../versions/secret-ids.ts';
import { createSecret } from './create-secret.ts';
import { finishRemaining, finishSecret } from './finish-secret.ts';
import type { Rotation, RotationServices } from './rotation.ts';
import { rotationRefused } from './rotation-errors.ts';
import { requireRotationInProgress } from './rotation-state.ts';
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

/** Every step writes one log record, also if it fails. */
export function createRotate(services: RotationServices): Rotate {
  return async (event, { requestId, remainingMs }) => {
    const startedAt = performance.now();
    const record: RotationRecord = { requestId, totalMs: 0 };
    try {
      const deadline = deadlineIn(remainingMs, startedAt);
      const { step, secretArn, token, rotationToken } = parseRotationEvent(event);
      record.step = step;
      record.version = token;
      const { identity, state, isCurrent } = await requireRotationInProgress(services, secretArn, token);
      record.identity = identity;
      const requestVersion = requestVersionOf(token);
      const rotation = { services, identity, secretArn, token, rotationToken, requestVersion, state, deadline, record };
      await (isCurrent ? finishRemaining(rotation) : steps[step](rotation));
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
  };
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
export function parseRotationEvent(event: unknown) {
  const result = v.safeParse(eventSchema, event, { abortEarly: true });
  if (result.success) {
    const { Step, SecretId, ClientRequestToken, RotationToken } = result.output;
    return { step: Step, secretArn: SecretId, token: ClientRequestToken, rotationToken: RotationToken ?? undefined };
  }
  const key = result.issues[0].path?.[0]?.key;
  const fault = typeof key === 'string' ? `${key} is missing or malformed` : 'expected an object';
  throw rotationRefused('event-malformed', `Not a Secrets Manager rotation event: ${fault}.`, undefined);
}
