// Finds the secret that a SecretId means: a name, a full ARN, or an ARN without its random suffix.
import { randomInt } from 'node:crypto';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { secretNotFound } from './errors.ts';
import type { RotationFunctions } from './rotation.ts';
import { mustBeActive, type Secret } from './secret.ts';
import type { Store } from './store.ts';

/** What every action works on. */
export interface Context {
  readonly store: Store;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly region: string;
  readonly rotationFunctions: RotationFunctions;
  /** Something is to be run, or no longer: told when a change is on the disk. */
  readonly wakeRotations: () => void;
}

/** There is one account here; AWS never hands this number out. */
const account = '000000000000';
const suffixAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const arnPattern = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:(.+)$/;

export function newArn(region: string, name: string): string {
  const suffix = Array.from({ length: 6 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');
  return `arn:aws:secretsmanager:${region}:${account}:secret:${name}-${suffix}`;
}

/** Characters: AWS API reference, CreateSecret, Name; the sentence is AWS's, the mark at its end included. */
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

/** Changes a secret that is not scheduled for deletion, under the store's line for it. */
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

/** True after the recovery window: the secret is no longer there, whether or not its file has been removed yet. */
export function isGone(secret: Secret, now: number): boolean {
  return secret.deletionAt !== undefined && secret.deletionAt <= now;
}

/**
 * An ARN that ends in a hyphen and six characters is taken for a full one, so a secret whose name ends that way is not
 * found by its partial ARN: so it is at AWS (User Guide, "Finding a secret from a partial ARN").
 */
function parse(secretId: string): { name: string; means: (secret: Secret) => boolean } {
  const resource = arnPattern.exec(secretId)?.[1];
  if (resource === undefined) return { name: checkName(secretId), means: () => true };
  const isFull = /-[A-Za-z0-9]{6}$/.test(resource);
  if (isFull) return { name: checkName(resource.slice(0, -7)), means: (secret) => secret.arn === secretId };
  return { name: checkName(resource), means: (secret) => secret.arn.slice(0, -7) === secretId };
}
