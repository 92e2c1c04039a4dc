// Archives that depend only on their contents: fixed order, owner, modes and time.
import { chmodSync, lstatSync, lutimesSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { output } from './program.ts';

/**
 * Sets modes that do not depend on the umask of the checkout (0755 for folders and executable files, else 0644), and
 * the time of every file.
 * @param seconds since 1970
 */
export function normalizeTree(folder: string, seconds: number): void {
  for (const path of ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]) {
    const file = join(folder, path);
    const stat = lstatSync(file);
    if (!stat.isSymbolicLink()) chmodSync(file, stat.isDirectory() || stat.mode & 0o100 ? 0o755 : 0o644);
    lutimesSync(file, seconds, seconds);
  }
}

/** Writes the entry `name` of `folder`, with everything below it, as an uncompressed tar. */
export async function writeTar(file: string, folder: string, name: string, seconds: number): Promise<void> {
  const fixed = ['--format=gnu', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${seconds}`];
  await output('tar', [...fixed, '-cf', file, '-C', folder, name]);
}

/** Replaces `file` by `file.gz`. gzip gives the same bytes on every architecture; zlib in Node does not. */
export async function gzip(file: string): Promise<void> {
  // -n: without name and time.
  await output('gzip', ['-n', '-f', file]);
}
