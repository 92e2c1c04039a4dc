// Root works on somebody's directory as that somebody: a link that he put there leads root nowhere that he could not go himself.
import type { Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { refusal } from '../exit-code.ts';

/** Works on the identity `name` in the directory; without a name on the directory alone. */
export type AsOwner = <Result>(name: string | undefined, work: () => Promise<Result>) => Promise<Result>;

/** What is done as root meanwhile, in the same process, is done as the owner too: the verbs do one thing after the other. */
export function asOwnerOf(directory: string): AsOwner {
  let within = 0;
  let back = () => {};
  return async (name, work) => {
    if (process.getuid?.() !== 0) return await work();
    if (within === 0) {
      const [parent, folder] = [await stat(directory), name === undefined ? undefined : await seen(directory, name)];
      if (folder && folder.uid !== parent.uid && folder.uid !== 0) throw foreign(directory, name ?? '', folder);
      if (parent.uid === 0) requireClosed(directory, parent);
      else back = become(parent, folder);
    }
    within += 1;
    try {
      return await work();
    } finally {
      within -= 1;
      if (within === 0) {
        back();
        back = () => {};
      }
    }
  };
}

/** Its own groups must be there for the files that it gives to one; root's own are not. @returns the way back */
function become({ uid, gid }: Stats, folder: Stats | undefined): () => void {
  const groups = process.getgroups?.() ?? [];
  const own = new Set([gid, ...(folder?.uid === uid ? [folder.gid] : [])]);
  own.delete(0);
  process.setgroups?.([...own]);
  process.setegid?.(gid);
  process.seteuid?.(uid);
  return () => {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  };
}

/** Not what a link leads to: that is refused where it matters. */
async function seen(directory: string, name: string): Promise<Stats | undefined> {
  return await lstat(join(directory, name)).catch(() => undefined);
}

function foreign(directory: string, name: string, { uid }: Stats): Error {
  return refusal(
    'foreign-folder',
    `The folder ${join(directory, name)} belongs to user ${uid}, and ${directory} to another: make them one user's, or run this as user ${uid}.`,
  );
}

/** Whoever may write there may put links in root's way. */
function requireClosed(directory: string, { mode }: Stats): void {
  if ((mode & 0o022) === 0) return;
  throw refusal(
    'open-directory',
    `Others than root may write in ${directory}: give it to the user of the service (chown), or close it (chmod go-w), before root works there.`,
  );
}
