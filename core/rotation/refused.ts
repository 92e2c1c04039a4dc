// The ways in which there is no rotation to go on with, each with a reason a machine can act on.
import { CountersignError } from '../errors.ts';

/** `evidence.reason` of `rotation-refused`; docs/errors.md has them. */
export const refusalReasons = [
  'event-malformed',
  'foreign-secret',
  'not-enabled',
  'unknown-version',
  'not-pending',
  'moved-back',
  'no-value',
  'request-malformed',
  'request-outdated',
  'not-renewed',
  'document-changed',
  'certificate-replaced',
  'contended',
] as const;

/** What was put at AWSPENDING cannot be used or mended: Secrets Manager keeps the value of a version. */
export const onceMoreHint =
  'The value of a version stays: the platform must give the rotation up (docs/rotation.md, "When a step fails") and begin another one.';

export type RefusalReason = (typeof refusalReasons)[number];

/** `version` is the one that the rotation is for; undefined where that is not known. */
export function refused(
  reason: RefusalReason,
  sentence: string,
  version: string | undefined,
  hint?: string,
): CountersignError {
  return new CountersignError('rotation-refused', sentence, {
    evidence: { reason, ...(version === undefined ? {} : { version }) },
    ...(hint === undefined ? {} : { hint }),
  });
}
