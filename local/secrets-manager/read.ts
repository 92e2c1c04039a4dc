// Reading: GetSecretValue, BatchGetSecretValue, DescribeSecret, ListSecretVersionIds.
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { defined, describedSecret, secretAnswer, stagesByVersion, valueAnswer, versionEntry } from './answer.ts';
import { fields } from './input.ts';
import { filteredSecrets } from './list.ts';
import { type Context, findSecret } from './lookup.ts';
import { pageOf, timeKey } from './page.ts';
import { mustBeActive, type Secret, type Version, versionOf, withAccess } from './secret.ts';

export const getSecretValueSchema = v.object({
  SecretId: fields.secretId,
  VersionId: fields.versionId,
  VersionStage: v.exactOptional(fields.stage),
});

export async function getSecretValue(input: v.InferOutput<typeof getSecretValueSchema>, context: Context) {
  const secret = findSecret(input.SecretId, context);
  mustBeActive(secret);
  const version = versionOf(secret, input.VersionId, input.VersionStage);
  await noteAccess(secret, version, context);
  return valueAnswer(secret, version);
}

export const batchGetSecretValueSchema = v.object({
  SecretIdList: v.exactOptional(v.pipe(v.array(fields.secretId), v.minLength(1), v.maxLength(20))),
  Filters: fields.filters,
  MaxResults: fields.maxResults(20),
  NextToken: fields.nextToken,
});

/** A secret that cannot be read is an entry of Errors; the others are answered all the same. */
export async function batchGetSecretValue(input: v.InferOutput<typeof batchGetSecretValueSchema>, context: Context) {
  if ((input.SecretIdList === undefined) === (input.Filters === undefined)) {
    throw new AwsError(
      'InvalidParameterException',
      "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
    );
  }
  if (input.MaxResults !== undefined && input.Filters === undefined) {
    throw new AwsError(
      'InvalidParameterException',
      "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
    );
  }
  const page = input.Filters
    ? pageOf(filteredSecrets(context, input.Filters), {
        keyOf: (secret) => timeKey(secret.createdAt, secret.name),
        size: input.MaxResults ?? 20,
        token: input.NextToken,
        list: ['BatchGetSecretValue', input.Filters],
      })
    : undefined;
  const SecretValues: object[] = [];
  const Errors: object[] = [];
  for (const id of page?.items.map(({ arn }) => arn) ?? input.SecretIdList ?? []) {
    try {
      SecretValues.push(await getSecretValue({ SecretId: id }, context));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      Errors.push({ SecretId: id, ErrorCode: error.name, Message: error.message });
    }
  }
  return { SecretValues, Errors, ...defined('NextToken', page?.NextToken) };
}

export const describeSecretSchema = v.object({ SecretId: fields.secretId });

export function describeSecret(input: v.InferOutput<typeof describeSecretSchema>, context: Context) {
  const secret = findSecret(input.SecretId, context);
  return { ...describedSecret(secret), ...defined('VersionIdsToStages', stagesByVersion(secret)) };
}

export const listSecretVersionIdsSchema = v.object({
  SecretId: fields.secretId,
  MaxResults: fields.maxResults(100),
  NextToken: fields.nextToken,
  IncludeDeprecated: fields.flag,
});

export function listSecretVersionIds(input: v.InferOutput<typeof listSecretVersionIdsSchema>, context: Context) {
  const secret = findSecret(input.SecretId, context);
  const listed = secret.versions.filter((version) => input.IncludeDeprecated || version.stages.length > 0);
  const page = pageOf(listed, {
    keyOf: (version) => timeKey(version.createdAt, version.id),
    size: input.MaxResults ?? 100,
    token: input.NextToken,
    list: ['ListSecretVersionIds', secret.arn, input.IncludeDeprecated === true],
  });
  return {
    ...secretAnswer(secret),
    Versions: page.items.map((version) => versionEntry(secret, version)),
    ...defined('NextToken', page.NextToken),
  };
}

/** At most one write a day for each version, and one that fails does not take the value from the reader. */
async function noteAccess(secret: Secret, version: Version, { store, now }: Context): Promise<void> {
  if (withAccess(secret, version.id, now()) === secret) return;
  await store
    .update(secret.name, (latest) => (latest?.arn === secret.arn ? withAccess(latest, version.id, now()) : latest))
    .catch(() => {});
}
