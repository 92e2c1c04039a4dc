// The story of a rotation: Secrets Manager calls for one step at a time, each may have been run before, in part or whole.
import { setTimeout } from 'node:timers/promises';
import { asCountersignError } from '../errors.ts';
import { failureFields } from '../telemetry/failure-fields.ts';
import { type RotationRecord, recordRotation } from '../telemetry/rotation-record.ts';
import { deadlineIn, roundMs } from '../tls/attempt.ts';
import { requestVersionOf } from '../versions/secret-ids.ts';
import { createSecret } from './create-secret.ts';
import { finishSecret, finishUp } from './finish-secret.ts';
import { guard } from './guard.ts';
import type { Rotation, RotationServices } from './rotation.ts';
import { parseRotationEvent, type RotationStep } from './rotation-event.ts';
import { setSecret } from './set-secret.ts';
import { testSecret } from './test-secret.ts';

export type Rotate = (
  event: unknown,
  call: { readonly requestId: string; readonly remainingMs: number },
) => Promise<void>;

const steps: Readonly<Record<RotationStep, (rotation: Rotation) => Promise<void>>> = {
  createSecret,
  setSecret,
  testSecret,
  finishSecret,
};

/** Every step leaves one record, whichever way it ends. Throws CountersignError; then Secrets Manager calls the steps again. */
export function createRotate(given: RotationServices): Rotate {
  const services = { now: Date.now, sleep: (ms: number) => setTimeout(ms), ...given };
  return async (event, { requestId, remainingMs }) => {
    const startedAt = performance.now();
    const record: RotationRecord = { requestId, totalMs: 0 };
    try {
      const deadline = deadlineIn(remainingMs, startedAt);
      const { step, secretArn, token, rotationToken } = readEvent();
      const passed = await guard(services, { step, secretArn, token, rotationToken });
      const { identity, state } = passed;
      record.identity = identity;
      const requestVersion = requestVersionOf(token);
      const rotation = { services, identity, secretArn, token, rotationToken, requestVersion, state, deadline, record };
      await (passed.standing === 'already-current' ? finishUp(rotation) : steps[step](rotation));
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

    function readEvent() {
      const parsed = parseRotationEvent(event);
      record.step = parsed.step;
      record.version = parsed.token;
      return parsed;
    }
  };
}
