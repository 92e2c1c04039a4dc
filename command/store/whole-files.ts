// Files that are written whole or not at all, and belong to whom the folder around them belongs.
import { randomBytes } from 'node:crypto';
import { chown, link, mkdir, open, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface Owner {
  /** Set when this process may give files away: what root imports must be readable to whom the service runs as. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  /** 0600, or 0640 where a group read it before. */
  readonly fileMode: number;
}

const privateMode = 0o600;

/** Of the folder or file at `path`. */
export async function ownerLike(path: string): Promise<Owner> {
  const stats = await stat(path);
  const ids = process.getuid?.() === 0 ? { uid: stats.uid, gid: stats.gid } : undefined;
  return { ids, fileMode: stats.isFile() ? (stats.mode & 0o040) | privateMode : privateMode };
}

/** On the disk when it resolves; the file must not exist. */
export async function writeNew(path: string, content: string | Uint8Array, { ids, fileMode }: Owner): Promise<void> {
  const handle = await open(path, 'wx', fileMode);
  try {
    await handle.writeFile(content);
    // The umask may have taken the group's bit away.
    await handle.chmod(fileMode);
    if (ids) await handle.chown(ids.uid, ids.gid);
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

export async function makeFolder(path: string, { ids, fileMode }: Owner): Promise<void> {
  await mkdir(path, { mode: fileMode & 0o040 ? 0o750 : 0o700 });
  if (ids) await chown(path, ids.uid, ids.gid);
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
