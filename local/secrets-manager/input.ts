// The fields of requests, and the secret that a SecretId means.

import { randomInt } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import type { RotationFunctions } from './rotation.ts';
import { mustBeActive, type Secret } from './secret.ts';
import type { Store } from './store.ts';

// Lengths and ranges: AWS Secrets Manager API reference, "Request Parameters" of each action.
const text = (min: number, max: number) => v.pipe(v.string(), v.minLength(min), v.maxLength(max));

export const fields = {
  secretId: text(1, 2048),
  secretName: text(1, 512),
  clientRequestToken: v.exactOptional(text(32, 64)),
  description: v.exactOptional(text(0, 2048)),
  kmsKeyId: v.exactOptional(text(0, 2048)),
  secretString: v.exactOptional(v.pipe(v.string(), v.minLength(1), v.maxBytes(65_536))),
  /** base64; decoding checks the length. */
  secretBinary: v.exactOptional(v.string()),
  versionId: v.exactOptional(text(32, 64)),
  stage: text(1, 256),
  stages: v.exactOptional(v.pipe(v.array(text(1, 256)), v.minLength(1), v.maxLength(20))),
  tags: v.array(v.object({ Key: text(1, 128), Value: v.optional(text(0, 256), '') })),
  tagKeys: v.array(text(1, 128)),
  rotationRules: v.exactOptional(
    v.object({
      AutomaticallyAfterDays: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))),
      Duration: v.exactOptional(v.pipe(text(2, 3), v.regex(/^[0-9h]+$/))),
      ScheduleExpression: v.exactOptional(v.pipe(text(1, 256), v.regex(/^[0-9A-Za-z()#?*\-/, ]+$/))),
    }),
  ),
  flag: v.exactOptional(v.boolean()),
  maxResults: (max: number) => v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(max))),
  nextToken: v.exactOptional(text(1, 4096)),
  filters: v.exactOptional(
    v.pipe(
      v.array(
        v.object({
          Key: v.picklist(['description', 'name', 'tag-key', 'tag-value', 'primary-region', 'owning-service', 'all']),
          Values: v.pipe(
            v.array(v.pipe(v.string(), v.maxLength(512), v.regex(/^!?[a-zA-Z0-9 :_@/+=.\-!]*$/))),
            v.minLength(1),
            v.maxLength(10),
          ),
        }),
      ),
      v.maxLength(10),
    ),
  ),
} as const;

/** Dependencies of every action. */
export interface Context {
  readonly store: Store;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly region: string;
  readonly rotationFunctions: RotationFunctions;
  /** Called after a stored change that can start or stop a rotation. */
  readonly wakeRotations: () => void;
}

/** The only account here; AWS does not assign this number. */
const account = '000000000000';
const suffixAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const arnPattern = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:(.+)$/;

export function newArn(region: string, name: string): string {
  const suffix = Array.from({ length: 6 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');
  return `arn:aws:secretsmanager:${region}:${account}:secret:${name}-${suffix}`;
}

/** Characters: AWS API reference, CreateSecret, Name; the message is AWS's, including the exclamation mark. */
export function checkName(name: string): string {
  if (/^[A-Za-z0-9/_+=.@-]+$/.test(name)) return name;
  throw new AwsError(
    'ValidationException',
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  );
}

/** The record, also while it is scheduled for deletion. Throws ResourceNotFoundException. */
export function findSecret(secretId: string, { store, now }: Context): Secret {
  const { name, means } = parse(secretId);
  const secret = store.get(name);
  if (!secret || isGone(secret, now()) || !means(secret)) throw secretNotFound();
  return secret;
}

/** Changes a secret that is not scheduled for deletion, in the store's order. */
export function changeSecret(
  secretId: string,
  context: Context,
  change: (secret: Secret) => Secret,
  check: (secret: Secret) => void = mustBeActive,
): Promise<Secret> {
  const { name, means } = parse(secretId);
  return context.store.update(name, (secret) => {
    if (!secret || isGone(secret, context.now()) || !means(secret)) throw secretNotFound();
    check(secret);
    return change(secret);
  });
}

/** True after the recovery window, even if the file has not been removed yet. */
export function isGone(secret: Secret, now: number): boolean {
  return secret.deletionAt !== undefined && secret.deletionAt <= now;
}

/**
 * An ARN that ends in a hyphen and six characters is treated as a full one, so a secret whose name ends like that is
 * not found by its partial ARN, as at AWS (User Guide, "Finding a secret from a partial ARN").
 */
function parse(secretId: string): { name: string; means: (secret: Secret) => boolean } {
  const resource = arnPattern.exec(secretId)?.[1];
  if (resource === undefined) return { name: checkName(secretId), means: () => true };
  const isFull = /-[A-Za-z0-9]{6}$/.test(resource);
  if (isFull) return { name: checkName(resource.slice(0, -7)), means: (secret) => secret.arn === secretId };
  return { name: checkName(resource), means: (secret) => secret.arn.slice(0, -7) === secretId };
}

function secretNotFound(): AwsError {
  return new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
}
