// Reads identities from a directory, one folder each, with Countersign's file names or those of a cert-manager secret.
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CountersignError } from '../errors.ts';
import { openFolderAbove, readRegularFile, UnsuitableFile } from '../files.ts';
import { identityNamePattern } from '../settings.ts';
import { assembleChain } from '../x509/assemble.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { decodeText, pemBlocks } from '../x509/pem.ts';
import { isIssuedBy } from '../x509/trust.ts';
import { maxDocumentBytes } from './document.ts';
import { folderOfStage } from './folder-stages.ts';
import { type IdentitySource, requireIdentityName, type StoredIdentity } from './identity.ts';
import { createKnownFiles } from './known-files.ts';
import { orUnusable, unusable } from './unusable.ts';

const ownFiles = ['private-key.pem', 'certificate.pem', 'intermediates.pem', 'root.pem'] as const;
/** cert-manager, Certificate resources: `tls.crt` is the leaf, then its intermediates. */
const certManagerFiles = ['tls.key', 'tls.crt', 'ca.crt'] as const;
const destinationsFile = 'destinations.json';
const renewalFile = 'renewal.json';
/** Every file that is read from the folder of an identity. */
export const identityFiles = [...ownFiles, ...certManagerFiles, destinationsFile, renewalFile] as const;

interface ReadFile {
  readonly text: string;
  readonly stats: BigIntStats;
}
type Files = ReadonlyMap<string, ReadFile>;

/** Reads of a folder that changes while it is read; a swap of links takes well under a millisecond. */
const maxAttempts = 5;

/**
 * `path` holds one folder for each identity. Files are read each time: changes need no restart. The version is their
 * SHA-256. `now` in milliseconds since 1970.
 */
export function directorySource(path: string, now: () => number = Date.now): IdentitySource {
  const warned = new Set<string>();
  const known = createKnownFiles(now);
  return {
    async read(name, stage): Promise<StoredIdentity> {
      requireIdentityName(name);
      if (stage !== 'AWSCURRENT') {
        const folder = await folderOfStage(join(path, name), stage).catch(unreadable);
        const read = folder === undefined ? undefined : await readIdentityFolder(folder);
        if (read) return { ...read, stage };
        throw new CountersignError(
          'identity-not-found',
          `The directory holds no version of identity "${name}" at stage ${stage}.`,
          { evidence: { reason: 'no-version', stage } },
        );
      }
      const files = await readConsistently(join(path, name));
      if (files.size === 0) {
        known.restart(name);
        throw new CountersignError('identity-not-found', `The directory has no files for identity "${name}".`, {
          evidence: { reason: 'no-files' },
        });
      }
      warnOfReadableKey(name, files, warned);
      const version = digest(files);
      known.require(name, [...files.keys()], version);
      const document = JSON.stringify(orUnusable(() => compose(files)));
      known.keepOnly(name, [...files.keys()]);
      return { version, stage, document };
    },
  };
}

/**
 * The identity in one folder, without the memory of a source; undefined without files. `needsKey` false: a folder may
 * have no key and no certificate yet. Throws as a source does.
 */
export async function readIdentityFolder(
  folder: string,
  { needsKey = true }: { readonly needsKey?: boolean } = {},
): Promise<Pick<StoredIdentity, 'version' | 'document'> | undefined> {
  const files = await readConsistently(folder);
  if (files.size === 0) return undefined;
  const hasKey = [...ownFiles, ...certManagerFiles].some((file) => files.has(file));
  const document = orUnusable(() => (needsKey || hasKey ? compose(files) : composeSettings(files)));
  return { version: digest(files), document: JSON.stringify(document) };
}

/**
 * All files as they were at one moment: Kubernetes swaps the link `..data` under them, other tools write them one by
 * one. After the last read, each name must still lead to the file that was opened, and that file must be unchanged.
 */
async function readConsistently(folder: string): Promise<Files> {
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    try {
      const files = new Map<string, ReadFile>();
      for (const file of identityFiles) {
        const read = await readOne(join(folder, file), file);
        if (read !== undefined) files.set(file, read);
      }
      if (await isUnchanged(folder, files)) return files;
    } catch (thrown) {
      unreadable(thrown);
    }
  }
  throw new CountersignError('identity-unavailable', 'The files of the identity change faster than they can be read.', {
    evidence: { reason: 'files-changing' },
  });
}

function unreadable(thrown: unknown): never {
  if (thrown instanceof CountersignError) throw thrown;
  throw new CountersignError('identity-unavailable', 'The files of the identity cannot be read.', {
    evidence: { reason: (thrown as NodeJS.ErrnoException).code ?? 'Error' },
    hint: 'The platform must let the function read the folder of the identity and every file in it.',
  });
}

/** Undefined if there is no such file. */
async function readOne(path: string, file: string): Promise<ReadFile | undefined> {
  try {
    const { bytes, stats } = await readRegularFile(path, maxDocumentBytes);
    if ((stats.mode & 0o002n) !== 0n && process.platform !== 'win32') {
      throw unusable('world-writable', file, `${file} can be written by every user of the machine.`);
    }
    const folder = await openFolderAbove(path);
    if (folder !== undefined) {
      const sentence = `${file} is in a folder in which every user of the machine can replace files: ${folder}.`;
      throw unusable('world-writable', file, sentence);
    }
    return { text: decodeText(bytes), stats };
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (!(thrown instanceof UnsuitableFile)) throw thrown;
    if (thrown.code === 'ENOTREG') throw unusable('document-malformed', file, `${file} is not a regular file.`);
    throw unusable(
      'document-too-large',
      file,
      `${file} has ${thrown.sizeBytes} bytes; ${maxDocumentBytes} is the most.`,
    );
  }
}

async function isUnchanged(folder: string, files: Files): Promise<boolean> {
  for (const file of identityFiles) {
    const before = files.get(file)?.stats;
    const after = await stat(join(folder, file), { bigint: true }).catch(() => undefined);
    if (before === undefined && after === undefined) continue;
    if (before?.ino !== after?.ino || before?.dev !== after?.dev) return false;
    if (before?.mtimeNs !== after?.mtimeNs || before?.size !== after?.size) return false;
  }
  return true;
}

/** The identity document of the files. An optional file that is missing is left out. */
function compose(files: Files): Record<string, unknown> {
  // `root.pem` alone is the root beside the files of cert-manager.
  const has = (names: readonly string[]) => names.some((file) => files.has(file));
  const isOwn = has(ownFiles.filter((file) => file !== 'root.pem')) || !has(certManagerFiles);
  return { ...(isOwn ? composeOwn(files) : composeCertManager(files)), ...composeSettings(files) };
}

/** The members `destinations` and `renewal`. */
function composeSettings(files: Files): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  const destinations = files.get(destinationsFile)?.text;
  if (destinations !== undefined) {
    settings.destinations = orUndefined(() => parseJson(destinations));
    if (settings.destinations === undefined)
      throw unusable('destinations-malformed', destinationsFile, `${destinationsFile} is not JSON.`);
  }
  // A malformed renewal fails the renewal, never a call.
  const renewal = files.get(renewalFile)?.text;
  if (renewal !== undefined) settings.renewal = orUndefined(() => parseJson(renewal)) ?? renewal;
  return settings;
}

function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}

function composeOwn(files: Files) {
  return {
    privateKey: textOf(files, 'private-key.pem'),
    certificate: textOf(files, 'certificate.pem'),
    intermediateCertificates: files.get('intermediates.pem')?.text ?? '',
    rootCertificate: textOf(files, 'root.pem'),
  };
}

/**
 * cert-manager leaves `ca.crt` out, or puts an intermediate there, for issuers whose root it does not know (ACME,
 * Vault, a CA issuer below another). Then the root is in `root.pem`, in a bundle in `ca.crt`, or at the end of
 * `tls.crt`.
 */
function composeCertManager(files: Files) {
  const privateKey = textOf(files, 'tls.key');
  const [leaf, ...issuers] = pemBlocks(textOf(files, 'tls.crt'), 'tls.crt').map(({ text }) => text);
  const authorities = ['ca.crt', 'root.pem'].flatMap((file) => pemBlocks(files.get(file)?.text ?? '', file));
  const certificate = leaf ?? '';
  const [authority, ...others] = authorities.map(({ text }) => text);
  if (authority !== undefined && others.length === 0 && isRoot(authority) && !issuers.includes(authority)) {
    return { privateKey, certificate, intermediateCertificates: issuers.join(''), rootCertificate: authority };
  }
  const key = parseCertificate(certificate)?.publicKey;
  const all = [certificate, ...issuers, ...authorities.map(({ text }) => text)];
  const chain = key && orUndefined(() => assembleChain(all, key, { preferredRoot: files.get('root.pem')?.text }));
  if (chain && 'certificate' in chain) {
    const { intermediateCertificates, rootCertificate } = chain;
    return { privateKey, certificate, intermediateCertificates, rootCertificate };
  }
  const remedy = 'mount the root certificate beside it as root.pem';
  if (authority === undefined) {
    throw unusable('document-malformed', 'ca.crt', `ca.crt is missing from the folder of the identity: ${remedy}.`);
  }
  if (!authorities.some(({ text }) => isRoot(text))) {
    throw unusable(
      'root-not-self-signed',
      'ca.crt',
      `ca.crt is an intermediate certificate and not a root: ${remedy}.`,
    );
  }
  return { privateKey, certificate, intermediateCertificates: issuers.join(''), rootCertificate: authority };
}

/** Throws `document-malformed` if the file is missing. */
function textOf(files: Files, file: string): string {
  const found = files.get(file);
  if (found) return found.text;
  throw unusable('document-malformed', file, `${file} is missing from the folder of the identity.`);
}

function isRoot(pem: string): boolean {
  const certificate = parseCertificate(pem);
  return certificate !== undefined && isIssuedBy(certificate, certificate);
}

/** Undefined if it throws: what cannot be read has its error elsewhere. */
function orUndefined<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function digest(files: Files): string {
  const hash = createHash('sha256');
  for (const [file, { text }] of files) hash.update(`${file} ${Buffer.byteLength(text)}\n${text}`);
  return hash.digest('hex');
}

/** A warning, not an error: Kubernetes mounts secrets with mode 0644 by default (docs/decisions/0023). */
function warnOfReadableKey(name: string, files: Files, warned: Set<string>): void {
  const key = files.get('private-key.pem') ?? files.get('tls.key');
  if (key === undefined || (key.stats.mode & 0o004n) === 0n || process.platform === 'win32' || warned.has(name)) return;
  warned.add(name);
  process.emitWarning(`Every user of the machine can read the private key of identity "${name}".`, {
    code: 'COUNTERSIGN_KEY_READABLE',
    detail: 'Give the file mode 0600, or the volume a defaultMode of 0400.',
  });
}

/** Sorted names; entries such as the `..data` of Kubernetes are left out. Rejects if the folder cannot be read. */
export async function listIdentities(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => identityNamePattern.test(name)).sort();
}
