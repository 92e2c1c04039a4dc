// The fields of requests, with the lengths and ranges that AWS gives them.
import * as v from 'valibot';

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
