// Remembers which files an identity had, so that one that is away for a moment is not taken for one that was left out.
import { CountersignError } from '../errors.ts';

/** How long a folder must look the same before a file that was in it is believed to be gone. */
const settledMs = 5_000;

interface Known {
  files: readonly string[];
  /** What the folder looks like without a file that was there, and since when (milliseconds since 1970). */
  lessened: { readonly version: string; readonly since: number } | undefined;
}

export interface KnownFiles {
  /**
   * Throws `identity-unavailable` while a file that was there is missing, until a read at least 5 s after the first finds the same.
   * A rename and a new file, or a removal and a write, are two moments: what is read between them is sound by itself, and
   * without its destinations.json the identity may go to any public host.
   */
  require(name: string, files: readonly string[], version: string): void;
  /** These make up an identity, so whatever else was there is meant to be gone. */
  keepOnly(name: string, files: readonly string[]): void;
  /** The folder is gone or empty: how long it looked like something else counts no more. */
  begin(name: string): void;
}

/** `now` in milliseconds since 1970. */
export function createKnownFiles(now: () => number): KnownFiles {
  const known = new Map<string, Known>();
  return {
    require(name, files, version) {
      const before = known.get(name);
      const gone = before?.files.find((file) => !files.includes(file));
      if (before === undefined || gone === undefined) {
        // Also when what is in them turns out to be unusable: they were there.
        known.set(name, { files, lessened: undefined });
        return;
      }
      if (before.lessened?.version !== version) before.lessened = { version, since: now() };
      if (now() - before.lessened.since >= settledMs) return;
      throw new CountersignError('identity-unavailable', `${gone} was in the folder of the identity, and is missing.`, {
        evidence: { reason: 'file-gone', where: gone },
        hint: `The platform must put ${gone} back; if it is meant to be gone, the folder is taken as it is within seconds.`,
      });
    },
    keepOnly(name, files) {
      known.set(name, { files, lessened: undefined });
    },
    begin(name) {
      const before = known.get(name);
      if (before) before.lessened = undefined;
    },
  };
}
