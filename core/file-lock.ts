// Locks a file against other processes. The kernel releases the lock when the process ends, however it ends.
import { DatabaseSync } from 'node:sqlite';

/** SQLite's result code for "another connection holds the lock" (sqlite.org/rescode.html). */
const busy = 5;

/** Another process holds the lock. */
export class FileIsLocked extends Error {}

/**
 * Takes the lock, and waits at most `timeoutMs` for it. Blocks the event loop while it waits. Creates the file if it is
 * missing. Throws FileIsLocked, or the error of SQLite for a file that cannot be opened or is not a lock.
 *
 * The lock is an exclusive transaction on an empty SQLite database, because Node has no other way to a lock of the
 * kernel. It cannot be stale after `kill -9`, and no reused process id can be taken for its holder. Do not open the
 * file by other means in this process: closing that descriptor would release the lock (fcntl(2), "Advisory record
 * locking").
 */
export function lockFile(path: string, timeoutMs: number): { release(): void } {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: timeoutMs });
    // Nothing is written, so no journal file is needed.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) throw new FileIsLocked();
    throw error;
  }
  const held = database;
  return { release: () => held.close() };
}
