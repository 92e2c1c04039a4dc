// Encodes and decodes the state file of a secret. Errors never quote the content.
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { type RotationRules, windowAfter } from '../../core/versions/rotation-schedule.ts';
import type { Secret } from './secret.ts';

const time = v.pipe(v.number(), v.integer(), v.minValue(0));

const fileSchema = v.object({
  format: v.literal(1),
  name: v.pipe(v.string(), v.minLength(1)),
  arn: v.pipe(v.string(), v.regex(/^arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+-[A-Za-z0-9]{6}$/)),
  description: v.exactOptional(v.string()),
  kmsKeyId: v.exactOptional(v.string()),
  tags: v.exactOptional(v.array(v.object({ Key: v.string(), Value: v.string() }))),
  createdAt: time,
  changedAt: time,
  accessedOn: v.exactOptional(time),
  deletionAt: v.exactOptional(time),
  rotation: v.exactOptional(
    v.object({
      isEnabled: v.boolean(),
      functionArn: v.pipe(v.string(), v.minLength(1)),
      rules: v.pipe(
        v.object({
          AutomaticallyAfterDays: v.exactOptional(v.number()),
          ScheduleExpression: v.exactOptional(v.string()),
          Duration: v.exactOptional(v.string()),
        }),
        v.check(areReadable),
      ),
      configuredAt: time,
      lastRotatedAt: v.exactOptional(time),
      lastStartedAt: v.exactOptional(time),
      run: v.exactOptional(
        v.object({
          token: v.pipe(v.string(), v.minLength(32), v.maxLength(64)),
          isTest: v.boolean(),
          failures: v.pipe(v.number(), v.integer(), v.minValue(0)),
        }),
      ),
    }),
  ),
  versions: v.array(
    v.object({
      id: v.pipe(v.string(), v.minLength(32), v.maxLength(64)),
      stages: v.array(v.pipe(v.string(), v.minLength(1))),
      createdAt: time,
      accessedOn: v.exactOptional(time),
      value: v.exactOptional(
        v.union([v.strictObject({ string: v.string() }), v.strictObject({ binary: v.pipe(v.string(), v.base64()) })]),
      ),
    }),
  ),
});

function areReadable(rules: RotationRules): boolean {
  try {
    windowAfter(rules, 0);
    return true;
  } catch {
    return false;
  }
}

/** The digest of the name: names can contain slashes, exceed the length of a file name, or differ only in case. */
export function fileNameOf(secretName: string): string {
  return `${createHash('sha256').update(secretName).digest('hex')}.json`;
}

export const fileNamePattern = /^[0-9a-f]{64}\.json$/;

export function encodeSecret(secret: Secret): string {
  return `${JSON.stringify({ format: 1, ...secret })}\n`;
}

/** Throws an Error that does not quote the file. */
export function decodeSecret(text: string, fileName: string): Secret {
  const parsed = v.safeParse(fileSchema, parseJson(text));
  if (!parsed.success) throw new Error(`${v.getDotPath(parsed.issues[0]) ?? 'the whole'} is missing or malformed`);
  const { format: _, ...secret } = parsed.output;
  if (fileNameOf(secret.name) !== fileName) throw new Error('it is not named after its secret');
  if (isRepeated(secret.versions.map((version) => version.id))) throw new Error('a version stands there twice');
  if (isRepeated(secret.versions.flatMap((version) => version.stages))) throw new Error('a label stands there twice');
  return secret;
}

/** The message of JSON.parse quotes the input, so it is dropped. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
}

function isRepeated(values: readonly string[]): boolean {
  return new Set(values).size !== values.length;
}
