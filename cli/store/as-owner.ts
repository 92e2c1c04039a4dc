// Root works on somebody's directory as that somebody: a link that he put there leads root nowhere that he could not go himself.
import type { Stats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { refusal } from '../exit-code.ts';

export interface AsOwner {
  reading<Result>(work: () => Promise<Result>): Promise<Result>;
  /** What is not to be a link, or somebody else's, is refused first. `places` are below the directory. */
  changing<Result>(places: readonly string[], work: () => Promise<Result>): Promise<Result>;
}

/** For whoever is not root, everything is as it is. What root does, it does one after the other: the user is the whole process's. */
export function asOwnerOf(directory: string): AsOwner {
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

/** Group root would open to him what is root's group's. */
const nogroup = 65_534;

/** @returns the way back */
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
      `${directory} belongs to user ${uid}, and this process may not become that user: run this as user ${uid}.`,
    );
  }
}

/** In root's own directory nobody else may be able to put anything in root's way, from the top of the file system on. */
async function requireOwn(directory: string, owner: Stats, places: readonly string[]): Promise<void> {
  await requireNoLinks(directory, places);
  if (owner.uid !== 0) return;
  const real = await realpath(directory);
  // The way that was named, and the way that its links lead.
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

/** The path and all above it. */
function waysTo(path: string): string[] {
  return path === dirname(path) ? [path] : [path, ...waysTo(dirname(path))];
}

function open(path: string): Error {
  return refusal(
    'open-directory',
    `Others than root may change ${path}: root works there only when it is root's and closed to them (chown root, chmod go-w), or when the whole directory of identities is the other user's.`,
  );
}

/** A link in the place of one of them would have files of somewhere else changed and cleared away. */
async function requireNoLinks(directory: string, places: readonly string[]): Promise<void> {
  for (const place of places) {
    const path = join(directory, place);
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isSymbolicLink())
      throw refusal('folder-is-a-link', `${path} is a link: what is changed there must be a folder of its own.`);
  }
}
