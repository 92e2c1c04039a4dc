// Reloads files when they change, and keeps the last good content in use until the new files can be used.
import { stat } from 'node:fs/promises';
import { openFolderAbove, readRegularFile, UnsuitableFile } from '../../core/files.ts';
import { decodeText } from '../../core/x509/pem.ts';

export interface FileReloader<Content> {
  /** Parsed from `texts`. */
  readonly current: Content;
  /** The last good texts, in the order of the paths. */
  readonly texts: readonly string[];
  /** Checks the files now, or waits for a check that is running. Never rejects. */
  reload(): Promise<void>;
  close(): void;
}

export interface FileReloaderOptions<Content> {
  readonly paths: readonly string[];
  /** Called with the texts in the order of the paths. Throws an Error whose message is one sentence. */
  readonly parse: (texts: readonly string[]) => Content;
  /** Used when the files cannot be used at the start. */
  readonly lastGood?: readonly string[] | undefined;
  readonly read?: typeof readRegularFile;
  /** Milliseconds between two checks. */
  readonly intervalMs?: number;
  /** Called after a change, not after the first load. */
  readonly onReloaded?: (content: Content, before: Content) => void;
  /** Called once for each change that cannot be used, and once for each different read error. */
  readonly onRejected?: (sentence: string) => void;
}

const maxFileBytes = 1024 * 1024;

/**
 * Polls the files instead of watching them: inotify misses changes on network file systems, and misses the swap of a
 * link above the file, which is how Kubernetes replaces a mounted secret. Throws an Error with one sentence if the
 * first load fails and there is no `lastGood`.
 */
export async function createFileReloader<Content>(
  options: FileReloaderOptions<Content>,
): Promise<FileReloader<Content>> {
  const { paths, parse, read = readRegularFile, lastGood, intervalMs = 2_000, onReloaded, onRejected } = options;
  /** Of the files as they were last read, usable or not. */
  let fingerprint: string | undefined;
  let texts: readonly string[];
  let content: Content;
  let reportedReadError: string | undefined;
  try {
    const before = await fingerprintOf(paths);
    texts = await readAll(paths, read);
    fingerprint = before;
    content = parse(texts);
  } catch (thrown) {
    if (lastGood === undefined) throw thrown;
    texts = lastGood;
    content = parse(lastGood);
    reportedReadError = (thrown as Error).message;
    onRejected?.(reportedReadError);
  }
  let running: Promise<void> | undefined;

  async function reload(): Promise<void> {
    const changed = await readChanged();
    if (changed === undefined) return;
    try {
      const before = content;
      content = parse(changed);
      texts = changed;
      onReloaded?.(content, before);
    } catch (thrown) {
      onRejected?.((thrown as Error).message);
    }
  }

  /** Undefined if nothing changed. A read error is retried at each check: permissions can change without the files. */
  async function readChanged(): Promise<readonly string[] | undefined> {
    try {
      const before = await fingerprintOf(paths);
      if (before === fingerprint) {
        reportedReadError = undefined;
        return undefined;
      }
      const changed = await readAll(paths, read);
      // Written while they were read: the next check reads them again.
      if ((await fingerprintOf(paths)) !== before) return undefined;
      fingerprint = before;
      reportedReadError = undefined;
      return changed;
    } catch (thrown) {
      const { message } = thrown as Error;
      if (message !== reportedReadError) onRejected?.(message);
      reportedReadError = message;
      return undefined;
    }
  }

  const reloadOnce = () => {
    running ??= reload().finally(() => {
      running = undefined;
    });
    return running;
  };
  const timer = setInterval(reloadOnce, intervalMs).unref();
  return {
    get current() {
      return content;
    },
    get texts() {
      return texts;
    },
    reload: reloadOnce,
    close: () => clearInterval(timer),
  };
}

/** Changes with the files that the paths lead to, through links. */
async function fingerprintOf(paths: readonly string[]): Promise<string> {
  const all = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(throwUnreadable(path))));
  return all.map(({ dev, ino, size, mtimeNs, ctimeNs }) => `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`).join('\n');
}

function readAll(paths: readonly string[], read: typeof readRegularFile): Promise<string[]> {
  return Promise.all(paths.map((path) => readOne(path, read)));
}

async function readOne(path: string, read: typeof readRegularFile): Promise<string> {
  const { bytes, stats } = await read(path, maxFileBytes).catch((thrown: unknown) => {
    if (!(thrown instanceof UnsuitableFile)) return throwUnreadable(path)(thrown as NodeJS.ErrnoException);
    if (thrown.code === 'ENOTREG') throw new Error(`${path} is not a regular file.`);
    throw new Error(`${path} has ${thrown.sizeBytes} bytes; ${maxFileBytes} is the limit.`);
  });
  if ((stats.mode & 0o002n) !== 0n && process.platform !== 'win32') {
    throw new Error(`${path} can be written by every user of the machine.`);
  }
  const folder = await openFolderAbove(path).catch(throwUnreadable(path));
  if (folder !== undefined) {
    throw new Error(`${path} is in a folder in which every user of the machine can replace files: ${folder}.`);
  }
  return decodeText(bytes);
}

function throwUnreadable(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw new Error(`${path} cannot be read (${error.code ?? error.name}).`);
  };
}
