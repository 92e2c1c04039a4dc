// Compares the pending version with the current one: a rotation never undoes a change that was made by hand meanwhile.
import { isDeepStrictEqual } from 'node:util';
import { isStoredRequest, pollUntilFound, type StoredVersion, stagingLabels } from '../versions/versions.ts';
import { certificateOf, membersOf, placeholderKeyAndChain, withKeyAndChain } from './current-document.ts';
import type { Rotation } from './rotation.ts';
import { cancelAndRestartHint, rotationRefused, withStage } from './rotation-errors.ts';
import { replacedCertificate } from './stored-request.ts';

/**
 * `currentVersion` has AWSCURRENT, `pending` is to get it. finishSecret then moves the label away from that same
 * version (`moveStage`, `from`), so no change goes unnoticed in between. Throws `rotation-refused` with the reason
 * - `not-renewed`: both have the same value or certificate. Promoting it would replace AWSPREVIOUS and renew nothing.
 * - `document-changed`: they differ in more than key and certificates.
 * - `certificate-replaced`: the current certificate is not the one that was current when the request was created.
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
  if (!current) throw rotationRefused('contended', 'The current version cannot be read yet.', token);
  if (hasSameDocument(pending, current)) {
    throw rotationRefused(
      'not-renewed',
      'The pending version is a copy of the current one.',
      token,
      cancelAndRestartHint,
    );
  }
  // As in readCurrent: there is no identity to compare with.
  if (isStoredRequest(current)) return;

  const members = withStage(stagingLabels.current, () => membersOf(current.document));
  const next = withStage(stagingLabels.pending, () => membersOf(pending.document));
  const fingerprint = certificateOf(members.certificate)?.fingerprint256;
  if (fingerprint !== undefined && fingerprint === certificateOf(next.certificate)?.fingerprint256) {
    const sentence = 'The pending version contains the certificate that is already current.';
    throw rotationRefused('not-renewed', sentence, token, cancelAndRestartHint);
  }
  const changed = changedMembers(members, next);
  if (changed.length > 0) {
    const sentence = `The current document and the pending one differ in ${changed.join(' and ')}: one of them was changed after createSecret.`;
    throw rotationRefused('document-changed', sentence, token, mergeHint);
  }
  const replaced = await replacedCertificate(rotation);
  if (replaced === undefined || replaced === (fingerprint ?? null)) return;
  const sentence = 'The current certificate was replaced by hand during the rotation.';
  throw rotationRefused('certificate-replaced', sentence, token, cancelOrRestoreHint);
}

/** Whether both have the same value, apart from white space and the order of members in a JSON object. */
export function hasSameDocument(one: StoredVersion, other: StoredVersion): boolean {
  if (one.document === other.document) return true;
  try {
    return isDeepStrictEqual(membersOf(one.document), membersOf(other.document));
  } catch {
    return false;
  }
}

const mergeHint =
  'The platform must copy the pending certificate into the current document, store that as a new version and rotate to it; docs/rotation.md, "Changes during a rotation", has the commands.';
const cancelOrRestoreHint =
  'The platform must cancel the rotation (docs/rotation.md, "Cancel a rotation"), or make the earlier certificate current again.';

type Members = Readonly<Record<string, unknown>>;

/** Names only members that Countersign defines: other names may be confidential. */
function changedMembers(current: Members, next: Members): readonly string[] {
  const known = ['destinations', 'renewal'].filter((name) => !isDeepStrictEqual(current[name], next[name]));
  const others = ({ destinations: _, renewal: __, ...rest }: Members) => withKeyAndChain(rest, placeholderKeyAndChain);
  return isDeepStrictEqual(others(current), others(next)) ? known : [...known, 'other members'];
}
