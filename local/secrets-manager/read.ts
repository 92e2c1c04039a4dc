// Actions that change no secret: GetSecretValue, BatchGetSecretValue, DescribeSecret, ListSecretVersionIds,
// ListSecrets, GetRandomPassword.

import { randomInt } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { type Context, fields, findSecret, isGone } from './input.ts';
import {
  defined,
  describedSecret,
  pageOf,
  secretAnswer,
  stagesByVersion,
  timeKey,
  valueAnswer,
  versionEntry,
} from './response.ts';
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

/** A secret that cannot be read is an entry of Errors and does not affect the others. */
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

/** At most one write per day and version. A failed write does not fail the read. */
async function noteAccess(secret: Secret, version: Version, { store, now }: Context): Promise<void> {
  if (withAccess(secret, version.id, now()) === secret) return;
  await store
    .update(secret.name, (latest) => (latest?.arn === secret.arn ? withAccess(latest, version.id, now()) : latest))
    .catch(() => {});
}

export const listSecretsSchema = v.object({
  IncludePlannedDeletion: fields.flag,
  MaxResults: fields.maxResults(100),
  NextToken: fields.nextToken,
  Filters: fields.filters,
  SortOrder: v.exactOptional(v.picklist(['asc', 'desc'])),
  SortBy: v.exactOptional(v.picklist(['created-date', 'last-accessed-date', 'last-changed-date', 'name'])),
});

export function listSecrets(input: v.InferOutput<typeof listSecretsSchema>, context: Context) {
  const sortBy = input.SortBy ?? 'created-date';
  const descending = input.SortOrder === 'desc';
  const planned = input.IncludePlannedDeletion === true;
  const page = pageOf(filteredSecrets(context, input.Filters ?? [], planned), {
    keyOf: sortKeys[sortBy],
    descending,
    size: input.MaxResults ?? 100,
    token: input.NextToken,
    list: ['ListSecrets', sortBy, descending, planned, input.Filters ?? []],
  });
  return {
    SecretList: page.items.map((secret) => ({
      ...describedSecret(secret),
      ...defined('SecretVersionsToStages', stagesByVersion(secret)),
    })),
    ...defined('NextToken', page.NextToken),
  };
}

const sortKeys: Record<
  'created-date' | 'last-accessed-date' | 'last-changed-date' | 'name',
  (secret: Secret) => string
> = {
  'created-date': (secret) => timeKey(secret.createdAt, secret.name),
  'last-accessed-date': (secret) => timeKey(secret.accessedOn ?? 0, secret.name),
  'last-changed-date': (secret) => timeKey(secret.changedAt, secret.name),
  name: (secret) => secret.name,
};

type Filter = NonNullable<v.InferOutput<typeof listSecretsSchema>['Filters']>[number];

/** Excludes secrets scheduled for deletion by default. A secret must match every filter. */
function filteredSecrets(
  { store, now }: Context,
  filters: readonly Filter[],
  withPlannedDeletion = false,
): readonly Secret[] {
  return [...store.all()]
    .filter((secret) => !isGone(secret, now()))
    .filter((secret) => withPlannedDeletion || secret.deletionAt === undefined)
    .filter((secret) => filters.every((filter) => passes(secret, filter)));
}

/** One matching value is enough; a value that starts with an exclamation mark is negated. */
function passes(secret: Secret, { Key: key, Values: values }: Filter): boolean {
  const attributes = attributesOf(secret, key);
  const matches = key === 'description' || key === 'all' ? matchesWords : matchesPrefix;
  return values.some((value) =>
    value.startsWith('!')
      ? !attributes.some((attribute) => matches(attribute, value.slice(1)))
      : attributes.some((attribute) => matches(attribute, value)),
  );
}

function attributesOf(secret: Secret, key: Filter['Key']): readonly string[] {
  const description = secret.description === undefined ? [] : [secret.description];
  const tagKeys = secret.tags?.map((tag) => tag.Key) ?? [];
  const tagValues = secret.tags?.map((tag) => tag.Value) ?? [];
  switch (key) {
    case 'name':
      return [secret.name];
    case 'description':
      return description;
    case 'tag-key':
      return tagKeys;
    case 'tag-value':
      return tagValues;
    case 'all':
      return [secret.name, ...description, ...tagKeys, ...tagValues];
    default:
      // No secret here is a replica or owned by another service.
      return [];
  }
}

function matchesPrefix(attribute: string, value: string): boolean {
  return attribute.startsWith(value);
}

/**
 * Each word of the value is a prefix of a word of the attribute. AWS documents `description` as a prefix match; it
 * behaves like this.
 */
function matchesWords(attribute: string, value: string): boolean {
  const words = wordsOf(attribute);
  const wanted = wordsOf(value);
  return wanted.length > 0 && wanted.every((begin) => words.some((word) => word.startsWith(begin)));
}

/** `prod/AppBeta` is three words: prod, app, beta. */
function wordsOf(text: string): readonly string[] {
  const spaced = text.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return spaced.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

export const getRandomPasswordSchema = v.object({
  PasswordLength: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096))),
  ExcludeCharacters: v.exactOptional(v.pipe(v.string(), v.maxLength(4096))),
  ExcludeNumbers: fields.flag,
  ExcludePunctuation: fields.flag,
  ExcludeUppercase: fields.flag,
  ExcludeLowercase: fields.flag,
  IncludeSpace: fields.flag,
  RequireEachIncludedType: fields.flag,
});

const lowercase = 'abcdefghijklmnopqrstuvwxyz';
const numbers = '0123456789';
/** AWS API reference, GetRandomPassword, ExcludePunctuation. */
const punctuation = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

export function getRandomPassword(input: v.InferOutput<typeof getRandomPasswordSchema>) {
  const length = input.PasswordLength ?? 32;
  const excluded = new Set(input.ExcludeCharacters);
  const types = [
    input.ExcludeLowercase ? '' : lowercase,
    input.ExcludeUppercase ? '' : lowercase.toUpperCase(),
    input.ExcludeNumbers ? '' : numbers,
    input.ExcludePunctuation ? '' : punctuation,
  ]
    .map((type) => [...type].filter((character) => !excluded.has(character)))
    .filter((type) => type.length > 0);
  const space = input.IncludeSpace && !excluded.has(' ') ? [' '] : [];
  const pool = [...types.flat(), ...space];
  if (pool.length === 0) {
    throw new AwsError('InvalidParameterException', 'No characters are left for the password.');
  }
  // The space is not a required type.
  const required = (input.RequireEachIncludedType ?? true) ? types.map(pick) : [];
  if (required.length > length) {
    throw new AwsError('InvalidParameterException', 'Password length is too short based on the required types.');
  }
  const rest = Array.from({ length: length - required.length }, () => pick(pool));
  return { RandomPassword: shuffled([...required, ...rest]).join('') };
}

function pick(characters: readonly string[]): string {
  return characters[randomInt(characters.length)] as string;
}

/** Fisher-Yates; otherwise the required types would come first, in order. */
function shuffled(characters: readonly string[]): readonly string[] {
  const mixed = [...characters];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [mixed[last], mixed[other]] = [mixed[other] as string, mixed[last] as string];
  }
  return mixed;
}
