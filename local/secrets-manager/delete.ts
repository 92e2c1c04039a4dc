// DeleteSecret with its recovery window, RestoreSecret, and the removal of expired secrets.
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { type Context, changeSecret, fields, findSecret, isGone, newArn } from './input.ts';
import { seconds, secretAnswer } from './response.ts';
import type { Secret } from './secret.ts';

const day = 86_400_000;
/** Days; AWS API reference, DeleteSecret. */
const recoveryWindow = { min: 7, max: 30, default: 30 } as const;

export const deleteSecretSchema = v.object({
  SecretId: fields.secretId,
  RecoveryWindowInDays: v.exactOptional(v.pipe(v.number(), v.integer())),
  ForceDeleteWithoutRecovery: fields.flag,
});

export async function deleteSecret(input: v.InferOutput<typeof deleteSecretSchema>, context: Context) {
  const { SecretId: id, RecoveryWindowInDays: days } = input;
  const force = input.ForceDeleteWithoutRecovery === true;
  if (force && days !== undefined) {
    throw invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  if (days !== undefined && (days < recoveryWindow.min || days > recoveryWindow.max)) {
    throw invalid('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
  }
  if (force) return removeNow(id, context);
  const deletionAt = context.now() + (days ?? recoveryWindow.default) * day;
  const secret = await changeSecret(
    id,
    context,
    (current) => ({ ...current, deletionAt, changedAt: context.now() }),
    mustNotBeMarked,
  );
  return { ...secretAnswer(secret), DeletionDate: seconds(deletionAt) };
}

/** A missing or already marked secret is not an error: AWS answers as if it was deleted now. */
async function removeNow(secretId: string, context: Context) {
  const DeletionDate = seconds(context.now());
  let secret: Secret;
  try {
    secret = findSecret(secretId, context);
  } catch (error) {
    if (!(error instanceof AwsError) || error.name !== 'ResourceNotFoundException') throw error;
    const isArn = secretId.startsWith('arn:');
    return { ARN: isArn ? secretId : newArn(context.region, secretId), Name: secretId, DeletionDate };
  }
  await context.store.update(secret.name, (latest) => (latest?.arn === secret.arn ? undefined : latest));
  return { ...secretAnswer(secret), DeletionDate };
}

export const restoreSecretSchema = v.object({ SecretId: fields.secretId });

export async function restoreSecret(input: v.InferOutput<typeof restoreSecretSchema>, context: Context) {
  const secret = await changeSecret(
    input.SecretId,
    context,
    (marked) => {
      if (marked.deletionAt === undefined) return marked;
      const { deletionAt: _, ...restored } = marked;
      return { ...restored, changedAt: context.now() };
    },
    () => {},
  );
  context.wakeRotations();
  return secretAnswer(secret);
}

/** Removes secrets whose recovery window has ended. They count as deleted even if a removal fails. */
export async function removeGone({ store, now }: Context): Promise<void> {
  const gone = [...store.all()].filter((secret) => isGone(secret, now()));
  await Promise.allSettled(
    gone.map(({ name }) => store.update(name, (latest) => (latest && isGone(latest, now()) ? undefined : latest))),
  );
}

function mustNotBeMarked(secret: Secret): void {
  if (secret.deletionAt === undefined) return;
  throw new AwsError(
    'InvalidRequestException',
    "You tried to perform the operation on a secret that's currently marked deleted.",
  );
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}
