// One identity's folder, and how its files are replaced all at one moment: through a link that is renamed, as Kubernetes does it.
import { createHash, randomBytes } from 'node:crypto';
import { link, lstat, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegularFile } from '../../core/files.ts';
import { identityFiles } from '../../core/identity/directory.ts';
import { maxDocumentBytes } from '../../core/identity/document.ts';
import { type Readers, readersBelow, readersLike } from './readers.ts';
import { giveTo, makeFolder, pointLink, syncFolder, temporaryName, temporaryPrefix, writeNew } from './whole-files.ts';

/** The folder of the files in use; each file beside it is a link through it. */
const dataLink = '..data';
const previousLink = '..previous';
/** What is being replaced: it becomes the previous one once it is not in use any more, also where nobody could say so. */
const replacedLink = '..replaced';
/** One folder for each version; its name is one that an identity may have, so that the source reads it like one. */
const versionsFolder = '..versions';

export type Files = ReadonlyMap<string, string>;

/** SHA-256 of the files as they are, whatever they hold; undefined when there is none. */
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

/** A folder that appears whole. Throws ENOTEMPTY or EEXIST when somebody else was first. */
export async function createFolder(parent: string, name: string, files: Files): Promise<void> {
  const readers = await readersBelow(parent);
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
 * The files in place of those that are there, which become the previous ones. Whoever reads meanwhile gets all of the one
 * or all of the other, if he makes sure that nothing changed while he read (docs/decisions/0023). To be called by one at
 * a time. Killed at any moment, it leaves the one or the other, and perhaps a folder that the next call clears away.
 */
export async function replaceFiles(
  folder: string,
  files: Files,
  { keepsPrevious }: { keepsPrevious: boolean },
): Promise<void> {
  const readers = await readersOf(folder);
  const next = await makeVersion(folder, readers, async (place) => {
    for (const [file, text] of files) await writeNew(join(place, file), text, readers.file);
  });
  const before = await versionInUse(folder, readers);
  const previous = await previousTarget(folder);
  await swap(folder, next, [...files.keys()], keepsPrevious && previous !== undefined ? previous : before);
  await clearAway(folder);
}

/** Where the previous files are; undefined when there are none. */
export async function previousFolder(folder: string): Promise<string | undefined> {
  const previous = await previousTarget(folder);
  return previous === undefined ? undefined : join(folder, previous);
}

/** Two links cannot be changed at one moment: the one says what the other is to be from the moment on in which `..data` is. */
async function previousTarget(folder: string): Promise<string | undefined> {
  const replaced = await target(folder, replacedLink);
  const isReplaced = replaced !== undefined && replaced !== (await target(folder, dataLink));
  return isReplaced ? replaced : await target(folder, previousLink);
}

/** The previous files come back, and those in use become the previous ones. Throws ENOENT when there are none. */
export async function swapWithPrevious(folder: string): Promise<void> {
  const previous = await previousTarget(folder);
  if (previous === undefined) throw Object.assign(new Error('No previous files.'), { code: 'ENOENT' });
  const readers = await readersOf(folder);
  // It is in use again: whoever may enter the folder of the identity must come to it.
  for (const place of [versionsFolder, previous]) await openLike(join(folder, place), readers);
  const current = await versionInUse(folder, readers);
  await swap(folder, previous, await readdir(join(folder, previous)), current);
}

/**
 * The folder that every file in use is a link into. A file that is none, because somebody put it there by hand or because
 * one that made links of files was killed, would stay when the links lead elsewhere: half of the old with half of the new.
 */
async function versionInUse(folder: string, readers: Readers): Promise<string> {
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
 * Plain files become links to the same files in a folder of their own. At each moment every name leads to the file it led
 * to before, so a reader notices nothing.
 */
async function convert(folder: string, readers: Readers): Promise<string> {
  const present: string[] = [];
  const before = await makeVersion(folder, readers, async (place) => {
    for (const file of identityFiles) {
      const path = join(folder, file);
      const stats = await lstat(path).catch(absent);
      if (stats === undefined) continue;
      // A link may lead anywhere, or nowhere: what it leads to is kept.
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

/** A name that leads nowhere is, to a reader, no file: so the links may come before the swap and go after it. */
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

/** What one that was killed left to be said. */
async function settle(folder: string): Promise<void> {
  const previous = await previousTarget(folder);
  if (previous !== undefined) await pointLink(join(folder, previousLink), previous);
  await rm(join(folder, replacedLink), { force: true });
}

async function makeVersion(folder: string, readers: Readers, fill: (place: string) => Promise<void>): Promise<string> {
  const name = `${versionsFolder}/v-${randomBytes(6).toString('hex')}`;
  const place = join(folder, name);
  if ((await stat(join(folder, versionsFolder)).catch(absent)) === undefined)
    await makeFolder(join(folder, versionsFolder), readers.folder);
  else await openLike(join(folder, versionsFolder), readers);
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

/** Versions that no link leads to, and what was killed in between. */
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

/** A folder that an earlier umask closed, or that is from before the identity's got its group. */
async function openLike(place: string, { folder }: Readers): Promise<void> {
  const { uid, gid, mode } = await stat(place);
  const isLike = (mode & 0o7777) === folder.mode && (!folder.ids || (folder.ids.uid === uid && folder.ids.gid === gid));
  // Somebody else's stays as it is; what follows from it is told at the end.
  if (!isLike) await giveTo(place, folder).catch(() => undefined);
}

/** As the key was: the service that reads it may be another user. */
async function readersOf(folder: string): Promise<Readers> {
  for (const file of ['private-key.pem', 'tls.key']) {
    const key = join(folder, file);
    if ((await stat(key).catch(absent)) !== undefined) return await readersLike(folder, key);
  }
  return await readersLike(folder, undefined);
}

async function readBounded(path: string): Promise<Buffer> {
  return (await readRegularFile(path, maxDocumentBytes)).bytes;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return undefined;
  throw error;
}
