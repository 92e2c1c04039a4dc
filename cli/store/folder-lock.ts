// Lets one command at a time change an identity in a directory; the kernel lets go when the command ends, however it ends.
import { DatabaseSync } from 'node:sqlite';
import { unavailable } from '../exit-code.ts';

const patienceMs = 10_000;
/** SQLite's result code for "another connection holds the lock" (sqlite.org/rescode.html). */
const busy = 5;

/** An empty SQLite database in an exclusive transaction: Node has no other way to a lock of the kernel. */
export async function whileLocked<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  const database = new DatabaseSync(path, { timeout: patienceMs });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === busy) {
      throw unavailable(
        'identity-busy',
        'Another command has been changing the identity for 10 s: try again when it is done.',
      );
    }
    throw unavailable(
      'store-unwritable',
      `The lock ${path} cannot be taken: delete the file, or let this user write it.`,
    );
  }
  try {
    return await work();
  } finally {
    database.close();
  }
}
