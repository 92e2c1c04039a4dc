// Which files an identity in a directory is made of: files are replaced one after the other, so a missing one is waited
// for.
import { CountersignError } from '../errors.ts';

/** A missing file counts as removed once the folder has looked the same for this long. */
const settledMs = 5_000;

interface Known {
  files: readonly string[];
  /** The version of the folder without a file that was there, and since when (milliseconds since 1970). */
  missing: { readonly version: string; readonly since: number } | undefined;
}

interface KnownFiles {
  /**
   * Throws `identity-unavailable` while a file that was there is missing, until a read at least 5 s after the first one
   * finds the same version. Files are replaced one after the other, and what is between two steps looks complete:
   * without its destinations.json the identity may be used for any public host.
   */
  require(name: string, files: readonly string[], version: string): void;
  /** The identity is made of these files; all others are removed on purpose. */
  keepOnly(name: string, files: readonly string[]): void;
  /** The folder is missing or empty: the waiting time starts again. */
  restart(name: string): void;
}

export function createKnownFiles(now: () => number): KnownFiles {
  const known = new Map<string, Known>();
  return {
    require(name, files, version) {
      const before = known.get(name);
      const gone = before?.files.find((file) => !files.includes(file));
      if (before === undefined || gone === undefined) {
        // Their content may turn out to be unusable; the files are there.
        known.set(name, { files, missing: undefined });
        return;
      }
      if (before.missing?.version !== version) before.missing = { version, since: now() };
      if (now() - before.missing.since >= settledMs) return;
      throw new CountersignError('identity-unavailable', `${gone} was in the folder of the identity, and is missing.`, {
        evidence: { reason: 'file-gone', where: gone },
        hint: `The platform must put ${gone} back; if it is meant to be gone, the folder is taken as it is within seconds.`,
      });
    },
    keepOnly(name, files) {
      known.set(name, { files, missing: undefined });
    },
    restart(name) {
      const before = known.get(name);
      if (before) before.missing = undefined;
    },
  };
}
