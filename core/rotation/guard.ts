// Lets a step through only where there is a rotation to go on with: enabled, its version known, pending, not yet current.

import { identityNamed } from '../versions/secret-ids.ts';
import type { SecretState } from '../versions/versions.ts';
import { pollWithBackoff, stagingLabels } from '../versions/versions.ts';
import { refused } from './refused.ts';
import type { RotationServices } from './rotation.ts';
import type { RotationEvent } from './rotation-event.ts';

export interface Passed {
  readonly identity: string;
  readonly state: SecretState;
  /** `already-current`: nothing is left to do but to tidy up. */
  readonly standing: 'pending' | 'already-current';
}

/**
 * Throws `rotation-refused`. RotateSecret has just written the stagingLabels that are looked for here, so what is not shown is
 * asked for again before it is missed.
 */
export async function guard(
  { versions, prefix, sleep }: RotationServices & Required<Pick<RotationServices, 'sleep'>>,
  { secretArn, token }: RotationEvent,
): Promise<Passed> {
  const state = await pollWithBackoff(
    () => versions.describe(secretArn),
    (seen) => seen.rotationEnabled && isNamed(stagesOf(seen, token)),
    sleep,
  );
  const identity = identityNamed(prefix, state.name);
  if (identity === undefined) {
    throw refused(
      'foreign-secret',
      'The secret is not one of an identity: its name does not begin with the prefix.',
      token,
    );
  }
  const stages = stagesOf(state, token);
  if (stages.includes(stagingLabels.current)) return { identity, state, standing: 'already-current' };
  if (!state.rotationEnabled) throw refused('not-enabled', 'Rotation is not enabled for the secret.', token);
  if (!state.stages.has(token)) {
    throw refused('unknown-version', 'The secret has no version of that token with a staging label.', token);
  }
  if (!stages.includes(stagingLabels.pending)) {
    throw refused(
      'not-pending',
      'The version of that token is not at AWSPENDING: another rotation took its place.',
      token,
    );
  }
  // AWSPREVIOUS is where AWSCURRENT was taken from (AWS API reference, UpdateSecretVersionStage): it was promoted, and somebody
  // moved back before its stagingLabels were off.
  if (stages.includes(stagingLabels.previous)) {
    throw refused(
      'moved-back',
      'The version of that token was current already, and AWSCURRENT was moved back from it: no rotation undoes that.',
      token,
      'The platform must give the rotation up: cancel it, and take AWSPENDING off; docs/rotation.md, "When a step fails", has the commands.',
    );
  }
  return { identity, state, standing: 'pending' };
}

function isNamed(stages: readonly string[]): boolean {
  return stages.includes(stagingLabels.pending) || stages.includes(stagingLabels.current);
}

function stagesOf(state: SecretState, token: string): readonly string[] {
  return state.stages.get(token) ?? [];
}
