// Whether those whom a directory of identities is for can read one of them: a service that cannot learns of it with its next call, too late.
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { identityFiles } from '../../core/identity/directory.ts';
import { isGivenToGroup } from './readers.ts';

/** What a reader passes on its way to a file: each version has a folder in `..versions`, and the link leads into it. */
const passed = ['', '..versions', '..data'];

/** One sentence where the owner of the folder `parent`, or a group that it was given to, cannot read the identity in it. */
export async function unreadableSentence(parent: string, name: string): Promise<string | undefined> {
  const folder = join(parent, name);
  const above = await stat(parent);
  const paths = [...passed, ...identityFiles].map((file) => join(folder, file));
  const there = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  const all = there.filter((stats) => stats !== undefined);
  // Root reads everything.
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

/** Of the owner's groups nothing is known but the one that the folder has. */
function isOpenToOwner(stats: Stats, { uid, gid }: Stats): boolean {
  return stats.uid === uid ? hasReading(stats.mode >> 6, stats) : isOpenToGroup(stats, gid);
}

function isOpenToGroup(stats: Stats, gid: number): boolean {
  return hasReading(stats.gid === gid ? stats.mode >> 3 : stats.mode, stats);
}

/** Of the last three bits. */
function hasReading(bits: number, stats: Stats): boolean {
  const wanted = stats.isDirectory() ? 0o5 : 0o4;
  return (bits & wanted) === wanted;
}
