// Rotating: RotateSecret and CancelRotateSecret, which answer before the function is called.
import * as v from 'valibot';
import { defined, secretAnswer } from './answer.ts';
import { AwsError } from './errors.ts';
import { fields } from './input.ts';
import { type Context, changeSecret } from './lookup.ts';
import { withRotationBegun, withRotationCancelled } from './rotation.ts';
import { requiredToken } from './write.ts';

export const rotateSecretSchema = v.object({
  SecretId: fields.secretId,
  ClientRequestToken: fields.clientRequestToken,
  RotationLambdaARN: v.exactOptional(v.pipe(v.string(), v.maxLength(2048))),
  RotationRules: fields.rotationRules,
  RotateImmediatelyOnUpdate: fields.flag,
});

export async function rotateSecret(input: v.InferOutput<typeof rotateSecretSchema>, context: Context) {
  const token = requiredToken(input.ClientRequestToken);
  const functionArn = input.RotationLambdaARN || undefined;
  const isImmediate = input.RotateImmediatelyOnUpdate ?? true;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    const arn = functionArn ?? current.rotation?.functionArn;
    if (arn !== undefined && !context.rotationFunctions(arn)) throw functionNotFound();
    return withRotationBegun(current, { token, functionArn, rules: input.RotationRules, isImmediate }, context.now());
  });
  return { ...secretAnswer(secret), ...defined('VersionId', isImmediate ? token : undefined) };
}

export const cancelRotateSecretSchema = v.object({ SecretId: fields.secretId });

export async function cancelRotateSecret(input: v.InferOutput<typeof cancelRotateSecretSchema>, context: Context) {
  let interrupted: string | undefined;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    interrupted = current.rotation?.run?.token;
    return withRotationCancelled(current, context.now());
  });
  return { ...secretAnswer(secret), ...defined('VersionId', interrupted) };
}

function functionNotFound(): AwsError {
  return new AwsError('ResourceNotFoundException', 'Lambda does not exist.');
}
