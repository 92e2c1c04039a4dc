// The actions of the local Secrets Manager: name, shape of the request, and who does it.
import type * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { parseInput } from '../aws-protocol/input.ts';
import { deleteSecret, deleteSecretSchema, restoreSecret, restoreSecretSchema } from './delete.ts';
import { listSecrets, listSecretsSchema } from './list.ts';
import type { Context } from './lookup.ts';
import { getRandomPassword, getRandomPasswordSchema } from './random-password.ts';
import {
  batchGetSecretValue,
  batchGetSecretValueSchema,
  describeSecret,
  describeSecretSchema,
  getSecretValue,
  getSecretValueSchema,
  listSecretVersionIds,
  listSecretVersionIdsSchema,
} from './read.ts';
import { cancelRotateSecret, cancelRotateSecretSchema, rotateSecret, rotateSecretSchema } from './rotate.ts';
import { tagResource, tagResourceSchema, untagResource, untagResourceSchema } from './tags.ts';
import {
  createSecret,
  createSecretSchema,
  putSecretValue,
  putSecretValueSchema,
  updateSecret,
  updateSecretSchema,
  updateSecretVersionStage,
  updateSecretVersionStageSchema,
} from './write.ts';

type Answer = object | Promise<object>;
type Action = (body: unknown, context: Context) => Answer;

function action<Schema extends v.GenericSchema>(
  schema: Schema,
  run: (input: v.InferOutput<Schema>, context: Context) => Answer,
): Action {
  return (body, context) => run(parseInput(schema, body), context);
}

const actions = new Map<string, Action>([
  ['BatchGetSecretValue', action(batchGetSecretValueSchema, batchGetSecretValue)],
  ['CancelRotateSecret', action(cancelRotateSecretSchema, cancelRotateSecret)],
  ['CreateSecret', action(createSecretSchema, createSecret)],
  ['DeleteSecret', action(deleteSecretSchema, deleteSecret)],
  ['DescribeSecret', action(describeSecretSchema, describeSecret)],
  ['GetRandomPassword', action(getRandomPasswordSchema, getRandomPassword)],
  ['GetSecretValue', action(getSecretValueSchema, getSecretValue)],
  ['ListSecretVersionIds', action(listSecretVersionIdsSchema, listSecretVersionIds)],
  ['ListSecrets', action(listSecretsSchema, listSecrets)],
  ['PutSecretValue', action(putSecretValueSchema, putSecretValue)],
  ['RestoreSecret', action(restoreSecretSchema, restoreSecret)],
  ['RotateSecret', action(rotateSecretSchema, rotateSecret)],
  ['TagResource', action(tagResourceSchema, tagResource)],
  ['UntagResource', action(untagResourceSchema, untagResource)],
  ['UpdateSecret', action(updateSecretSchema, updateSecret)],
  ['UpdateSecretVersionStage', action(updateSecretVersionStageSchema, updateSecretVersionStage)],
]);

/** Throws UnknownOperationException, also for AWS's actions that are not offered here. */
export function actionNamed(name: string): Action {
  const found = actions.get(name);
  if (!found) throw new AwsError('UnknownOperationException', 'There is no such operation here.');
  return found;
}
