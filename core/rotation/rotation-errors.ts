// The error `rotation-refused` with its reasons, and the stage that an unusable identity was read at.
import { CountersignError } from '../errors.ts';
import type { Stage } from '../identity/identity.ts';

/** `evidence.reason` of `rotation-refused`; docs/errors.md lists them. */
export const rotationRefusedReasons = [
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

export type RotationRefusedReason = (typeof rotationRefusedReasons)[number];

/** For a pending version that cannot be used: Secrets Manager never changes the value of a version. */
export const cancelAndRestartHint =
  'The value of a version cannot be changed: the platform must cancel the rotation (docs/rotation.md, "Cancel a rotation") and start another one.';

/** `version` is the one that the rotation creates; undefined if it is not known. */
export function rotationRefused(
  reason: RotationRefusedReason,
  sentence: string,
  version: string | undefined,
  hint?: string,
): CountersignError {
  return new CountersignError('rotation-refused', sentence, {
    evidence: { reason, ...(version === undefined ? {} : { version }) },
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * Adds `evidence.stage` to an `identity-unusable` that `read` throws: an unusable AWSCURRENT has another remedy than an
 * unusable AWSPENDING.
 */
export function withStage<T>(stage: Stage, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== 'identity-unusable') throw thrown;
    throw thrown.with({ evidence: { stage } });
  }
}
