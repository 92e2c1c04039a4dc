// The state folder of the local cloud: private, with files that are written atomically and never overwritten.
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Creates the folder if need be and makes it private (0700). Throws a one-sentence Error. */
export async function openFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason =
      code === 'EEXIST' || code === 'ENOTDIR' ? 'a file is in its place' : `it cannot be written (${code})`;
    throw new Error(`The state folder ${folder} cannot be used, because ${reason}.`, { cause });
  }
}

/** Undefined when there is no such file. Throws a one-sentence Error when it cannot be read. */
export async function readState(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw new Error(`The file ${file} cannot be read (${code}).`, { cause });
  }
}

/**
 * Writes a file that does not exist yet (0600): under another name first, flushed, then linked into place, so that a
 * crash leaves the whole file or none, and a second process that starts at the same time cannot replace the first's.
 * @returns false if another process has written it meanwhile
 */
export async function createState(file: string, text: string): Promise<boolean> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const folder = await open(dirname(file));
  await folder.sync().finally(() => folder.close());
  return true;
}

/**
 * A log of this run only (0600), so that it does not grow without limit. The log of the previous run becomes
 * `<file>.1`. Throws a one-sentence Error if either is not a regular file.
 */
export async function openLog(file: string): Promise<{ write(line: string): void; close(): Promise<void> }> {
  for (const one of [file, `${file}.1`]) {
    const found = await stat(one).catch(() => undefined);
    if (found && !found.isFile()) throw new Error(`${one} is not a regular file: delete it.`);
  }
  try {
    await rename(file, `${file}.1`);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new Error(`The file ${file} cannot be renamed (${code}): delete it.`, { cause });
  }
  const stream = createWriteStream(file, { flags: 'wx', mode: 0o600 });
  // A log error must not fail a call.
  stream.on('error', () => undefined);
  return {
    write: (line) => void stream.write(line),
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  };
}

/** The files of each part. */
export function stateFiles(folder: string): { authorities: string; secrets: string; events: string; log: string } {
  return {
    authorities: join(folder, 'demo-authorities.json'),
    secrets: join(folder, 'secrets-manager'),
    events: join(folder, 'events.jsonl'),
    log: join(folder, 'functions.log'),
  };
}
