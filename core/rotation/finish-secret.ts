// finishSecret: makes the pending version current, publishes that, and removes the labels of the rotation.
import {
  isStoredRequest,
  type SecretState,
  type StoredVersion,
  stagingLabels,
  versionWithLabel,
} from '../versions/versions.ts';
import { requireUnchanged } from './require-unchanged.ts';
import { type Rotation, readPending, requirePending, usableIdentity } from './rotation.ts';
import { rotationRefused } from './rotation-errors.ts';
import { publishCertificate } from './set-secret.ts';

/** Another process may move the label between the read and the move, and a read may be old. */
const maxAttempts = 6;

export async function finishSecret(rotation: Rotation): Promise<void> {
  const { stored } = await requirePending(rotation);
  await activate(rotation, stored);
  await publishAndRemoveLabels(rotation);
  rotation.record.outcome = 'activated';
}

/**
 * For a version that is current already, in any step: completes a finishSecret that was killed. Mostly nothing is left:
 * Secrets Manager repeats a step whose response it did not get.
 */
export async function finishRemaining(rotation: Rotation): Promise<void> {
  const isDone =
    !hasLabel(rotation.state, rotation.token, stagingLabels.pending) && remainingRequests(rotation).length === 0;
  if (!isDone) await publishAndRemoveLabels(rotation);
  rotation.record.outcome = isDone ? 'already-current' : 'activated';
}

async function activate(rotation: Rotation, pending: StoredVersion): Promise<void> {
  const { services, secretArn, token, state } = rotation;
  let seen = state;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const from = versionWithLabel(seen, stagingLabels.current);
    if (from === token) return;
    await requireUnchanged(rotation, pending, from);
    if ((await services.versions.moveStage(secretArn, stagingLabels.current, { from, to: token })) === 'moved') return;
    await services.sleep(100 * 2 ** attempt);
    seen = await services.versions.describe(secretArn);
  }
  throw contended(stagingLabels.current, token);
}

/**
 * The labels go last, AWSPENDING after the others: while one is left, the next run knows that the event may not have
 * been published. AWSPREVIOUS also goes if it is on a certificate request, which the first rotation of a secret made
 * current.
 */
async function publishAndRemoveLabels(rotation: Rotation): Promise<void> {
  const { services, secretArn, token, requestVersion } = rotation;
  const previous = await services.versions.read(secretArn, { stage: stagingLabels.previous });
  const isIdentity = previous && previous.version !== token && !isStoredRequest(previous);
  await publishActivation(rotation, isIdentity ? previous : undefined);
  if (previous && isStoredRequest(previous)) await removeLabel(rotation, stagingLabels.previous, previous.version);
  await removeLabel(rotation, stagingLabels.previous, requestVersion);
  for (const version of remainingRequests({ ...rotation, state: await services.versions.describe(secretArn) })) {
    await removeLabel(rotation, stagingLabels.request, version);
  }
  await removeLabel(rotation, stagingLabels.pending, token);
}

async function removeLabel({ services, secretArn, token }: Rotation, label: string, version: string): Promise<void> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    if (!hasLabel(await services.versions.describe(secretArn), version, label)) return;
    const move = { from: version, to: undefined };
    if ((await services.versions.moveStage(secretArn, label, move)) === 'moved') return;
    await services.sleep(100 * 2 ** attempt);
  }
  throw contended(label, token);
}

function contended(label: string, token: string) {
  return rotationRefused('contended', `Another process keeps moving ${label}.`, token);
}

/** A certificate that has expired meanwhile is not published; its labels are removed all the same. */
async function publishActivation(rotation: Rotation, previous: StoredVersion | undefined): Promise<void> {
  const stored = await readPending(rotation);
  if (!stored) throw rotationRefused('no-value', 'The value of the version cannot be read yet.', rotation.token);
  const identity = usableIdentity(rotation, stored);
  if (identity) await publishCertificate(rotation, 'Certificate Activated', identity, previous);
}

function hasLabel(state: SecretState, version: string, label: string): boolean {
  return state.stages.get(version)?.includes(label) === true;
}

/**
 * Versions that store a certificate request, with its private key: that of this rotation, and those of a rotation that
 * was cancelled or whose certificate was stored under another version. Not that of another rotation in progress.
 */
function remainingRequests({ state, token, requestVersion }: Rotation): readonly string[] {
  const isOtherInProgress = [...state.stages].some(
    ([version, labels]) => version !== token && labels.includes(stagingLabels.pending),
  );
  return [...state.stages].flatMap(([version, labels]) => {
    const isOwn =
      version === requestVersion &&
      labels.some((label) => label === stagingLabels.request || label === stagingLabels.previous);
    return isOwn || (!isOtherInProgress && labels.includes(stagingLabels.request)) ? [version] : [];
  });
}
