// finishSecret: makes the new version the current one, says so, and leaves no label of the rotation behind.

import type { SecretState, StoredVersion } from '../versions/versions.ts';
import { isStoredRequest, stagingLabels, versionWithLabel } from '../versions/versions.ts';
import { announceCertificate } from './announce-certificate.ts';
import { requireUnchanged } from './current-unchanged.ts';
import { refused } from './refused.ts';
import { type Rotation, readPending, requirePending, usableOf } from './rotation.ts';

/** Somebody else may move the label between our look and our move, and what we see may be old. */
const attempts = 6;

export async function finishSecret(rotation: Rotation): Promise<void> {
  const { stored } = await requirePending(rotation);
  await activate(rotation, stored);
  await tidyUp(rotation);
  rotation.record.outcome = 'activated';
}

/**
 * What a finishSecret that was killed left undone, whatever the step that comes upon it. Nothing, mostly: Secrets Manager
 * calls a step again when it did not get its answer.
 */
export async function finishUp(rotation: Rotation): Promise<void> {
  const isDone =
    !isLabelled(rotation.state, rotation.token, stagingLabels.pending) && requestsLeftIn(rotation).length === 0;
  if (!isDone) await tidyUp(rotation);
  rotation.record.outcome = isDone ? 'already-current' : 'activated';
}

async function activate(rotation: Rotation, pending: StoredVersion): Promise<void> {
  const { services, secretArn, token, state } = rotation;
  let seen = state;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const from = versionWithLabel(seen, stagingLabels.current);
    if (from === token) return;
    await requireUnchanged(rotation, pending, from);
    if ((await services.versions.moveStage(secretArn, stagingLabels.current, { from, to: token })) === 'moved') return;
    await services.sleep(100 * 2 ** attempt);
    seen = await services.versions.describe(secretArn);
  }
  throw refused('contended', `${stagingLabels.current} is moved by somebody else again and again.`, token);
}

/**
 * The stagingLabels go last, AWSPENDING after the others: they are what tells the next run that the event may not have been sent.
 * AWSPREVIOUS goes as well where it is at a request: the first rotation of a secret made that the current version.
 */
async function tidyUp(rotation: Rotation): Promise<void> {
  const { services, secretArn, token, requestVersion } = rotation;
  const previous = await services.versions.read(secretArn, { stage: stagingLabels.previous });
  const isIdentity = previous && previous.version !== token && !isStoredRequest(previous);
  await announceActivation(rotation, isIdentity ? previous : undefined);
  if (previous && isStoredRequest(previous)) await takeOff(stagingLabels.previous, previous.version);
  await takeOff(stagingLabels.previous, requestVersion);
  for (const version of requestsLeftIn({ ...rotation, state: await services.versions.describe(secretArn) })) {
    await takeOff(stagingLabels.request, version);
  }
  await takeOff(stagingLabels.pending, token);

  async function takeOff(label: string, version: string): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const seen = await services.versions.describe(secretArn);
      if (!isLabelled(seen, version, label)) return;
      const move = { from: version, to: undefined };
      if ((await services.versions.moveStage(secretArn, label, move)) === 'moved') return;
      await services.sleep(100 * 2 ** attempt);
    }
    throw refused('contended', `${label} is moved by somebody else again and again.`, token);
  }
}

/** Of one that has expired meanwhile there is nothing to say, and its stagingLabels go all the same. */
async function announceActivation(rotation: Rotation, previous: StoredVersion | undefined): Promise<void> {
  const stored = await readPending(rotation);
  if (!stored) throw refused('no-value', 'The value of the version is not shown yet.', rotation.token);
  const identity = usableOf(rotation, stored);
  if (identity) await announceCertificate(rotation, 'Certificate Activated', identity, previous);
}

function isLabelled(state: SecretState, version: string, label: string): boolean {
  return state.stages.get(version)?.includes(label) === true;
}

/**
 * Versions at the label of a request: that of this rotation, and that of one that was given up, or whose certificate was put in
 * under another version. It holds a private key. That of another rotation under way is none of ours.
 */
function requestsLeftIn({ state, token, requestVersion }: Rotation): readonly string[] {
  const isUnderWay = [...state.stages].some(
    ([version, all]) => version !== token && all.includes(stagingLabels.pending),
  );
  return [...state.stages].flatMap(([version, all]) => {
    const isOwn =
      version === requestVersion &&
      all.some((label) => label === stagingLabels.request || label === stagingLabels.previous);
    return isOwn || (!isUnderWay && all.includes(stagingLabels.request)) ? [version] : [];
  });
}
