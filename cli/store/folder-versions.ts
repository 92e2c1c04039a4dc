// The folder of one identity. Its files are replaced atomically by renaming a link, as Kubernetes does
// (docs/decisions/0023).
import { createHash, randomBytes } from 'node:crypto';
import { link, lstat, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFile } from '../../core/files.ts';
import { identityFiles } from '../../core/identity/directory.ts';
import { maxDocumentBytes } from '../../core/identity/document.ts';
import {
  undefinedIfAbsent as absent,
  folderLinks,
  previousTarget,
  linkTarget as target,
} from '../../core/identity/folder-stages.ts';
import {
  giveTo,
  makeFolder,
  type Owners,
  ownersForNewIdentity,
  ownersLike,
  pointLink,
  syncFolder,
  temporaryName,
  temporaryPrefix,
  writeNew,
} from './atomic-files.ts';

/**
 * Has one folder for each version. Their names are valid names of identities, because the source reads them as
 * identities.
 */
const versionsFolder = '..versions';

export type Files = ReadonlyMap<string, string>;

/** SHA-256 of the files; undefined without files. */
export async function fingerprintOf(folder: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  let isEmpty = true;
  for (const file of identityFiles) {
    const bytes = await readBounded(join(folder, file)).catch(absent);
    if (bytes === undefined) continue;
    isEmpty = false;
    hash.update(`${file} ${bytes.length}\n`).update(bytes);
  }
  return isEmpty ? undefined : hash.digest('hex');
}

/** Creates the folder atomically. Throws ENOTEMPTY or EEXIST if another process was first. */
export async function createFolder(parent: string, name: string, files: Files): Promise<void> {
  const readers = await ownersForNewIdentity(parent);
  const temporary = join(parent, temporaryName());
  try {
    await makeFolder(temporary, readers.folder);
    for (const [file, text] of files) await writeNew(join(temporary, file), text, readers.file);
    await syncFolder(temporary);
    await rename(temporary, join(parent, name));
    await syncFolder(parent);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Replaces all files; the old ones become the previous version. A reader that checks that nothing changed while it
 * read gets all old or all new files (docs/decisions/0023). Call it under the lock. If the process is killed, the
 * folder has the old or the new files, and perhaps a left-over folder that the next call deletes.
 */
export async function replaceFiles(
  folder: string,
  files: Files,
  { keepsPrevious }: { keepsPrevious: boolean },
): Promise<void> {
  const readers = await ownersOf(folder);
  const next = await makeVersionOf(folder, readers, files);
  const before = await versionInUse(folder, readers);
  const previous = await previousTarget(folder);
  await swap(folder, next, [...files.keys()], keepsPrevious && previous !== undefined ? previous : before);
  await clearAway(folder);
}

/** Stores the files as the pending version, in place of an earlier one. Call it under the lock. */
export async function storePending(folder: string, files: Files): Promise<void> {
  const readers = await ownersOf(folder);
  const next = await makeVersionOf(folder, readers, files);
  await pointLink(join(folder, folderLinks.pending), next);
  await syncFolder(folder);
  await clearAway(folder);
}

/** Puts the pending version into use. Its link stays until `removePending`. Call it under the lock. */
export async function activatePending(folder: string): Promise<void> {
  const next = await target(folder, folderLinks.pending);
  if (next === undefined) throw Object.assign(new Error('No pending files.'), { code: 'ENOENT' });
  const before = await versionInUse(folder, await ownersOf(folder));
  await swap(folder, next, await readdir(join(folder, next)), before);
  await clearAway(folder);
}

export async function removePending(folder: string): Promise<void> {
  await settle(folder);
  await rm(join(folder, folderLinks.pending), { force: true });
  await clearAway(folder);
}

/** Exchanges the previous version and the one in use. Throws ENOENT if there is no previous version. */
export async function swapWithPrevious(folder: string): Promise<void> {
  const previous = await previousTarget(folder);
  if (previous === undefined) throw Object.assign(new Error('No previous files.'), { code: 'ENOENT' });
  const readers = await ownersOf(folder);
  // The readers of the identity must be able to read this version again.
  for (const place of [versionsFolder, previous]) await copyOwnership(join(folder, place), readers);
  const current = await versionInUse(folder, readers);
  await swap(folder, previous, await readdir(join(folder, previous)), current);
}

/**
 * The folder of the version in use. Converts the folder first if a file in it is not a link, because it was placed by
 * hand or a conversion was killed: such a file would stay in use beside the next version.
 */
async function versionInUse(folder: string, readers: Owners): Promise<string> {
  const inUse = await target(folder, folderLinks.data);
  for (const file of identityFiles) {
    if (inUse === undefined) break;
    if ((await lstat(join(folder, file)).catch(absent)) === undefined) continue;
    if ((await readlink(join(folder, file)).catch(absent)) !== `${folderLinks.data}/${file}`)
      return await convert(folder, readers);
  }
  return inUse ?? (await convert(folder, readers));
}

/**
 * Turns plain files into links to the same files in a version folder. Every name leads to the same content throughout,
 * so readers are not affected.
 */
async function convert(folder: string, readers: Owners): Promise<string> {
  const present: string[] = [];
  const before = await makeVersion(folder, readers, async (place) => {
    for (const file of identityFiles) {
      const path = join(folder, file);
      const stats = await lstat(path).catch(absent);
      if (stats === undefined) continue;
      // Keep the content that a link leads to.
      const text = stats.isFile() ? undefined : await readBounded(path).catch(absent);
      if (stats.isFile()) await link(path, join(place, file));
      else if (text === undefined) continue;
      else await writeNew(join(place, file), text, readers.file);
      present.push(file);
    }
  });
  await pointLink(join(folder, folderLinks.data), before);
  for (const file of present) await pointLink(join(folder, file), `${folderLinks.data}/${file}`);
  return before;
}

/** To a reader a dangling link is a missing file, so links can be added before the swap and removed after it. */
async function swap(folder: string, next: string, files: readonly string[], previous: string): Promise<void> {
  await settle(folder);
  for (const file of files) {
    const way = `${folderLinks.data}/${file}`;
    if ((await readlink(join(folder, file)).catch(absent)) !== way) await pointLink(join(folder, file), way);
  }
  await pointLink(join(folder, folderLinks.replaced), previous);
  await syncFolder(folder);
  await pointLink(join(folder, folderLinks.data), next);
  await syncFolder(folder);
  await rename(join(folder, folderLinks.replaced), join(folder, folderLinks.previous));
  for (const file of identityFiles) {
    if (!files.includes(file)) await rm(join(folder, file), { force: true });
  }
}

/** Finishes the bookkeeping of a replacement, or of a renewal, that was killed. */
async function settle(folder: string): Promise<void> {
  const previous = await previousTarget(folder);
  if (previous !== undefined) await pointLink(join(folder, folderLinks.previous), previous);
  await rm(join(folder, folderLinks.replaced), { force: true });
  // Left by a renewal that ended: when another version is in use, it would count as the next one.
  const pending = await target(folder, folderLinks.pending);
  if (pending !== undefined && pending === (await target(folder, folderLinks.data)))
    await rm(join(folder, folderLinks.pending), { force: true });
}

function makeVersionOf(folder: string, readers: Owners, files: Files): Promise<string> {
  return makeVersion(folder, readers, async (place) => {
    for (const [file, text] of files) await writeNew(join(place, file), text, readers.file);
  });
}

async function makeVersion(folder: string, readers: Owners, fill: (place: string) => Promise<void>): Promise<string> {
  const name = `${versionsFolder}/v-${randomBytes(6).toString('hex')}`;
  const place = join(folder, name);
  if ((await stat(join(folder, versionsFolder)).catch(absent)) === undefined)
    await makeFolder(join(folder, versionsFolder), readers.folder);
  else await copyOwnership(join(folder, versionsFolder), readers);
  try {
    await makeFolder(place, readers.folder);
    await fill(place);
    await syncFolder(place);
    await syncFolder(join(folder, versionsFolder));
    return name;
  } catch (error) {
    await rm(place, { recursive: true, force: true });
    throw error;
  }
}

/** Deletes versions that no link leads to, and left-over temporary files. */
async function clearAway(folder: string): Promise<void> {
  const links = [folderLinks.data, folderLinks.pending].map((link) => target(folder, link));
  const used = await Promise.all([...links, previousTarget(folder)]);
  const made = ((await readdir(join(folder, versionsFolder)).catch(absent)) ?? []).filter((name) =>
    /^v-[0-9a-f]{12}$/.test(name),
  );
  const versions = made.map((name) => `${versionsFolder}/${name}`);
  const left = (await readdir(folder)).filter((name) => name.startsWith(temporaryPrefix));
  for (const name of [...versions.filter((version) => !used.includes(version)), ...left]) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Repairs a folder that an earlier umask closed, or that is older than the group of the identity. */
async function copyOwnership(place: string, { folder }: Owners): Promise<void> {
  const { uid, gid, mode } = await stat(place);
  const isLike = (mode & 0o7777) === folder.mode && (!folder.ids || (folder.ids.uid === uid && folder.ids.gid === gid));
  // The folder of another user stays unchanged; `unreadable` warns of it afterwards.
  if (!isLike) await giveTo(place, folder).catch(() => undefined);
}

/** Copied from the key: the service that reads it can be another user. */
async function ownersOf(folder: string): Promise<Owners> {
  for (const file of ['private-key.pem', 'tls.key']) {
    const key = join(folder, file);
    if ((await stat(key).catch(absent)) !== undefined) return await ownersLike(folder, key);
  }
  return await ownersLike(folder, undefined);
}

async function readBounded(path: string): Promise<Buffer> {
  return (await readRegularFile(path, maxDocumentBytes)).bytes;
}
