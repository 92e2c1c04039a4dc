// Files that are read again when they change: what was made of them last stays in use until the new ones are sound.
import { stat } from 'node:fs/promises';
import { readRegularFile, UnsuitableFile } from '../../core/files.ts';

export interface KeptFiles<Content> {
  /** The last that was sound. */
  readonly current: Content;
  /** What `current` was made of, in the order of the paths. */
  readonly texts: readonly string[];
  /** Looks now; a look that is under way is waited for instead. Never rejects. */
  look(): Promise<void>;
  close(): void;
}

export interface KeptFilesOptions<Content> {
  readonly paths: readonly string[];
  /** Of the texts, in the order of the paths. What it throws has a sentence as its message. */
  readonly make: (texts: readonly string[]) => Content;
  /** Taken in place of files that cannot be used at the start. */
  readonly lastSound?: readonly string[] | undefined;
  /** Milliseconds from look to look. */
  readonly everyMs?: number;
  /** After a change; not for the first. */
  readonly onTaken?: (content: Content, before: Content) => void;
  /** Once for each state of the files that cannot be used, and once for each way in which they cannot be read. */
  readonly onRefused?: (sentence: string) => void;
}

const maxFileBytes = 1024 * 1024;

/**
 * Looked at every two seconds, not watched: inotify misses the swap of a link above the file, which is how Kubernetes replaces
 * a mounted secret, and what changes on a network file system. Throws an Error with one sentence when the first read fails and
 * there is nothing to take in its place.
 */
export async function keepFiles<Content>(options: KeptFilesOptions<Content>): Promise<KeptFiles<Content>> {
  const { paths, make, lastSound, everyMs = 2_000, onTaken, onRefused } = options;
  /** Of the files as they were last read, whether or not they could be used. */
  let state: string | undefined;
  let texts: readonly string[];
  let content: Content;
  /** Why they cannot be read, as it was told. */
  let failure: string | undefined;
  try {
    const now = await stateOf(paths);
    texts = await readAll(paths);
    state = now;
    content = make(texts);
  } catch (thrown) {
    if (lastSound === undefined) throw thrown;
    texts = lastSound;
    content = make(lastSound);
    failure = (thrown as Error).message;
    onRefused?.(failure);
  }
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const changed = await readChanged();
    if (changed === undefined) return;
    try {
      const before = content;
      content = make(changed);
      texts = changed;
      onTaken?.(content, before);
    } catch (thrown) {
      onRefused?.((thrown as Error).message);
    }
  }

  /** Undefined when there is nothing new. What cannot be read now is tried again at each look: it may change without the files. */
  async function readChanged(): Promise<readonly string[] | undefined> {
    try {
      const now = await stateOf(paths);
      if (now !== state) {
        const found = await readAll(paths);
        // Written meanwhile: the next look finds it at rest.
        if ((await stateOf(paths)) !== now) return undefined;
        state = now;
        failure = undefined;
        return found;
      }
      failure = undefined;
    } catch (thrown) {
      const { message } = thrown as Error;
      if (message !== failure) onRefused?.(message);
      failure = message;
    }
    return undefined;
  }

  const lookOnce = () => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const timer = setInterval(lookOnce, everyMs).unref();
  return {
    get current() {
      return content;
    },
    get texts() {
      return texts;
    },
    look: lookOnce,
    close: () => clearInterval(timer),
  };
}

/** Of what the names lead to. */
async function stateOf(paths: readonly string[]): Promise<string> {
  const all = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(unreadable(path))));
  return all.map(({ dev, ino, size, mtimeNs, ctimeNs }) => `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`).join('\n');
}

function readAll(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(readOne));
}

async function readOne(path: string): Promise<string> {
  const { bytes, stats } = await readRegularFile(path, maxFileBytes).catch((thrown: unknown) => {
    if (!(thrown instanceof UnsuitableFile)) return unreadable(path)(thrown as NodeJS.ErrnoException);
    if (thrown.code === 'ENOTREG') throw new Error(`${path} is not a regular file.`);
    throw new Error(`${path} has ${thrown.sizeBytes} bytes; ${maxFileBytes} is the most.`);
  });
  if ((stats.mode & 0o002n) !== 0n && process.platform !== 'win32') {
    throw new Error(`${path} can be written by every user of the machine.`);
  }
  return bytes.toString('utf8');
}

function unreadable(path: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw new Error(`${path} cannot be read (${error.code ?? error.name}).`);
  };
}
