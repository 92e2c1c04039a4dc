// Permissions of a directory of identities: whether other users can read keys or change files.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { identityNamePattern } from '../../core/settings.ts';
import type { Check } from './check.ts';

const keyFiles: ReadonlySet<string> = new Set(['private-key.pem', 'tls.key']);
/** Findings beyond this number are only counted. */
const maxChecks = 20;
/** Version folders are two levels below the folder of an identity. */
const maxDepth = 4;
const maxEntries = 20_000;

/** `path` must be listable. `now` in milliseconds since 1970. Reads only names, modes and dates. */
export async function checkFiles(path: string, now: number): Promise<Check[]> {
  if (process.platform === 'win32') return [];
  const seen: Seen = { found: [], unseen: [], newest: 0, entries: 0 };
  await look(path, '', 0, true, seen);
  const { found, unseen, newest } = seen;
  const checks: Check[] = found.slice(0, maxChecks);
  if (found.length > maxChecks) {
    checks.push({ check: 'files', status: 'failure', detail: `and ${found.length - maxChecks} more files like these` });
  }
  if (process.getuid?.() === 0) {
    checks.push({
      check: 'files',
      status: 'skipped',
      detail: 'whether the user of the service can read them (root can read everything)',
      remedy: `Run the command as that user: runuser -u countersign -- countersign doctor --source 'directory:${path}'`,
    });
  }
  const [first] = unseen;
  if (first !== undefined) {
    checks.push({
      check: 'files',
      status: 'skipped',
      detail: `${unseen.length === 1 ? first : `${first} and ${unseen.length - 1} more`}: this user cannot read it`,
      remedy: 'Only its owner and root can check whether others can read a key or change a file there.',
    });
  } else if (found.length === 0)
    checks.unshift({ check: 'files', status: 'ok', detail: 'no other user can read a key or change a file' });
  if (newest > now + 60_000) {
    checks.push({
      check: 'clock',
      status: 'warning',
      detail: `a file in ${path} is from ${new Date(newest).toISOString()}, which is in the future`,
      remedy: 'Set the clock of this machine (timedatectl), or correct the date of the file.',
    });
  }
  return checks;
}

interface Seen {
  readonly found: Check[];
  /** Paths that this user cannot read. */
  readonly unseen: string[];
  newest: number;
  entries: number;
}

/** `isOpen`: every user can enter the folders above, up to `root`. */
async function look(root: string, below: string, depth: number, isOpen: boolean, seen: Seen): Promise<void> {
  const folder = join(root, below);
  const stats = await stat(folder).catch((error) => unlessClosed(error, folder, seen));
  if (!stats?.isDirectory()) return;
  const isEntered = isOpen && (stats.mode & 0o001) !== 0;
  if ((stats.mode & 0o002) !== 0 && (stats.mode & 0o1000) === 0) {
    seen.found.push({
      check: 'files',
      subject: folder,
      status: 'failure',
      detail: 'every user of the machine can change what is in it',
      remedy: `chmod o-w '${folder}'`,
    });
  }
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    unlessClosed(error, folder, seen);
    return [];
  });
  for (const entry of entries) {
    seen.entries += 1;
    if (seen.entries > maxEntries) return;
    // Files beside the folders of identities are not checked.
    if (depth === 0 && !identityNamePattern.test(entry.name)) continue;
    const path = join(below, entry.name);
    if (entry.isDirectory() || (depth === 0 && entry.isSymbolicLink())) {
      // The target of a link can be outside the closed folder.
      if (depth < maxDepth) await look(root, path, depth + 1, isEntered || entry.isSymbolicLink(), seen);
    } else if (entry.isFile() && depth > 0) await lookAtFile(join(root, path), entry.name, isEntered, seen);
  }
}

/** Ignores files that were deleted meanwhile. */
function unlessClosed({ code }: NodeJS.ErrnoException, path: string, { unseen }: Seen): undefined {
  if (code === 'EACCES' || code === 'EPERM') unseen.push(path);
}

async function lookAtFile(path: string, name: string, isEntered: boolean, seen: Seen): Promise<void> {
  const stats = await stat(path).catch((error) => unlessClosed(error, path, seen));
  if (!stats?.isFile()) return;
  seen.newest = Math.max(seen.newest, stats.mtimeMs);
  // In a folder that others cannot enter, the mode of the file has no effect.
  if (!isEntered) return;
  if ((stats.mode & 0o002) !== 0) {
    seen.found.push({
      check: 'files',
      subject: path,
      status: 'failure',
      detail: 'every user of the machine can change it',
      remedy: `chmod o-w '${path}'`,
    });
  }
  if (keyFiles.has(name) && (stats.mode & 0o004) !== 0) {
    seen.found.push({
      check: 'files',
      subject: path,
      status: 'warning',
      detail: 'every user of the machine can read the key',
      remedy: `chmod o-r '${path}', or give the volume a defaultMode of 0440`,
    });
  }
}
