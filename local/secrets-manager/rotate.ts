// Rotating: RotateSecret and CancelRotateSecret, which answer before the function is called.
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { defined, secretAnswer } from './answer.ts';
import { fields } from './input.ts';
import { type Context, changeSecret } from './lookup.ts';
import { unfinished, withRotationBegun, withRotationCancelled, withRotationReattempted } from './rotation.ts';
import { requiredToken } from './write.ts';

export const rotateSecretSchema = v.object({
  SecretId: fields.secretId,
  ClientRequestToken: fields.clientRequestToken,
  RotationLambdaARN: v.exactOptional(v.pipe(v.string(), v.maxLength(2048))),
  RotationRules: fields.rotationRules,
  RotateImmediately: fields.flag,
});

export async function rotateSecret(input: v.InferOutput<typeof rotateSecretSchema>, context: Context) {
  const token = requiredToken(input.ClientRequestToken);
  const functionArn = input.RotationLambdaARN || undefined;
  const isImmediate = input.RotateImmediately ?? true;
  let isIncomplete = false;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    const arn = functionArn ?? current.rotation?.functionArn;
    if (arn !== undefined && !context.rotationFunctions(arn)) throw functionNotFound();
    const pending = unfinished(current);
    if (arn !== undefined && pending !== undefined) {
      isIncomplete = pending !== token;
      return withRotationReattempted(current);
    }
    return withRotationBegun(current, { token, functionArn, rules: input.RotationRules, isImmediate }, context.now());
  });
  context.wakeRotations();
  if (isIncomplete) {
    throw new AwsError(
      'InvalidRequestException',
      "A previous rotation isn't complete. That rotation will be reattempted.",
    );
  }
  return { ...secretAnswer(secret), ...defined('VersionId', isImmediate ? token : undefined) };
}

export const cancelRotateSecretSchema = v.object({ SecretId: fields.secretId });

export async function cancelRotateSecret(input: v.InferOutput<typeof cancelRotateSecretSchema>, context: Context) {
  let interrupted: string | undefined;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    interrupted = current.rotation?.run?.token;
    return withRotationCancelled(current, context.now());
  });
  context.wakeRotations();
  return { ...secretAnswer(secret), ...defined('VersionId', interrupted) };
}

function functionNotFound(): AwsError {
  return new AwsError('ResourceNotFoundException', 'Lambda does not exist.');
}
