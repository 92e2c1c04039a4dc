// Before each step: checks that Secrets Manager has this rotation in progress for the secret of an identity.
import { identityNamed } from '../versions/secret-ids.ts';
import { pollWithBackoff, type SecretState, stagingLabels } from '../versions/versions.ts';
import type { RotationServices } from './rotation.ts';
import { type RotationRefusedReason, rotationRefused } from './rotation-errors.ts';

export interface RotationInProgress {
  readonly identity: string;
  readonly state: SecretState;
  /** The version has AWSCURRENT already: only labels are left to remove. */
  readonly isCurrent: boolean;
}

/**
 * Throws `rotation-refused`. RotateSecret wrote the labels just before the event, so the secret is read again, for 3.1
 * s, before a label counts as missing.
 */
export async function requireRotationInProgress(
  { versions, prefix, sleep }: Pick<RotationServices, 'versions' | 'prefix' | 'sleep'>,
  secretArn: string,
  token: string,
): Promise<RotationInProgress> {
  const labelsOf = (seen: SecretState) => seen.stages.get(token) ?? [];
  const state = await pollWithBackoff(
    () => versions.describe(secretArn),
    (seen) =>
      seen.rotationEnabled &&
      labelsOf(seen).some((label) => label === stagingLabels.pending || label === stagingLabels.current),
    sleep,
  );
  const refuse = (reason: RotationRefusedReason, sentence: string, hint?: string) =>
    rotationRefused(reason, sentence, token, hint);

  const identity = identityNamed(prefix, state.name);
  if (identity === undefined) {
    throw refuse('foreign-secret', 'The name of the secret is not the prefix followed by the name of an identity.');
  }
  const labels = labelsOf(state);
  if (labels.includes(stagingLabels.current)) return { identity, state, isCurrent: true };
  if (!state.rotationEnabled) throw refuse('not-enabled', 'Rotation is not enabled for the secret.');
  if (!state.stages.has(token)) {
    throw refuse('unknown-version', 'The secret has no version with that token and a staging label.');
  }
  if (!labels.includes(stagingLabels.pending)) {
    throw refuse('not-pending', 'The version of that token does not have AWSPENDING: another rotation replaced it.');
  }
  // AWSPREVIOUS is the version that AWSCURRENT was moved from (AWS API reference, UpdateSecretVersionStage): this
  // version was promoted, and rolled back before its labels were removed.
  if (labels.includes(stagingLabels.previous)) {
    throw refuse(
      'moved-back',
      'AWSCURRENT was moved back from the version of that token; a rotation does not undo a rollback.',
      'The platform must cancel the rotation and remove AWSPENDING; docs/rotation.md, "Cancel a rotation", has the commands.',
    );
  }
  return { identity, state, isCurrent: false };
}
