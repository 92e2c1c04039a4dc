// Reads files that other users name or write: never more bytes than asked for, and never blocked by a pipe without a
// writer.
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ByteCollector } from './byte-collector.ts';

export interface RegularFile {
  readonly bytes: Buffer;
  /** Of the file that was opened, when it was opened. */
  readonly stats: BigIntStats;
}

/** `code` is ENOTREG for what is not a regular file (a folder, a pipe, a device), EFBIG for more bytes than allowed. */
export class UnsuitableFile extends Error {
  readonly code: 'ENOTREG' | 'EFBIG';
  readonly sizeBytes: number;

  constructor(code: UnsuitableFile['code'], sizeBytes: number) {
    super(code === 'EFBIG' ? `The file has ${sizeBytes} bytes.` : 'The path is not a regular file.');
    this.code = code;
    this.sizeBytes = sizeBytes;
  }
}

/** Throws the system error of open(2) or read(2), or an UnsuitableFile. */
export async function readRegularFile(path: string, maxBytes: number): Promise<RegularFile> {
  const handle = await openWithoutBlocking(path);
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw new UnsuitableFile('ENOTREG', Number(stats.size));
    if (stats.size > maxBytes) throw new UnsuitableFile('EFBIG', Number(stats.size));
    const bytes = await readAtMost(handle, maxBytes + 1, false);
    // It grew after its size was read.
    if (bytes.length > maxBytes) throw new UnsuitableFile('EFBIG', bytes.length);
    return { bytes, stats };
  } finally {
    await handle.close();
  }
}

/**
 * Reads the first `maxBytes` bytes of a file, a pipe or a device. To notice that there is more, ask for one more byte.
 * Waits for the data of a pipe, and up to 3 s for its writer, because the writer in `<(…)` of a shell starts with the
 * command. `mode` is that of stat(2). Throws the system error: EISDIR for a folder, ETIMEDOUT for a pipe without a
 * writer.
 */
export async function readUpTo(path: string, maxBytes: number): Promise<{ bytes: Buffer; mode: number }> {
  const handle = await openWithoutBlocking(path);
  try {
    const stats = await handle.stat();
    return { bytes: await readAtMost(handle, maxBytes, stats.isFIFO()), mode: stats.mode };
  } finally {
    await handle.close();
  }
}

/** As `readUpTo`, from a stream such as standard input. */
export async function readStreamUpTo(stream: AsyncIterable<Buffer | string>, maxBytes: number): Promise<Buffer> {
  const collector = new ByteCollector({ maxBytes });
  for await (const chunk of stream) {
    collector.add(Buffer.from(chunk as Buffer));
    if (collector.size === maxBytes) break;
  }
  return collector.bytes;
}

/**
 * The first folder on the way to the path in which every user can replace files: it is writable by all and has no
 * sticky bit (1777 is safe). Each link on the way counts, because its folder can lead elsewhere. Throws the system
 * error of lstat(2) or readlink(2).
 */
export async function openFolderAbove(path: string): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined;
  const names = isAbsolute(path) ? namesIn(path) : namesIn(`${process.cwd()}/${path}`);
  let folder = '/';
  let mode = (await lstat(folder)).mode;
  for (let links = 0, name = names.shift(); name !== undefined; name = names.shift()) {
    if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) return folder;
    const entry = name === '..' ? dirname(folder) : join(folder, name);
    const stats = await lstat(entry);
    if (!stats.isSymbolicLink()) {
      folder = entry;
      mode = stats.mode;
      continue;
    }
    links += 1;
    if (links > mostLinks) throw Object.assign(new Error('Too many symbolic links.'), { code: 'ELOOP' });
    const target = await readlink(entry);
    names.unshift(...namesIn(target));
    if (!isAbsolute(target)) continue;
    folder = '/';
    mode = (await lstat(folder)).mode;
  }
  return undefined;
}

/** Linux follows as many (path_resolution(7)). */
const mostLinks = 40;

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function openWithoutBlocking(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

const writerWithinMs = 3_000;
const pollMs = 10;
const chunkBytes = 65_536;

/** A read without bytes is the end, unless the writer of a pipe has not opened it yet. */
async function readAtMost(handle: FileHandle, maxBytes: number, isPipe: boolean): Promise<Buffer> {
  const collector = new ByteCollector({ maxBytes });
  const writerUntil = performance.now() + writerWithinMs;
  while (collector.size < maxBytes) {
    const buffer = Buffer.alloc(Math.min(chunkBytes, maxBytes - collector.size));
    const bytesRead = await handle.read(buffer).then((read) => read.bytesRead, undefinedForNoData);
    if (bytesRead) {
      collector.add(buffer.subarray(0, bytesRead));
      continue;
    }
    if (bytesRead === 0 && (collector.size > 0 || !isPipe)) break;
    if (bytesRead === 0 && performance.now() > writerUntil) {
      throw Object.assign(new Error('No process writes to the pipe.'), { code: 'ETIMEDOUT' });
    }
    await sleep(pollMs);
  }
  return collector.bytes;
}

/** A writer has the pipe open and has written nothing yet. */
function undefinedForNoData(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'EAGAIN') return undefined;
  throw error;
}
