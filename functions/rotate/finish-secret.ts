// finishSecret: makes the new version the current one, says so, and leaves no label of the rotation behind.
import type { SecretState } from '../versions/versions.ts';
import { holderOf, labels, type Rotation, readPending, refused, usableOf } from './rotation.ts';
import { announceCertificate, requirePending } from './set-secret.ts';

/** Somebody else may move the label between our look and our move, and what we see may be old. */
const attempts = 6;

export async function finishSecret(rotation: Rotation): Promise<void> {
  await requirePending(rotation);
  await activate(rotation);
  await tidyUp(rotation);
  rotation.record.outcome = 'activated';
}

/**
 * What a finishSecret that was killed left undone, whatever the step that comes upon it. Nothing, mostly: Secrets Manager
 * calls a step again when it did not get its answer.
 */
export async function finishUp(rotation: Rotation): Promise<void> {
  const isDone = !isLabelled(rotation.state, rotation.token, labels.pending) && requestLabelOf(rotation) === undefined;
  if (!isDone) await tidyUp(rotation);
  rotation.record.outcome = isDone ? 'already-current' : 'activated';
}

async function activate({ services, secretArn, token, state }: Rotation): Promise<void> {
  let seen = state;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const from = holderOf(seen, labels.current);
    if (from === token) return;
    if ((await services.versions.moveStage(secretArn, labels.current, { from, to: token })) === 'moved') return;
    await services.sleep(100 * 2 ** attempt);
    seen = await services.versions.describe(secretArn);
  }
  throw refused('contended', `${labels.current} is moved by somebody else again and again.`, token);
}

/**
 * The labels go last: they are what tells the next run that the event may not have been sent. AWSPREVIOUS goes as well
 * where it is at the request: the first rotation of a secret made it the current version.
 */
async function tidyUp(rotation: Rotation): Promise<void> {
  const { services, secretArn, token, requestVersion } = rotation;
  await announceActivation(rotation);
  await takeOff(labels.pending, token);
  await takeOff(labels.previous, requestVersion);
  await takeOff(labels.request, requestVersion);

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

/** Of one that has expired meanwhile there is nothing to say, and its labels go all the same. */
async function announceActivation(rotation: Rotation): Promise<void> {
  const { services, secretArn, token, requestVersion } = rotation;
  const stored = await readPending(rotation);
  if (!stored) throw refused('no-value', 'The value of the version is not shown yet.', token);
  const identity = usableOf(rotation, stored);
  if (!identity) return;
  const previous = await services.versions.read(secretArn, { stage: labels.previous });
  const isOther = previous?.version !== requestVersion && previous?.version !== token;
  await announceCertificate(rotation, 'Certificate Activated', identity, isOther ? previous : undefined);
}

function isLabelled(state: SecretState, version: string, label: string): boolean {
  return state.stages.get(version)?.includes(label) === true;
}

function requestLabelOf({ state, requestVersion }: Rotation): string | undefined {
  return state.stages.get(requestVersion)?.find((label) => label === labels.request || label === labels.previous);
}
