// Files that are written whole or not at all, with the owner, the group and the mode that they are given, whatever the umask.
import { randomBytes } from 'node:crypto';
import { chmod, chown, link, mkdir, open, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface Owner {
  /** Absent where this process may not give it away: it stays this user's and of his group. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode: number;
}

/** On the disk when it resolves; the file must not exist. */
export async function writeNew(path: string, content: string | Uint8Array, { ids, mode }: Owner): Promise<void> {
  // To nobody else before it belongs to whom it is for.
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

/** False when there is such a file already, which is left as it is. */
export async function createWhole(path: string, content: string, owner: Owner): Promise<boolean> {
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

/** One moment: whoever follows the link comes to the old place or to the new one. */
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

/** The mode comes last: the kernel takes bits of it away when the owner changes. */
export async function giveTo(path: string, { ids, mode }: Owner): Promise<void> {
  if (ids) await chown(path, ids.uid, ids.gid);
  await chmod(path, mode);
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync().finally(() => handle.close());
}

/** No identity's: those begin with a letter or a digit. */
export const temporaryPrefix = '..new-';

export function temporaryName(): string {
  return `${temporaryPrefix}${randomBytes(6).toString('hex')}`;
}
