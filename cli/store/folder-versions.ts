// The folder of one identity. Its files are replaced atomically by renaming a link, as Kubernetes does
// (docs/decisions/0023).
import { createHash, randomBytes } from 'node:crypto';
import { link, lstat, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFile } from '../../core/files.ts';
import { identityFiles } from '../../core/identity/directory.ts';
import { maxDocumentBytes } from '../../core/identity/document.ts';
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

/** Links to the version in use; every file of the identity is a link through it. */
const dataLink = '..data';
const previousLink = '..previous';
/** Links to the version that is being replaced. It counts as the previous one as soon as `..data` leads elsewhere. */
const replacedLink = '..replaced';
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
  const next = await makeVersion(folder, readers, async (place) => {
    for (const [file, text] of files) await writeNew(join(place, file), text, readers.file);
  });
  const before = await versionInUse(folder, readers);
  const previous = await previousTarget(folder);
  await swap(folder, next, [...files.keys()], keepsPrevious && previous !== undefined ? previous : before);
  await clearAway(folder);
}

/** Path of the previous version; undefined without one. */
export async function previousFolder(folder: string): Promise<string | undefined> {
  const previous = await previousTarget(folder);
  return previous === undefined ? undefined : join(folder, previous);
}

/**
 * Two links cannot change in one step, so `..replaced` names the previous version from the moment that `..data`
 * changes.
 */
async function previousTarget(folder: string): Promise<string | undefined> {
  const replaced = await target(folder, replacedLink);
  const isReplaced = replaced !== undefined && replaced !== (await target(folder, dataLink));
  return isReplaced ? replaced : await target(folder, previousLink);
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
  const inUse = await target(folder, dataLink);
  for (const file of identityFiles) {
    if (inUse === undefined) break;
    if ((await lstat(join(folder, file)).catch(absent)) === undefined) continue;
    if ((await readlink(join(folder, file)).catch(absent)) !== `${dataLink}/${file}`)
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
  await pointLink(join(folder, dataLink), before);
  for (const file of present) await pointLink(join(folder, file), `${dataLink}/${file}`);
  return before;
}

/** To a reader a dangling link is a missing file, so links can be added before the swap and removed after it. */
async function swap(folder: string, next: string, files: readonly string[], previous: string): Promise<void> {
  await settle(folder);
  for (const file of files) {
    const way = `${dataLink}/${file}`;
    if ((await readlink(join(folder, file)).catch(absent)) !== way) await pointLink(join(folder, file), way);
  }
  await pointLink(join(folder, replacedLink), previous);
  await syncFolder(folder);
  await pointLink(join(folder, dataLink), next);
  await syncFolder(folder);
  await rename(join(folder, replacedLink), join(folder, previousLink));
  for (const file of identityFiles) {
    if (!files.includes(file)) await rm(join(folder, file), { force: true });
  }
}

/** Finishes the bookkeeping of a replacement that was killed. */
async function settle(folder: string): Promise<void> {
  const previous = await previousTarget(folder);
  if (previous !== undefined) await pointLink(join(folder, previousLink), previous);
  await rm(join(folder, replacedLink), { force: true });
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
    return name;
  } catch (error) {
    await rm(place, { recursive: true, force: true });
    throw error;
  }
}

/** Deletes versions that no link leads to, and left-over temporary files. */
async function clearAway(folder: string): Promise<void> {
  const used = [await target(folder, dataLink), await previousTarget(folder)];
  const made = (await readdir(join(folder, versionsFolder))).filter((name) => /^v-[0-9a-f]{12}$/.test(name));
  const versions = made.map((name) => `${versionsFolder}/${name}`);
  const left = (await readdir(folder)).filter((name) => name.startsWith(temporaryPrefix));
  for (const name of [...versions.filter((version) => !used.includes(version)), ...left]) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function target(folder: string, name: string): Promise<string | undefined> {
  const led = await readlink(join(folder, name)).catch(absent);
  return led !== undefined && (await stat(join(folder, led)).catch(absent)) ? led : undefined;
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

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return undefined;
  throw error;
}
