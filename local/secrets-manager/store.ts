// One file for each secret, replaced whole and flushed to the disk before a write is acknowledged; one server per
// folder.
import { randomBytes } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { access, chmod, constants, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FileIsLocked, lockFile } from '../../core/file-lock.ts';
import { AwsError } from '../aws-protocol/aws-error.ts';
import type { Secret } from './secret.ts';
import { decodeSecret, encodeSecret, fileNameOf, fileNamePattern } from './state-file.ts';

export interface Store {
  /** The stored record: the last acknowledged one, or one that could not be flushed. */
  get(name: string): Secret | undefined;
  all(): Iterable<Secret>;
  /**
   * Replaces the record with the result of `change`; undefined removes it, the same record changes nothing. Changes of
   * one secret run one after the other, so `change` always sees the newest record. Resolves with the result when it is
   * flushed to disk. If `change` throws or the write fails (InternalServiceError), the old record stays. If the flush
   * fails (same error), the new record is already in the file and counts, and no further change of this secret is
   * acknowledged until a flush succeeds.
   */
  update<After extends Secret | undefined>(name: string, change: (secret: Secret | undefined) => After): Promise<After>;
  /** Waits for writes in progress, then releases the folder. */
  close(): Promise<void>;
}

const leftoverPattern = /^[0-9a-f]{64}\.json\.[0-9a-f]+\.tmp$/;

/** Flushes renames and removals in a folder to disk. */
export type Flush = (folder: string) => Promise<void>;

/** Throws a one-sentence Error, without changes, if the folder cannot be used or contains a broken file. */
export async function openStore(folder: string, flush: Flush = flushFolder): Promise<Store> {
  await makePrivate(folder);
  const lock = lockFolder(folder);
  try {
    const secrets = await load(folder);
    return keep(folder, flush, secrets, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function keep(folder: string, flush: Flush, secrets: Map<string, Secret>, lock: { release(): void }): Store {
  /** By name: the last pending change. */
  const lines = new Map<string, Promise<unknown>>();

  /** Names whose rename or removal is not flushed, and would be lost in a power failure. */
  const unflushed = new Set<string>();

  async function apply<After extends Secret | undefined>(
    name: string,
    change: (secret: Secret | undefined) => After,
  ): Promise<After> {
    const before = secrets.get(name);
    const after = change(before);
    try {
      if (after !== before) {
        if (after) await replaceFile(folder, fileNameOf(name), encodeSecret(after));
        else await rm(join(folder, fileNameOf(name)), { force: true });
        unflushed.add(name);
        if (after) secrets.set(name, after);
        else secrets.delete(name);
      }
      if (unflushed.has(name)) await flush(folder);
      unflushed.delete(name);
      return after;
    } catch (error) {
      throw new AwsError('InternalServiceError', `The state could not be written (${reasonOf(error)}).`, {
        cause: error,
      });
    }
  }

  return {
    get: (name) => secrets.get(name),
    all: () => secrets.values(),
    update(name, change) {
      const result = (lines.get(name) ?? Promise.resolve()).then(() => apply(name, change));
      const end = result
        .catch(() => {})
        .finally(() => {
          if (lines.get(name) === end) lines.delete(name);
        });
      lines.set(name, end);
      return result;
    },
    async close() {
      await Promise.all(lines.values());
      lock.release();
    },
  };
}

/** The mode of mkdir is reduced by the umask and not applied to an existing folder, so chmod sets it. */
async function makePrivate(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (((await stat(folder)).mode & 0o077) !== 0) await chmod(folder, 0o700);
    await access(folder, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new Error(`The folder ${folder} cannot be used for secrets (${reasonOf(error)}).`, { cause: error });
  }
}

async function load(folder: string): Promise<Map<string, Secret>> {
  const names = await readdir(folder);
  const secrets = new Map<string, Secret>();
  for (const fileName of names.filter((name) => fileNamePattern.test(name))) {
    const secret = await readSecret(folder, fileName);
    secrets.set(secret.name, secret);
  }
  // Left by a killed write, never acknowledged. Removed last, so that a broken file causes no changes.
  for (const leftover of names.filter((name) => leftoverPattern.test(name))) await rm(join(folder, leftover));
  return secrets;
}

async function readSecret(folder: string, fileName: string): Promise<Secret> {
  const path = join(folder, fileName);
  let reason: string;
  try {
    const text = await readFile(path, 'utf8');
    const secret = decodeSecret(text, fileName);
    if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
    return secret;
  } catch (error) {
    reason = error instanceof Error && !('code' in error) ? error.message : reasonOf(error);
  }
  throw new Error(
    `The state file ${path} cannot be used (${reason}); restore it or move it away. Nothing was changed.`,
  );
}

/** Atomic: readers and crashes find the old file or the new one, never a part (rename(2)). */
async function replaceFile(folder: string, fileName: string, text: string): Promise<void> {
  const temporary = join(folder, `${fileName}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(folder, fileName));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** A directory entry belongs to the folder, so the folder is flushed (fsync(2)). */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** SQLite's result code for "the file is not a database" (sqlite.org/rescode.html). */
const notADatabase = 26;

/** Throws an Error that says why the folder cannot be taken. */
function lockFolder(folder: string): { release(): void } {
  const path = join(folder, 'lock');
  try {
    const lock = lockFile(path, 0);
    try {
      chmodSync(path, 0o600);
    } catch (error) {
      lock.release();
      throw error;
    }
    return lock;
  } catch (error) {
    if (error instanceof FileIsLocked) {
      throw new Error(`The folder ${folder} is in use by another Secrets Manager; stop that one first.`);
    }
    if (isBroken(error, path)) throw new Error(`The file ${path} is not a lock: delete it.`, { cause: error });
    throw new Error(`The folder ${folder} cannot be locked (${reasonOf(error)}).`, { cause: error });
  }
}

/** Another file, or a folder, is in the place of the lock. */
function isBroken(error: unknown, path: string): boolean {
  if (error instanceof Error && 'errcode' in error && error.errcode === notADatabase) return true;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The code of a system error (`ENOSPC`). */
function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : 'unknown reason';
}
