// Files that a person names, and standard input where the name is `-`: bounded, and told in a sentence when they cannot be read.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ByteCollector } from '../../core/byte-collector.ts';
import { usageError } from '../exit-code.ts';
import type { InputFile } from '../import/contents.ts';
import { most } from '../import/limits.ts';

/** What is larger than an import may read is cut behind that, so that the import can say so. */
const mostBytes = most.fileBytes + 1;

/** Once for a command: who asks a second time gets nothing. */
let isStandardInputTaken = false;

/** Throws a usage error. */
export async function readInput(path: string): Promise<Buffer> {
  if (path === '-') return await readStandardInput();
  try {
    // Not blocking: a named pipe without a writer would hold the command for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (stats.isDirectory()) throw usageError(`${path} is a folder: name the files in it.`);
      if (stats.isFIFO()) return await readPipe(handle, path);
      return await bounded(handle.createReadStream({ autoClose: false }));
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw usageError(`There is no file ${path}.`);
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
      throw usageError(`The file ${path} cannot be read (${code}).`);
    throw thrown;
  }
}

export async function readInputFiles(paths: readonly string[]): Promise<readonly InputFile[]> {
  const files: InputFile[] = [];
  const names = paths.map((path) => basename(path));
  for (const [index, path] of paths.entries()) {
    const name =
      path === '-'
        ? 'standard input'
        : names.indexOf(names[index] ?? '') === names.lastIndexOf(names[index] ?? '')
          ? (names[index] ?? path)
          : path;
    files.push({ name, bytes: await readInput(path) });
  }
  return files;
}

/** A writer may come a moment later, and may have nothing yet: `<(…)` of a shell begins with the command. */
const writerWithinMs = 3_000;
const askedAgainMs = 10;

async function readPipe(handle: FileHandle, path: string): Promise<Buffer> {
  const collector = new ByteCollector({ maxBytes: mostBytes });
  const buffer = Buffer.alloc(65_536);
  const until = performance.now() + writerWithinMs;
  while (collector.size < mostBytes) {
    const bytesRead = await handle.read(buffer).then(
      (read) => read.bytesRead,
      ({ code }: NodeJS.ErrnoException) => {
        if (code === 'EAGAIN') return undefined;
        throw usageError(`The pipe ${path} cannot be read (${code}).`);
      },
    );
    if (bytesRead === 0 && collector.size > 0) break;
    if (bytesRead === 0 && performance.now() > until) throw usageError(`Nobody writes into the pipe ${path}.`);
    // Copied: the buffer is read into again.
    if (bytesRead) collector.add(Buffer.from(buffer.subarray(0, bytesRead)));
    else await wait(askedAgainMs);
  }
  return collector.bytes;
}

/** JSON in a file. Throws a usage error that quotes nothing of it. */
export async function readJson(path: string, option: string): Promise<unknown> {
  const bytes = await readInput(path);
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    throw usageError(`${option}: ${path === '-' ? 'standard input' : path} is not JSON.`);
  }
}

async function readStandardInput(): Promise<Buffer> {
  if (isStandardInputTaken) throw usageError('Standard input (-) can be read only once.');
  isStandardInputTaken = true;
  return await bounded(process.stdin);
}

async function bounded(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const collector = new ByteCollector({ maxBytes: mostBytes });
  for await (const chunk of stream) {
    collector.add(chunk);
    if (collector.size === mostBytes) break;
  }
  return collector.bytes;
}
