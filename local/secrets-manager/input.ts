// The fields of requests, and how AWS refuses one: SerializationException for a wrong type, ValidationException for a wrong value.
import * as v from 'valibot';
import { AwsError } from './errors.ts';

// Lengths and ranges: AWS Secrets Manager API reference, "Request Parameters" of each action.
const text = (min: number, max: number) => v.pipe(v.string(), v.minLength(min), v.maxLength(max));

export const fields = {
  secretId: text(1, 2048),
  secretName: text(1, 512),
  clientRequestToken: v.exactOptional(text(32, 64)),
  description: v.exactOptional(text(0, 2048)),
  kmsKeyId: v.exactOptional(text(0, 2048)),
  secretString: v.exactOptional(v.pipe(v.string(), v.minLength(1), v.maxBytes(65_536))),
  /** base64; its length is checked where it is decoded. */
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

/** The body as the action's shape; unknown fields are dropped, as AWS does. */
export function parseInput<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const wrongType = result.issues.find(isWrongType);
  if (wrongType) {
    throw new AwsError('SerializationException', `The value at '${pathOf(wrongType)}' is not of the expected type.`);
  }
  const words = result.issues.map(wordsFor);
  throw new AwsError(
    'ValidationException',
    `${words.length} validation error${words.length > 1 ? 's' : ''} detected: ${words.join('; ')}`,
  );
}

function isWrongType(issue: v.BaseIssue<unknown>): boolean {
  if (issue.input === undefined) return false;
  return (
    issue.type === 'integer' ||
    (issue.kind === 'schema' && !(issue.type === 'picklist' && typeof issue.input === 'string'))
  );
}

/** AWS puts the value into this sentence unless the field is sensitive; here never, for it may be a secret in the wrong field. */
function wordsFor(issue: v.BaseIssue<unknown>): string {
  const value = issue.input === undefined ? 'Value null' : 'Value';
  return `${value} at '${pathOf(issue)}' failed to satisfy constraint: Member must ${constraintOf(issue)}`;
}

function constraintOf(issue: v.BaseIssue<unknown>): string {
  const bound = String(issue.requirement);
  switch (issue.type) {
    case 'min_length':
      return `have length greater than or equal to ${bound}`;
    case 'max_length':
    case 'max_bytes':
      return `have length less than or equal to ${bound}`;
    case 'min_value':
      return `have value greater than or equal to ${bound}`;
    case 'max_value':
      return `have value less than or equal to ${bound}`;
    case 'regex':
      return `satisfy regular expression pattern: ${issue.expected}`;
    case 'picklist':
      return `satisfy enum value set: ${issue.expected}`;
    default:
      return 'not be null';
  }
}

/** `tags.1.member.key`: AWS writes fields in camel case and counts members from 1. */
function pathOf(issue: v.BaseIssue<unknown>): string {
  const keys = (issue.path ?? []).map(({ key }) =>
    typeof key === 'number' ? `${key + 1}.member` : String(key).replace(/^./, (first) => first.toLowerCase()),
  );
  return keys.join('.') || 'body';
}
