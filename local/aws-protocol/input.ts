// How a request is made sure of, and how AWS refuses one: SerializationException for a wrong type, ValidationException for a wrong value.
import * as v from 'valibot';
import { AwsError } from './aws-error.ts';

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
