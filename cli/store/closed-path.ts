// What keeps this user from an identity in a directory: the first folder or file that is closed to him, and whose it is.
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { identityFiles } from '../../core/identity/directory.ts';

/** One sentence; undefined where he can read all that is there. */
export async function closedPathOf(parent: string, name: string): Promise<string | undefined> {
  const folder = join(parent, name);
  const folders = [parent, folder, join(folder, '..versions'), join(folder, '..data')];
  for (const path of folders) if (await isClosed(path, constants.R_OK | constants.X_OK)) return await told(path);
  for (const file of identityFiles) {
    if (await isClosed(join(folder, file), constants.R_OK)) return await told(join(folder, file));
  }
  return undefined;
}

/** False for what is not there. */
export async function isClosed(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === 'EACCES' || code === 'EPERM',
  );
}

async function told(path: string): Promise<string> {
  const user = process.getuid?.();
  const stats = await stat(path).catch(() => undefined);
  const whose = stats && ` It belongs to user ${stats.uid} and group ${stats.gid}, mode ${octal(stats.mode)}.`;
  return `${user === undefined ? 'This user' : `User ${user}, who runs this,`} cannot read ${path}.${whose ?? ''}`;
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
