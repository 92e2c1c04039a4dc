// Identities in a directory: read through the source that serves calls, replaced atomically, with the previous version
// kept.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CountersignError } from '../../core/errors.ts';
import { FileIsLocked, lockFile } from '../../core/file-lock.ts';
import { directorySource, readIdentityFolder } from '../../core/identity/directory.ts';
import { folderOfStage } from '../../core/identity/folder-stages.ts';
import { identityNamePattern } from '../../core/settings.ts';
import { refusal, unavailable, usageError } from '../exit-code.ts';
import { createAtomically, giveTo, ownerOf } from './atomic-files.ts';
import {
  openAsOwner,
  readersWarning,
  requireNoLinks,
  requireParentDirectory,
  unreadablePath,
} from './directory-permissions.ts';
import {
  directoryVersions,
  discardRenewal,
  documentFiles,
  type RenewalFiles,
  settleRenewal,
} from './directory-versions.ts';
import { createFolder, fingerprintOf, replaceFiles, swapWithPrevious } from './folder-versions.ts';
import {
  type IdentityState,
  type IdentityStore,
  type PendingRequest,
  parsePendingRequest,
  type StageName,
  type StoredDocument,
} from './identity-store.ts';

/** Holds locks, and keys that wait for their certificate. Not a valid name of an identity. */
const ownFolder = '.countersign';

/** Throws an error of the command if the directory is missing. */
export async function openDirectoryStore(path: string): Promise<IdentityStore> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EACCES') throw toStoreError(error, path);
  });
  if (!stats?.isDirectory())
    throw usageError(`There is no directory ${path}. Create it first; it will have one folder for each identity.`);
  await requireParentDirectory(path);
  const owner = stats.uid;
  const folderOf = (name: string) => join(path, name);
  const requestFile = (name: string) => join(path, ownFolder, `${name}.request.json`);

  const asOwner = openAsOwner(path);

  async function toErrors<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (thrown) {
      throw toStoreError(thrown, path, owner);
    }
  }

  function changing<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const places = [ownFolder, name, join(name, '..versions')];
    return toErrors(() => asOwner.changing(places, async () => whileLocked(await openLockFile(path, name), work)));
  }

  async function readRequest(name: string): Promise<(PendingRequest & { readonly text: string }) | undefined> {
    const text = await readFile(requestFile(name), 'utf8').catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      await requireNoLinks(path, [ownFolder]);
      throw toStoreError(error, path, owner);
    });
    return text === undefined ? undefined : { ...parsePendingRequest(text, requestFile(name)), text };
  }

  const renewalFiles = (name: string): RenewalFiles => ({
    folder: folderOf(name),
    requestFile: requestFile(name),
    ownFolder: join(path, ownFolder),
    readRequest: () => readRequest(name),
    reading: asOwner.reading,
    changing: (work) => changing(name, work),
  });

  async function names(): Promise<readonly string[]> {
    const entries = await readdir(path, { withFileTypes: true }).catch((thrown: unknown) => {
      throw toStoreError(thrown, path, owner);
    });
    const folders = entries.filter((entry) => !entry.isFile()).map((entry) => entry.name);
    // Include identities that wait for their first certificate.
    const files = await readdir(join(path, ownFolder)).catch(() => []);
    const waiting = files.flatMap((file) => /^(.+)\.request\.json$/.exec(file)?.[1] ?? []);
    return [...new Set([...folders, ...waiting])].filter((name) => identityNamePattern.test(name)).sort();
  }

  async function stateOf(name: string): Promise<IdentityState | undefined> {
    const holder = await fingerprintOf(folderOf(name)).catch((thrown: unknown) => {
      throw toStoreError(thrown, path, owner);
    });
    if (holder === undefined && (await readRequest(name)) === undefined) return undefined;
    const request = await readRequest(name);
    const hasValue = (await folderOfStage(folderOf(name), 'AWSPENDING')) !== undefined;
    return {
      place: folderOf(name),
      holder,
      hasCurrent: holder !== undefined,
      pending: request?.replaces === undefined ? undefined : { version: request.for, hasValue },
      hasPrevious: (await folderOfStage(folderOf(name), 'AWSPREVIOUS')) !== undefined,
    };
  }

  async function read(name: string, stage: StageName): Promise<StoredDocument | undefined> {
    if (stage === 'AWSCURRENT') return await readCurrent(path, name);
    const folder = await folderOfStage(folderOf(name), stage);
    return folder === undefined ? undefined : await readIdentityFolder(folder);
  }

  return {
    place: `the directory ${path}`,
    names: () => asOwner.reading(names),
    state: (name) => asOwner.reading(() => stateOf(name)),
    read: (name, stage) => asOwner.reading(() => read(name, stage)),
    activate: (name, document, { instead, keepsPrevious = false }) =>
      changing(name, async () => {
        if ((await fingerprintOf(folderOf(name))) !== instead) return 'changed';
        if (instead !== undefined) await replaceFiles(folderOf(name), documentFiles(document), { keepsPrevious });
        else await createFolder(path, name, documentFiles(document));
        return 'activated';
      }),
    rollBack: (name, instead) =>
      changing(name, async () => {
        if ((await fingerprintOf(folderOf(name))) !== instead) return 'changed';
        await swapWithPrevious(folderOf(name));
        return 'done';
      }),
    unreadable: (name) => readersWarning(path, name).catch(() => undefined),
    request: (name) => asOwner.reading(() => readRequest(name)),
    saveRequest: (name, request) =>
      changing(name, async () => {
        const content = JSON.stringify({ ...request, for: randomUUID() });
        const isKept = await createAtomically(requestFile(name), content, await ownerOf(path, 0o600));
        return isKept ? 'kept' : 'exists';
      }),
    deleteRequest: (name, version) =>
      changing(name, async () => {
        if ((await readRequest(name))?.for === version) await rm(requestFile(name), { force: true });
      }),
    renewals: {
      exclusively: async (name, { restarts }, work) => {
        const lock = await toErrors(() =>
          asOwner.changing([ownFolder], async () => takeLock(await openLockFile(path, `${name}.renewal`), 0, renewing)),
        );
        try {
          const found = await asOwner.reading(() => readRequest(name));
          if (found !== undefined && found.replaces === undefined) throw requestByHand(name);
          const files = renewalFiles(name);
          if (restarts) await changing(name, () => discardRenewal(files));
          const underWay = restarts ? undefined : found;
          await changing(name, () => settleRenewal(files, underWay !== undefined));
          const token = underWay?.for ?? randomUUID();
          return await work(directoryVersions(files, token), token);
        } finally {
          lock.release();
        }
      },
    },
  };
}

/** Undefined for a folder without files. A folder can have settings, and no key yet. */
async function readCurrent(parent: string, name: string): Promise<StoredDocument | undefined> {
  try {
    const { version, document } = await directorySource(parent).read(name, 'AWSCURRENT');
    return { version, document };
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === 'identity-not-found') return undefined;
    if (thrown instanceof CountersignError && thrown.code === 'identity-unusable')
      return await readIdentityFolder(join(parent, name), { needsKey: false });
    throw (await closedTo(thrown, parent, name)) ?? thrown;
  }
}

/** Adds the path: errors of core/ name none, because remote callers read them. */
async function closedTo(thrown: unknown, parent: string, name: string): Promise<CountersignError | undefined> {
  if (!(thrown instanceof CountersignError) || thrown.code !== 'identity-unavailable') return undefined;
  const sentence = await unreadablePath(parent, name);
  if (sentence === undefined) return undefined;
  const hint = 'Give that user or one of its groups access, or run the command as a user who can read it.';
  return thrown.with({ detail: sentence, hint });
}

const lockTimeoutMs = 10_000;

const changingNow = 'Another command has been changing the identity for 10 s. Try again when it has ended.';
const renewing = 'Another command is renewing the identity. Try again when it has ended.';

function takeLock(path: string, timeoutMs: number, busySentence: string): { release(): void } {
  try {
    return lockFile(path, timeoutMs);
  } catch (error) {
    throw error instanceof FileIsLocked
      ? unavailable('identity-busy', busySentence)
      : unavailable(
          'store-unwritable',
          `The lock ${path} cannot be taken. Delete the file, or let this user write it.`,
        );
  }
}

/** One command at a time changes an identity. */
async function whileLocked<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  const lock = takeLock(path, lockTimeoutMs, changingNow);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** The lock belongs to the owner of the directory, so that root and the user of the service can both take it. */
async function openLockFile(path: string, name: string): Promise<string> {
  const folder = join(path, ownFolder);
  const lock = join(folder, `${name}.lock`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await giveTo(folder, await ownerOf(path, 0o700));
  const handle = await open(lock, constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW, 0o600);
  try {
    const { ids, mode } = await ownerOf(path, 0o600);
    if (ids) await handle.chown(ids.uid, ids.gid);
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
  return lock;
}

function requestByHand(name: string): Error {
  return refusal(
    'request-waits',
    `A request of "${name}" that was made with identity csr waits for its certificate. Complete it with countersign identity complete.`,
  );
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'this user cannot read or write there',
  EPERM: 'this user cannot write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  ENOTEMPTY: 'the folder of the identity contains other files',
  ENOTDIR: 'a file is in the place of the folder of the identity',
  ELOOP: 'it contains links in places where links are not allowed',
  EFBIG: 'a file of the identity is larger than the limit for identities',
  ENOTREG: 'a file of the identity is not a regular file',
};

/** Explains an error of the file system in one sentence; returns any other error unchanged. */
function toStoreError(thrown: unknown, path: string, owner?: number): unknown {
  const { code, path: place } = thrown as NodeJS.ErrnoException;
  if (!(thrown instanceof Error) || !/^E[A-Z]+$/.test(code ?? '')) return thrown;
  if (code === 'EACCES' && owner !== undefined && owner !== 0 && process.getuid?.() === 0) {
    const sentence = `The directory ${path} belongs to user ${owner}, and root works there as that user, who cannot use ${place ?? 'all of it'}. Repair it with: chown -R --reference='${path}' '${path}'`;
    return unavailable('store-unwritable', sentence);
  }
  return unavailable('store-unwritable', `The directory ${path} cannot be used: ${reasons[code ?? ''] ?? code}.`);
}
