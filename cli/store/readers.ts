// Whom the files of an identity are for: its owner, and a group where somebody gave the folder to one. Everybody else is kept out.
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Owner } from './whole-files.ts';

export interface Readers {
  readonly folder: Owner;
  readonly file: Owner;
}

const groupEnters = 0o050;
const groupReads = 0o040;

/** For an identity that is new in `parent`. A group may read it if the parent is for its owner and that group alone. */
export async function readersBelow(parent: string): Promise<Readers> {
  const stats = await stat(parent);
  const ids = givenTo(stats);
  // Open to everybody, as a plain mkdir leaves it, its group is nobody's decision.
  const isForGroup = ids !== undefined && isGivenToGroup(stats) && (stats.mode & 0o007) === 0;
  return {
    folder: { ids, mode: isForGroup ? stats.mode & 0o2770 : 0o700 },
    file: { ids, mode: isForGroup ? 0o640 : 0o600 },
  };
}

/** For a version that comes beside those in `folder`: its folder like that one, its files like the key at `key`, if there is one. */
export async function readersLike(folder: string, key: string | undefined): Promise<Readers> {
  const stats = await stat(folder);
  const like = key === undefined ? undefined : await stat(key);
  const [folderIds, fileIds] = [givenTo(stats), givenTo(like ?? stats)];
  // Where the group cannot be the same, the one that it would be instead is nobody's decision.
  return {
    folder: { ids: folderIds, mode: folderIds ? (stats.mode & 0o2775) | 0o700 : 0o700 },
    file: { ids: fileIds, mode: fileIds ? 0o600 | ((like?.mode ?? 0) & groupReads) : 0o600 },
  };
}

/** For what is of whoever may change identities, as locks are. */
export async function ownerOf(folder: string, mode: number): Promise<Owner> {
  return { ids: givenTo(await stat(folder)), mode };
}

/** Root gives it to whom that belongs; others can give it to a group that they are in. */
function givenTo({ uid, gid }: Stats): Owner['ids'] {
  // Not the real one: root works as the owner of the directory.
  const self = process.geteuid?.();
  if (self === 0) return { uid, gid };
  return self !== undefined && [...(process.getgroups?.() ?? []), process.getegid?.()].includes(gid)
    ? { uid: self, gid }
    : undefined;
}

/** It has a group that it did not get by itself: neither this user's own, nor the one that has the owner alone in it. */
export function isGivenToGroup({ uid, gid, mode }: Stats): boolean {
  return (mode & groupEnters) === groupEnters && gid !== uid && gid !== process.getegid?.();
}
