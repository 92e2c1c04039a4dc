// Listing: ListSecrets, with AWS's filters.
import * as v from 'valibot';
import { defined, describedSecret, stagesByVersion } from './answer.ts';
import { fields } from './input.ts';
import { type Context, isGone } from './lookup.ts';
import { pageOf, timeKey } from './page.ts';
import type { Secret } from './secret.ts';

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

/** Without those scheduled for deletion, unless they are asked for. A secret must pass every filter. */
export function filteredSecrets(
  { store, now }: Context,
  filters: readonly Filter[],
  withPlannedDeletion = false,
): readonly Secret[] {
  return [...store.all()]
    .filter((secret) => !isGone(secret, now()))
    .filter((secret) => withPlannedDeletion || secret.deletionAt === undefined)
    .filter((secret) => filters.every((filter) => passes(secret, filter)));
}

/** One of the values is enough; one with an exclamation mark before it must match nothing of the secret. */
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

/** Each word of the value begins some word of the attribute. AWS's reference calls `description` a prefix match; it behaves like this. */
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
