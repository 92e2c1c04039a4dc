// Tags: TagResource, UntagResource, and the rules for a set of tags.
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { fields } from './input.ts';
import { type Context, changeSecret } from './lookup.ts';
import type { Tag } from './secret.ts';

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

/** The tags there are, overwritten and extended by the new ones. Throws InvalidParameterException. */
export function mergedTags(tags: readonly Tag[], added: readonly Tag[]): readonly Tag[] {
  if (added.some((tag) => /^aws:/i.test(tag.Key))) throw invalid('A tag key must not begin with aws:.');
  if (new Set(added.map((tag) => tag.Key)).size < added.length) throw invalid('A tag key is given more than once.');
  const merged = new Map([...tags, ...added].map((tag) => [tag.Key, tag.Value]));
  if (merged.size > maxTags) throw invalid(`A secret can have at most ${maxTags} tags.`);
  return [...merged].map(([Key, Value]) => ({ Key, Value }));
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}
