// One identity's folder, and how its files are replaced all at one moment: through a link that is renamed, as Kubernetes does it.
import { createHash, randomBytes } from 'node:crypto';
import { link, lstat, readdir, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeFolder,
  type Owner,
  ownerLike,
  pointLink,
  syncFolder,
  temporaryName,
  temporaryPrefix,
  writeNew,
} from './whole-files.ts';

/** Both sets of names that functions/identity/directory.ts reads. */
const knownFiles = [
  'private-key.pem',
  'certificate.pem',
  'intermediates.pem',
  'root.pem',
  'destinations.json',
  'tls.key',
  'tls.crt',
  'ca.crt',
] as const;

/** The folder of the files in use; each file beside it is a link through it. */
const dataLink = '..data';
const previousLink = '..previous';
/** One folder for each version; its name is one that an identity may have, so that the source reads it like one. */
const versionsFolder = '..versions';

export type Files = ReadonlyMap<string, string>;

/** SHA-256 of the files as they are, whatever they hold; undefined when there is none. */
export async function fingerprintOf(folder: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  let isEmpty = true;
  for (const file of knownFiles) {
    const bytes = await readFile(join(folder, file)).catch(absent);
    if (bytes === undefined) continue;
    isEmpty = false;
    hash.update(`${file} ${bytes.length}\n`).update(bytes);
  }
  return isEmpty ? undefined : hash.digest('hex');
}

/** A folder that appears whole. Throws ENOTEMPTY or EEXIST when somebody else was first. */
export async function createFolder(parent: string, name: string, files: Files): Promise<void> {
  const owner = { ...(await ownerLike(parent)) };
  const temporary = join(parent, temporaryName());
  try {
    await makeFolder(temporary, owner);
    for (const [file, text] of files) await writeNew(join(temporary, file), text, owner);
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
  const owner = await ownerOf(folder);
  const next = await makeVersion(folder, owner, async (place) => {
    for (const [file, text] of files) await writeNew(join(place, file), text, owner);
  });
  const before = (await target(folder, dataLink)) ?? (await convert(folder, owner));
  await swap(folder, next, [...files.keys()]);
  if (!keepsPrevious || (await target(folder, previousLink)) === undefined)
    await pointLink(join(folder, previousLink), before);
  await clearAway(folder);
}

/** Where the previous files are; undefined when there are none. */
export async function previousFolder(folder: string): Promise<string | undefined> {
  const previous = await target(folder, previousLink);
  return previous === undefined ? undefined : join(folder, previous);
}

/** The previous files come back, and those in use become the previous ones. Throws ENOENT when there are none. */
export async function swapWithPrevious(folder: string): Promise<void> {
  const [current, previous] = [await target(folder, dataLink), await target(folder, previousLink)];
  if (current === undefined || previous === undefined)
    throw Object.assign(new Error('No previous files.'), { code: 'ENOENT' });
  await swap(folder, previous, await readdir(join(folder, previous)));
  await pointLink(join(folder, previousLink), current);
  await syncFolder(folder);
}

/**
 * Plain files become links to the same files in a folder of their own. At each moment every name leads to the file it led
 * to before, so a reader notices nothing.
 */
async function convert(folder: string, owner: Owner): Promise<string> {
  const present: string[] = [];
  const before = await makeVersion(folder, owner, async (place) => {
    for (const file of knownFiles) {
      const path = join(folder, file);
      const stats = await lstat(path).catch(absent);
      if (stats === undefined) continue;
      present.push(file);
      // A link of somebody else's may lead anywhere: what it leads to is kept.
      if (stats.isFile()) await link(path, join(place, file));
      else await writeNew(join(place, file), await readFile(path, 'utf8'), owner);
    }
  });
  await pointLink(join(folder, dataLink), before);
  for (const file of present) await pointLink(join(folder, file), `${dataLink}/${file}`);
  return before;
}

/** A name that leads nowhere is, to a reader, no file: so the links may come before the swap and go after it. */
async function swap(folder: string, next: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    if ((await lstat(join(folder, file)).catch(absent)) === undefined)
      await pointLink(join(folder, file), `${dataLink}/${file}`);
  }
  await syncFolder(folder);
  await pointLink(join(folder, dataLink), next);
  await syncFolder(folder);
  for (const file of knownFiles) {
    if (!files.includes(file)) await rm(join(folder, file), { force: true });
  }
}

async function makeVersion(folder: string, owner: Owner, fill: (place: string) => Promise<void>): Promise<string> {
  const name = `${versionsFolder}/v-${randomBytes(6).toString('hex')}`;
  const place = join(folder, name);
  if ((await stat(join(folder, versionsFolder)).catch(absent)) === undefined)
    await makeFolder(join(folder, versionsFolder), owner);
  try {
    await makeFolder(place, owner);
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
  const used = [await target(folder, dataLink), await target(folder, previousLink)];
  const versions = (await readdir(join(folder, versionsFolder))).map((name) => `${versionsFolder}/${name}`);
  const left = (await readdir(folder)).filter((name) => name.startsWith(temporaryPrefix));
  for (const name of [...versions.filter((version) => !used.includes(version)), ...left]) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function target(folder: string, name: string): Promise<string | undefined> {
  const led = await readlink(join(folder, name)).catch(absent);
  return led !== undefined && (await stat(join(folder, led)).catch(absent)) ? led : undefined;
}

/** As the key was: the service that reads it may be another user. */
async function ownerOf(folder: string): Promise<Owner> {
  for (const file of ['private-key.pem', 'tls.key']) {
    const owner = await ownerLike(join(folder, file)).catch(absent);
    if (owner) return owner;
  }
  return await ownerLike(folder);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return undefined;
  throw error;
}
