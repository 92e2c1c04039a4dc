// Who can read and change a directory of identities. Root works in it with the user id of its owner, so that links in
// it cannot lead root to files that the owner cannot reach.
import type { Stats } from 'node:fs';
import { access, constants, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { identityFiles } from '../../core/identity/directory.ts';
import { refusal, usageError } from '../exit-code.ts';
import { isGivenToGroup } from './atomic-files.ts';

export interface AsOwner {
  reading<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Refuses first if one of `places`, paths below the directory, is a link or belongs to another user. */
  changing<Result>(places: readonly string[], work: () => Promise<Result>): Promise<Result>;
}

/**
 * Changes nothing for users other than root. Root's operations run one after the other: the user id applies to the
 * whole process.
 */
export function openAsOwner(directory: string): AsOwner {
  const isRoot = process.getuid?.() === 0;
  let last: Promise<unknown> = Promise.resolve();

  async function run<Result>(places: readonly string[] | undefined, work: () => Promise<Result>): Promise<Result> {
    const owner = await stat(directory);
    if (places !== undefined) await requireOwn(directory, owner, places);
    if (owner.uid === 0) return await work();
    const back = become(owner, directory);
    try {
      return await work();
    } finally {
      back();
    }
  }

  function inTurn<Result>(places: readonly string[] | undefined, work: () => Promise<Result>): Promise<Result> {
    if (!isRoot) return places === undefined ? work() : requireNoLinks(directory, places).then(work);
    const turn = last.then(() => run(places, work));
    last = turn.catch(() => {});
    return turn;
  }

  return { reading: (work) => inTurn(undefined, work), changing: inTurn };
}

/** The owner must not get access to files of root's group. */
const nogroup = 65_534;

/** Returns a function that switches back. */
function become({ uid, gid }: Stats, directory: string): () => void {
  const before = { groups: process.getgroups?.() ?? [], gid: process.getegid?.() ?? 0 };
  const back = () => {
    process.seteuid?.(0);
    process.setegid?.(before.gid);
    process.setgroups?.(before.groups);
  };
  const group = gid === 0 ? nogroup : gid;
  try {
    process.setgroups?.([group]);
    process.setegid?.(group);
    process.seteuid?.(uid);
    return back;
  } catch {
    back();
    throw refusal(
      'foreign-directory',
      `${directory} belongs to user ${uid}, and this process cannot switch to that user. Run the command as user ${uid}.`,
    );
  }
}

/** If the directory is root's, other users must not be able to change it or a folder above it. */
async function requireOwn(directory: string, owner: Stats, places: readonly string[]): Promise<void> {
  await requireNoLinks(directory, places);
  if (owner.uid !== 0) return;
  const real = await realpath(directory);
  // The path as given, and the path that its links resolve to.
  for (const above of [...waysTo(resolve(directory)), ...waysTo(dirname(real))]) {
    const stats = await lstat(above);
    const isSticky = (stats.mode & 0o1000) !== 0;
    const isOpen = !stats.isSymbolicLink() && (stats.mode & 0o022) !== 0 && !isSticky;
    if (stats.uid !== 0 || isOpen) throw open(above);
  }
  for (const place of ['', ...places]) {
    const path = join(real, place);
    const stats = await lstat(path).catch(() => undefined);
    if (stats && (stats.uid !== 0 || (stats.mode & 0o022) !== 0)) throw open(path);
  }
}

/** The path and every folder above it. */
function waysTo(path: string): string[] {
  return path === dirname(path) ? [path] : [path, ...waysTo(dirname(path))];
}

function open(path: string): Error {
  return refusal(
    'open-directory',
    `Users other than root can change ${path}. Make it root's and close it (chown root, chmod go-w), or give the whole directory of identities to the other user.`,
  );
}

/** Through a link, files outside the directory would be changed and deleted. */
export async function requireNoLinks(directory: string, places: readonly string[]): Promise<void> {
  for (const place of places) {
    const path = join(directory, place);
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isSymbolicLink()) throw refusal('folder-is-a-link', `${path} is a link. It must be a folder.`);
  }
}

/**
 * One sentence about the first folder or file of an identity that this user cannot read; otherwise undefined.
 */
export async function unreadablePath(parent: string, name: string): Promise<string | undefined> {
  const folder = join(parent, name);
  const folders = [parent, folder, join(folder, '..versions'), join(folder, '..data')];
  for (const path of folders) if (await isClosed(path, constants.R_OK | constants.X_OK)) return await told(path);
  for (const file of identityFiles) {
    if (await isClosed(join(folder, file), constants.R_OK)) return await told(join(folder, file));
  }
  return undefined;
}

/** False if there is no such file. */
async function isClosed(path: string, mode: number): Promise<boolean> {
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

/** The folders that a reader enters on its way to a file. */
const passed = ['', '..versions', '..data'];

/**
 * One sentence if the owner of the folder `parent`, or its chosen group, cannot read the identity in it. A running
 * service would notice only with its next call.
 */
export async function readersWarning(parent: string, name: string): Promise<string | undefined> {
  const folder = join(parent, name);
  const above = await stat(parent);
  const paths = [...passed, ...identityFiles].map((file) => join(folder, file));
  const there = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  const all = there.filter((stats) => stats !== undefined);
  // Root can read everything.
  if (above.uid !== 0 && !all.every((stats) => isOpenToOwner(stats, above))) {
    const mend = `chown -R --reference='${parent}' '${folder}'`;
    return `User ${above.uid}, who owns ${parent}, cannot read "${name}", nor can a service that runs as that user: ${mend}`;
  }
  if (isGivenToGroup(above) && !all.every((stats) => isOpenToGroup(stats, above.gid))) {
    const mend = `chgrp -R --reference='${parent}' '${folder}' && chmod -R g+rX '${folder}'`;
    return `Group ${above.gid}, which ${parent} belongs to, cannot read "${name}", nor can a service that runs in that group: ${mend}`;
  }
  return undefined;
}

/** The only known group of the owner is the group of the folder. */
function isOpenToOwner(stats: Stats, { uid, gid }: Stats): boolean {
  return stats.uid === uid ? hasReading(stats.mode >> 6, stats) : isOpenToGroup(stats, gid);
}

function isOpenToGroup(stats: Stats, gid: number): boolean {
  return hasReading(stats.gid === gid ? stats.mode >> 3 : stats.mode, stats);
}

/** Checks the last three bits. */
function hasReading(bits: number, stats: Stats): boolean {
  const wanted = stats.isDirectory() ? 0o5 : 0o4;
  return (bits & wanted) === wanted;
}

const keyFiles = ['private-key.pem', 'tls.key'];

/** Throws a usage error for the folder of one identity: no identity would be found in it. */
export async function requireParentDirectory(path: string): Promise<void> {
  const names = await readdir(path).catch((): string[] => []);
  if (!keyFiles.some((file) => names.includes(file))) return;
  throw usageError(
    `The directory ${path} is the folder of one identity. Name the directory above it, ${dirname(path)}.`,
  );
}
