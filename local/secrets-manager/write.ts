// CreateSecret, PutSecretValue, UpdateSecret, UpdateSecretVersionStage, TagResource and UntagResource.
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { type Context, changeSecret, checkName, fields, isGone, newArn } from './input.ts';
import { defined, secretAnswer } from './response.ts';
import {
  type Secret,
  type SecretValue,
  sameValue,
  type Tag,
  tokenInUse,
  withStageMoved,
  withVersion,
} from './secret.ts';

const valueFields = {
  ClientRequestToken: fields.clientRequestToken,
  SecretString: fields.secretString,
  SecretBinary: fields.secretBinary,
};

export const createSecretSchema = v.object({
  ...valueFields,
  Name: fields.secretName,
  Description: fields.description,
  KmsKeyId: fields.kmsKeyId,
  Tags: v.exactOptional(fields.tags),
  AddReplicaRegions: v.exactOptional(v.array(v.unknown())),
  Type: v.exactOptional(v.string()),
});

/** The same token with the same value is a repeated request; otherwise an existing secret is an error. */
export async function createSecret(input: v.InferOutput<typeof createSecretSchema>, context: Context) {
  const name = checkName(input.Name);
  if (input.AddReplicaRegions?.length || input.Type) {
    throw new AwsError('InvalidParameterException', 'Replicas and managed external secrets are not available here.');
  }
  const token = requiredToken(input.ClientRequestToken);
  const value = givenValue(input);
  const tags = input.Tags && mergedTags([], input.Tags);
  const secret = await context.store.update(name, (existing) => {
    const now = context.now();
    if (existing && !isGone(existing, now)) return repeated(existing, token, value);
    const empty: Secret = {
      name,
      arn: newArn(context.region, name),
      ...(input.Description === undefined ? {} : { description: input.Description }),
      ...(input.KmsKeyId === undefined ? {} : { kmsKeyId: input.KmsKeyId }),
      ...(tags === undefined ? {} : { tags }),
      createdAt: now,
      changedAt: now,
      versions: [],
    };
    return value ? withVersion(empty, { id: token, value }, now) : empty;
  });
  return { ...secretAnswer(secret), ...defined('VersionId', value && token) };
}

function repeated(existing: Secret, token: string, value: SecretValue | undefined): Secret {
  if (existing.deletionAt !== undefined) {
    throw new AwsError(
      'InvalidRequestException',
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  }
  const version = existing.versions.find(({ id }) => id === token);
  if (version && value && sameValue(version.value, value)) return existing;
  if (version) throw tokenInUse(existing, token);
  throw new AwsError(
    'ResourceExistsException',
    `The operation failed because the secret ${existing.name} already exists.`,
  );
}

export const putSecretValueSchema = v.object({
  ...valueFields,
  SecretId: fields.secretId,
  VersionStages: fields.stages,
});

export async function putSecretValue(input: v.InferOutput<typeof putSecretValueSchema>, context: Context) {
  const token = requiredToken(input.ClientRequestToken);
  const value = givenValue(input);
  if (!value) throw new AwsError('InvalidRequestException', 'You must provide either SecretString or SecretBinary.');
  const secret = await changeSecret(input.SecretId, context, (current) =>
    withVersion(
      current,
      { id: token, value, ...(input.VersionStages ? { stages: input.VersionStages } : {}) },
      context.now(),
    ),
  );
  const stages = secret.versions.find(({ id }) => id === token)?.stages;
  return { ...secretAnswer(secret), VersionId: token, ...defined('VersionStages', stages) };
}

export const updateSecretSchema = v.object({
  ...valueFields,
  SecretId: fields.secretId,
  Description: fields.description,
  KmsKeyId: fields.kmsKeyId,
});

export async function updateSecret(input: v.InferOutput<typeof updateSecretSchema>, context: Context) {
  const token = requiredToken(input.ClientRequestToken);
  const value = givenValue(input);
  const { Description: description, KmsKeyId: kmsKeyId } = input;
  const secret = await changeSecret(input.SecretId, context, (current) => {
    const now = context.now();
    const valued = value ? withVersion(current, { id: token, value }, now) : current;
    if (description === undefined && kmsKeyId === undefined) return valued;
    return {
      ...valued,
      ...(description === undefined ? {} : { description }),
      ...(kmsKeyId === undefined ? {} : { kmsKeyId }),
      changedAt: now,
    };
  });
  return { ...secretAnswer(secret), ...defined('VersionId', value && token) };
}

export const updateSecretVersionStageSchema = v.object({
  SecretId: fields.secretId,
  VersionStage: fields.stage,
  RemoveFromVersionId: fields.versionId,
  MoveToVersionId: fields.versionId,
});

export async function updateSecretVersionStage(
  input: v.InferOutput<typeof updateSecretVersionStageSchema>,
  context: Context,
) {
  const move = { stage: input.VersionStage, removeFrom: input.RemoveFromVersionId, moveTo: input.MoveToVersionId };
  const secret = await changeSecret(input.SecretId, context, (current) => withStageMoved(current, move, context.now()));
  return secretAnswer(secret);
}

/** SDKs and the CLI set it; other callers must pass one, as at AWS. */
export function requiredToken(token: string | undefined): string {
  if (token !== undefined) return token;
  throw new AwsError(
    'InvalidRequestException',
    'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
  );
}

function givenValue(input: {
  readonly SecretString?: string;
  readonly SecretBinary?: string;
}): SecretValue | undefined {
  const { SecretString: string, SecretBinary: base64 } = input;
  if (string !== undefined && base64 !== undefined) {
    throw new AwsError(
      'InvalidParameterException',
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  }
  if (string !== undefined) return { string };
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  const binary = bytes.toString('base64');
  // Buffer ignores invalid characters: encoding again detects them.
  if (binary !== base64) {
    throw new AwsError('SerializationException', "The value at 'secretBinary' is not base64.");
  }
  if (bytes.length < 1 || bytes.length > 65_536) {
    const bound = bytes.length < 1 ? 'greater than or equal to 1' : 'less than or equal to 65536';
    throw new AwsError(
      'ValidationException',
      `1 validation error detected: Value at 'secretBinary' failed to satisfy constraint: Member must have length ${bound}`,
    );
  }
  return { binary };
}

/** AWS General Reference, "Tag naming limits and requirements". */
const maxTags = 50;

export const tagResourceSchema = v.object({ SecretId: fields.secretId, Tags: fields.tags });

export async function tagResource(input: v.InferOutput<typeof tagResourceSchema>, context: Context) {
  await changeSecret(input.SecretId, context, (secret) => ({
    ...secret,
    tags: mergedTags(secret.tags ?? [], input.Tags),
    changedAt: context.now(),
  }));
  return {};
}

export const untagResourceSchema = v.object({ SecretId: fields.secretId, TagKeys: fields.tagKeys });

export async function untagResource(input: v.InferOutput<typeof untagResourceSchema>, context: Context) {
  await changeSecret(input.SecretId, context, (secret) => {
    if (!secret.tags?.some((tag) => input.TagKeys.includes(tag.Key))) return secret;
    const tags = secret.tags.filter((tag) => !input.TagKeys.includes(tag.Key));
    return { ...secret, tags, changedAt: context.now() };
  });
  return {};
}

/** Merges tags by key. Throws InvalidParameterException. */
function mergedTags(tags: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  if (added.some((tag) => /^aws:/i.test(tag.Key))) throw invalid('A tag key must not begin with aws:.');
  if (new Set(added.map((tag) => tag.Key)).size < added.length) throw invalid('A tag key is given more than once.');
  const merged = new Map([...tags, ...added].map((tag) => [tag.Key, tag.Value]));
  if (merged.size > maxTags) throw invalid(`A secret can have at most ${maxTags} tags.`);
  return [...merged].map(([Key, Value]) => ({ Key, Value }));
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}
