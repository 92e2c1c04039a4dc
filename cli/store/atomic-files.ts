// Writes files atomically, with an owner, a group and a mode that do not depend on the umask.
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, chown, link, mkdir, open, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface Owner {
  /** Undefined if this process cannot change the owner. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode: number;
}

/** Creates a file and flushes it to the disk. Throws EEXIST if the file exists. */
export async function writeNew(path: string, content: string | Uint8Array, { ids, mode }: Owner): Promise<void> {
  // No group or other permissions before the owner is set.
  const handle = await open(path, 'wx', mode & 0o700);
  try {
    await handle.writeFile(content);
    if (ids) await handle.chown(ids.uid, ids.gid);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Returns false, and changes nothing, if the file exists. */
export async function createAtomically(path: string, content: string, owner: Owner): Promise<boolean> {
  const temporary = join(dirname(path), temporaryName());
  try {
    await writeNew(temporary, content, owner);
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

/** Replaces a link atomically. */
export async function pointLink(path: string, target: string): Promise<void> {
  const temporary = join(dirname(path), temporaryName());
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

export async function makeFolder(path: string, owner: Owner): Promise<void> {
  await mkdir(path, { mode: owner.mode & 0o700 });
  await giveTo(path, owner);
}

/** Sets the mode last, because chown(2) clears mode bits. */
export async function giveTo(path: string, { ids, mode }: Owner): Promise<void> {
  if (ids) await chown(path, ids.uid, ids.gid);
  await chmod(path, mode);
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync().finally(() => handle.close());
}

/** Not a valid name of an identity. */
export const temporaryPrefix = '..new-';

export function temporaryName(): string {
  return `${temporaryPrefix}${randomBytes(6).toString('hex')}`;
}

export interface Owners {
  readonly folder: Owner;
  readonly file: Owner;
}

const groupEnters = 0o050;
const groupReads = 0o040;

/**
 * For a new identity in `parent`. A group can read it only if `parent` is closed to all but its owner and that
 * group.
 */
export async function ownersForNewIdentity(parent: string): Promise<Owners> {
  const stats = await stat(parent);
  const ids = givenTo(stats);
  // A plain mkdir leaves the folder open to others; then its group was not chosen on purpose.
  const isForGroup = ids !== undefined && isGivenToGroup(stats) && (stats.mode & 0o007) === 0;
  return {
    folder: { ids, mode: isForGroup ? stats.mode & 0o2770 : 0o700 },
    file: { ids, mode: isForGroup ? 0o640 : 0o600 },
  };
}

/** For a new version in `folder`: its folder like `folder`, its files like the file `key`, if there is one. */
export async function ownersLike(folder: string, key: string | undefined): Promise<Owners> {
  const stats = await stat(folder);
  const like = key === undefined ? undefined : await stat(key);
  const [folderIds, fileIds] = [givenTo(stats), givenTo(like ?? stats)];
  // If the group cannot be copied, no group gets access.
  return {
    folder: { ids: folderIds, mode: folderIds ? (stats.mode & 0o2775) | 0o700 : 0o700 },
    file: { ids: fileIds, mode: fileIds ? 0o600 | ((like?.mode ?? 0) & groupReads) : 0o600 },
  };
}

/** For files of the owner of the directory, such as locks. */
export async function ownerOf(folder: string, mode: number): Promise<Owner> {
  return { ids: givenTo(await stat(folder)), mode };
}

/** Root can set any owner; other users can set a group that they are in. */
function givenTo({ uid, gid }: Stats): Owner['ids'] {
  // The effective user id: root works as the owner of the directory.
  const self = process.geteuid?.();
  if (self === 0) return { uid, gid };
  return self !== undefined && [...(process.getgroups?.() ?? []), process.getegid?.()].includes(gid)
    ? { uid: self, gid }
    : undefined;
}

/** Its group was chosen: it is neither this user's own group nor the private group of the owner. */
export function isGivenToGroup({ uid, gid, mode }: Stats): boolean {
  return (mode & groupEnters) === groupEnters && gid !== uid && gid !== process.getegid?.();
}
