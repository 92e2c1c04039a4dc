// Keeps a second server off a state folder, for as long as this process lives and not a moment longer.
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { reasonOf } from './errors.ts';

/** SQLite's result code for "another connection holds the lock" (sqlite.org/rescode.html). */
const busy = 5;

/** The same for "the file is no database". */
const notADatabase = 26;

/**
 * Takes the folder, or throws an Error that says who has it.
 *
 * The lock is an empty SQLite database in an exclusive transaction, because that is a lock of the kernel, which Node has
 * no other way to. The kernel drops it with the process, also after `kill -9`: nothing is ever stale, no process id can
 * be taken for another's, and two starts at once cannot both win. Nobody may open the file by other means in this
 * process: closing it would drop the lock (fcntl(2), "Advisory record locking").
 */
export function lockFolder(folder: string): { release(): void } {
  const path = join(folder, 'lock');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // Nothing is ever written, so no journal beside it is needed.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    chmodSync(path, 0o600);
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) {
      throw new Error(`The folder ${folder} is in use by another Secrets Manager; stop that one first.`);
    }
    if (isBroken(error, path)) throw new Error(`The file ${path} is not a lock: delete it.`, { cause: error });
    throw new Error(`The folder ${folder} cannot be locked (${reasonOf(error)}).`, { cause: error });
  }
  const held = database;
  return { release: () => held.close() };
}

/** Something else has come into its place: another file, or a folder. */
function isBroken(error: unknown, path: string): boolean {
  if (error instanceof Error && 'errcode' in error && error.errcode === notADatabase) return true;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
