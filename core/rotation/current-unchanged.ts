// Holds the next version against what is current now: what somebody changed by hand during a rotation is never undone by it.
import { isDeepStrictEqual } from 'node:util';
import type { StoredVersion } from '../versions/versions.ts';
import { isStoredRequest, pollUntilFound, stagingLabels } from '../versions/versions.ts';
import { atStage } from './at-stage.ts';
import { replacedCertificateOf } from './certificate-order.ts';
import { certificateOf, membersOf, nextMembers, noParts } from './current-document.ts';
import { onceMoreHint, refused } from './refused.ts';
import type { Rotation } from './rotation.ts';

/**
 * `currentVersion` is where AWSCURRENT is, `pending` what is to take its place. Reading the version that the label is then taken
 * from (`moveStage`, `from`) leaves no moment in which a change goes unseen. Throws `rotation-refused`, with the reason
 * - `not-renewed`: both hold the same certificate. "Rotated" would be told of an identity that nothing was done to, and
 *   AWSPREVIOUS be lost for it.
 * - `document-changed`: they differ in more than key and certificates.
 * - `certificate-replaced`: the current certificate is not the one that was current when the request was made.
 */
export async function requireUnchanged(
  rotation: Rotation,
  pending: StoredVersion,
  currentVersion: string | undefined,
): Promise<void> {
  const { services, secretArn, token } = rotation;
  if (currentVersion === undefined || currentVersion === token) return;
  const current = await pollUntilFound(
    () => services.versions.read(secretArn, { version: currentVersion }),
    services.sleep,
  );
  if (!current) throw refused('contended', 'The current version is not shown.', token);
  // As in readCurrent: there is nothing to lose.
  if (isStoredRequest(current)) return;

  const members = atStage(stagingLabels.current, () => membersOf(current.document));
  const next = atStage(stagingLabels.pending, () => membersOf(pending.document));
  const certificate = certificateOf(members.certificate)?.fingerprint256;
  if (certificate !== undefined && certificate === certificateOf(next.certificate)?.fingerprint256) {
    throw refused(
      'not-renewed',
      'The next version holds the certificate that is current already.',
      token,
      onceMoreHint,
    );
  }
  const changed = changedMembers(members, next);
  if (changed.length > 0) {
    const sentence = `The current document and the next one differ in ${changed.join(' and ')}: one of them was changed after the next one was made.`;
    throw refused('document-changed', sentence, token, mergeHint);
  }
  const replaced = await replacedCertificateOf(rotation);
  if (replaced === undefined || replaced === (certificate ?? null)) return;
  const sentence =
    'Another certificate became the current one, by hand, while the next one was made to follow the one before it.';
  throw refused('certificate-replaced', sentence, token, giveUpOrRestoreHint);
}

const mergeHint =
  'The platform must put the next certificate into the current document, under another version, and go on with that one; docs/rotation.md, "What is changed meanwhile", has the commands.';
const giveUpOrRestoreHint =
  'The platform must give the rotation up (docs/rotation.md, "When a step fails"), or make current again what was.';

type Members = Readonly<Record<string, unknown>>;

/** Only names that are the project's own are told. */
function changedMembers(current: Members, next: Members): readonly string[] {
  const known = ['destinations', 'renewal'].filter((name) => !isDeepStrictEqual(current[name], next[name]));
  const others = ({ destinations: _, renewal: __, ...rest }: Members) => nextMembers(rest, noParts);
  return isDeepStrictEqual(others(current), others(next)) ? known : [...known, 'other members'];
}
