// A Secrets Manager on loopback: AWS's API for the real SDK and the AWS CLI, with its secrets in a folder.
import type * as v from 'valibot';
import { isLoopback } from '../../listener/loopback.ts';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { parseInput, startAwsServer } from '../aws-protocol/server.ts';
import { deleteSecret, deleteSecretSchema, removeGone, restoreSecret, restoreSecretSchema } from './delete.ts';
import type { Context } from './input.ts';
import {
  batchGetSecretValue,
  batchGetSecretValueSchema,
  describeSecret,
  describeSecretSchema,
  getRandomPassword,
  getRandomPasswordSchema,
  getSecretValue,
  getSecretValueSchema,
  listSecrets,
  listSecretsSchema,
  listSecretVersionIds,
  listSecretVersionIdsSchema,
} from './read.ts';
import {
  cancelRotateSecret,
  cancelRotateSecretSchema,
  type Rotations,
  type RotationsOptions,
  rotateSecret,
  rotateSecretSchema,
  startRotations,
} from './rotate.ts';
import type { RotationFunctions } from './rotation.ts';
import { openStore } from './store.ts';
import {
  createSecret,
  createSecretSchema,
  putSecretValue,
  putSecretValueSchema,
  tagResource,
  tagResourceSchema,
  untagResource,
  untagResourceSchema,
  updateSecret,
  updateSecretSchema,
  updateSecretVersionStage,
  updateSecretVersionStageSchema,
} from './write.ts';

export interface SecretsManagerOptions {
  /** Created if absent; private (0700, files 0600), for one server at a time. */
  readonly folder: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Must be loopback: callers are not authenticated. */
  readonly host?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Goes into the ARNs of new secrets. */
  readonly region?: string;
  /** Absent: no functions. */
  readonly rotationFunctions?: RotationFunctions;
  /** Delays of rotations; tests pass their own. */
  readonly rotationTiming?: Pick<RotationsOptions, 'delaysMs' | 'wait'>;
}

export interface SecretsManager {
  /** For AWS_ENDPOINT_URL_SECRETS_MANAGER and `aws --endpoint-url`. */
  readonly url: string;
  /** Starts no further step of a rotation, and waits for the one in progress; `close` does so too. */
  endRotations(): Promise<void>;
  /** Finishes requests in progress, then releases the port and the folder. */
  close(): Promise<void>;
}

/** Interval for the removal of expired secrets. */
const sweepMs = 60_000;

/** Fits a value of 64 KiB with each byte escaped as six characters. */
const maxBodyBytes = 1024 * 1024;

/**
 * Starts the server. Throws a one-sentence Error if the folder, a state file or the port cannot be used.
 *
 * Limits: it verifies no signatures (requests need one of the right form), has one account, does not encrypt files (the
 * key would be stored beside them), and has no replicas, resource policies or log.
 */
export async function startSecretsManager(options: SecretsManagerOptions): Promise<SecretsManager> {
  const { folder, port, host = '127.0.0.1', now = Date.now, region = 'us-east-1' } = options;
  if (!isLoopback(host)) {
    throw new Error(`The Secrets Manager listens on loopback only, and ${host} is not a loopback address.`);
  }
  const store = await openStore(folder);
  const { rotationFunctions = () => undefined } = options;
  let rotations: Rotations | undefined;
  const context: Context = { store, now, region, rotationFunctions, wakeRotations: () => rotations?.wake() };
  let nextSweep = Number.NEGATIVE_INFINITY;

  async function sweep(): Promise<void> {
    if (now() < nextSweep) return;
    nextSweep = now() + sweepMs;
    await removeGone(context);
  }

  const server = await startAwsServer({
    service: { target: 'secretsmanager', signingName: 'secretsmanager', maxBodyBytes },
    actionNamed(name) {
      const action = actionNamed(name);
      return async (body) => {
        await sweep();
        return action(body, context);
      };
    },
    internalError,
    port,
    host,
    what: 'Secrets Manager',
    option: '--secrets-port',
  }).catch(async (error) => {
    await store.close();
    throw error;
  });
  // After it listens: the first step of a continued rotation calls back at once.
  rotations = startRotations({ context, ...options.rotationTiming });

  async function stop(): Promise<void> {
    await rotations?.close();
    await server.close();
    await store.close();
  }

  let stopped: Promise<void> | undefined;
  return {
    url: server.url,
    endRotations: async () => rotations?.close(),
    close() {
      stopped ??= stop();
      return stopped;
    },
  };
}

function internalError(cause: unknown): AwsError {
  return new AwsError('InternalServiceError', 'Something unexpected happened inside the local Secrets Manager.', {
    cause,
  });
}

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

/** Throws UnknownOperationException, also for actions of AWS that are not implemented. */
function actionNamed(name: string): Action {
  const found = actions.get(name);
  if (!found) throw new AwsError('UnknownOperationException', 'There is no such operation here.');
  return found;
}
