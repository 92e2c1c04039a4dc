// The versions of one identity in a directory, with the interface of those of a secret, for the steps of a rotation.
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readIdentityFolder } from '../../core/identity/directory.ts';
import { folderLinks, folderOfStage, linkTarget, previousTarget } from '../../core/identity/folder-stages.ts';
import { membersOf } from '../../core/rotation/current-document.ts';
import {
  requestVersionOf,
  type SecretVersions,
  type StoredVersion,
  stagingLabels,
} from '../../core/versions/versions.ts';
import { createAtomically, ownerOf, syncFolder } from './atomic-files.ts';
import { activatePending, removePending, storePending } from './folder-versions.ts';

export interface RenewalFiles {
  /** Folder of the identity. */
  readonly folder: string;
  readonly requestFile: string;
  /** The folder of locks and requests. */
  readonly ownFolder: string;
  /** Undefined without a request. */
  readonly readRequest: () => Promise<{ readonly text: string; readonly for: string } | undefined>;
  /** As the owner of the directory. */
  readonly reading: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** As the owner of the directory, and under the lock of the identity. */
  readonly changing: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

interface FolderState {
  readonly current: StoredVersion | undefined;
  readonly pending: StoredVersion | undefined;
  readonly previous: StoredVersion | undefined;
  /** The request, if it is that of this renewal. */
  readonly request: StoredVersion | undefined;
  readonly stages: ReadonlyMap<string, readonly string[]>;
}

/**
 * `token` is the version that the renewal creates. Its labels are AWSPENDING, and AWSCURRENT once it is in use. The
 * other versions have the SHA-256 of their files, as in the source that serves calls.
 */
export function directoryVersions(files: RenewalFiles, token: string): SecretVersions {
  const { folder, requestFile, ownFolder, readRequest, reading, changing } = files;
  const requestVersion = requestVersionOf(token);
  const name = basename(folder);

  async function stateOf(): Promise<FolderState> {
    const found = await readRequest();
    const request = found?.for === token ? { version: requestVersion, document: found.text } : undefined;
    const [inUse, previousFolder] = [await readAt(folder), await folderOfStage(folder, stagingLabels.previous)];
    const target = await linkTarget(folder, folderLinks.pending);
    const stored = target === undefined ? undefined : await readAt(`${folder}/${target}`);
    const pending = stored && { ...stored, version: token };
    const current = inUse && inUse.version === stored?.version ? pending : inUse;
    const isMovedBack = target !== undefined && target === (await previousTarget(folder));
    const before = previousFolder === undefined ? undefined : await readAt(previousFolder);
    const previous = isMovedBack ? pending : before;
    const stages = new Map<string, string[]>();
    const add = (version: string | undefined, label: string) => {
      if (version !== undefined) stages.set(version, [...(stages.get(version) ?? []), label]);
    };
    add(current?.version, stagingLabels.current);
    add(previous?.version, stagingLabels.previous);
    add(request?.version, stagingLabels.request);
    // The request of another renewal took the place of this one.
    if (found === undefined || request !== undefined) add(token, stagingLabels.pending);
    return { current, pending, previous, request, stages };
  }

  return {
    describe: () => reading(async () => ({ arn: name, name, rotationEnabled: true, stages: (await stateOf()).stages })),
    read: (_name, which) =>
      reading(async () => {
        const { current, pending, previous, request } = await stateOf();
        if ('version' in which) return [pending, request, current].find((one) => one?.version === which.version);
        const at = { [stagingLabels.current]: current, [stagingLabels.pending]: pending };
        return { ...at, [stagingLabels.previous]: previous, [stagingLabels.request]: request }[which.stage];
      }),
    put: (_name, { version, document }) =>
      changing(async () => {
        if (version === requestVersion) {
          const isKept = await createAtomically(requestFile, document, await ownerOf(ownFolder, 0o600));
          return isKept ? 'stored' : 'exists';
        }
        if ((await stateOf()).pending !== undefined) return 'exists';
        await storePending(folder, documentFiles(document));
        return 'stored';
      }),
    moveStage: (_name, stage, { from, to }) =>
      changing(async () => {
        const { stages } = await stateOf();
        if (from !== undefined && stages.get(from)?.includes(stage) !== true) return 'conflict';
        if (stage === stagingLabels.current && to === token) await activatePending(folder);
        else if (to === undefined && stage === stagingLabels.request) await removeRequest(files);
        else if (to === undefined && stage === stagingLabels.pending) await removePending(folder);
        else return 'conflict';
        return 'moved';
      }),
  };
}

/**
 * Before a renewal, under its lock: what a killed one left behind is removed, and a pending version gets the
 * destinations and the renewal that were set meanwhile.
 */
export async function settleRenewal(files: RenewalFiles, isUnderWay: boolean): Promise<void> {
  const { folder } = files;
  const target = await linkTarget(folder, folderLinks.pending);
  // The request goes first, so a pending version without it is in use already, or its renewal was cancelled.
  if (!isUnderWay) return await removePending(folder);
  const pending = target === undefined ? undefined : await readAt(`${folder}/${target}`);
  const current = await readAt(folder);
  if (pending === undefined || current === undefined || pending.version === current.version) return;
  const [next, { destinations, renewal }] = [membersOf(pending.document), membersOf(current.document)];
  if (isDeepStrictEqual([next.destinations, next.renewal], [destinations, renewal])) return;
  await storePending(folder, documentFiles(JSON.stringify({ ...next, destinations, renewal })));
}

/** Discards the key, the request and the pending version of a renewal. */
export async function discardRenewal(files: RenewalFiles): Promise<void> {
  await removeRequest(files);
  await removePending(files.folder);
}

async function removeRequest({ requestFile, ownFolder }: RenewalFiles): Promise<void> {
  await rm(requestFile, { force: true });
  await syncFolder(ownFolder);
}

async function readAt(folder: string): Promise<StoredVersion | undefined> {
  return await readIdentityFolder(folder, { needsKey: false });
}

/** The files of an identity document, by name. */
export function documentFiles(document: string): ReadonlyMap<string, string> {
  const members = JSON.parse(document) as Record<string, unknown>;
  const text = (key: string) => String(members[key] ?? '');
  return new Map([
    ['private-key.pem', text('privateKey')],
    ['certificate.pem', text('certificate')],
    ['intermediates.pem', text('intermediateCertificates')],
    ['root.pem', text('rootCertificate')],
    ...jsonFile('destinations.json', members.destinations),
    ...jsonFile('renewal.json', members.renewal),
  ]);
}

/** A `renewal` that is not JSON is read as its text, and stays as it is. */
function jsonFile(file: string, value: unknown): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  return [[file, typeof value === 'string' ? value : `${JSON.stringify(value, undefined, 2)}\n`]];
}
