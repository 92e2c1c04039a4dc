// What Secrets Manager hands a rotation function: the step, the secret, and the version that is to become the current one.
import * as v from 'valibot';
import { refused } from './refused.ts';

export const rotationSteps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type RotationStep = (typeof rotationSteps)[number];

/** AWS Secrets Manager User Guide, "Lambda rotation functions"; lengths: API reference, RotateSecret and PutSecretValue. */
const eventSchema = v.object({
  Step: v.picklist(rotationSteps),
  SecretId: v.pipe(v.string(), v.regex(/^arn:[\w-]{1,32}:secretsmanager:[\w-]{1,64}:\d{12}:secret:[\w/+=.@-]{1,519}$/)),
  ClientRequestToken: v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{32,64}$/)),
  RotationToken: v.exactOptional(v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(256)))),
});

export interface RotationEvent {
  readonly step: RotationStep;
  readonly secretArn: string;
  /** Also the id of the version. */
  readonly token: string;
  readonly rotationToken: string | undefined;
}

/**
 * Throws `rotation-refused`, and says which member is wrong, never its value. Members that AWS adds are let through: RotationToken
 * came in that way.
 */
export function parseRotationEvent(event: unknown): RotationEvent {
  const result = v.safeParse(eventSchema, event, { abortEarly: true });
  if (result.success) {
    const { Step, SecretId, ClientRequestToken, RotationToken } = result.output;
    return { step: Step, secretArn: SecretId, token: ClientRequestToken, rotationToken: RotationToken ?? undefined };
  }
  const key = result.issues[0].path?.[0]?.key;
  const what = typeof key === 'string' ? `its ${key} is missing or not of the form it has there` : 'it is no object';
  throw refused('event-malformed', `The event is none of a rotation by Secrets Manager: ${what}.`, undefined);
}
