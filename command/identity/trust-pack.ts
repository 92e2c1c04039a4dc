// `identity trust-pack`: the folder a customer gets to let the identity in.
import { chmod, mkdir, mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import type { CommandContext } from '../context.ts';
import { refusal, unavailable, usageError } from '../exit-code.ts';
import type { StoreOptions } from '../store/chosen-store.ts';
import type { IdentityState, IdentityStore, StageName } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import { harmless } from '../terminal-text.ts';
import { certificateFiles } from '../trust-pack/certificates.ts';
import { type CustomerServer, configurationFiles } from '../trust-pack/configurations.ts';
import { readMe } from '../trust-pack/read-me.ts';
import { requireIdentity } from './change.ts';
import { certificatesOf, describeIdentity, membersOrNone } from './described.ts';
import { placeFrom } from './destination-words.ts';

export interface TrustPackOptions extends StoreOptions {
  readonly out: string;
  readonly host?: string;
  readonly files: string;
  readonly behind: string;
}

export async function makeTrustPack(name: string, options: TrustPackOptions, context: CommandContext): Promise<void> {
  const out = resolve(options.out);
  await requireRoom(out);
  const store = await openStore(options, context);
  const { interrupted } = context;
  const state = await requireIdentity(name, store);
  const { described, chain, members } = await partsOf(name, 'AWSCURRENT', store, context);
  if (chain.length < 2) throw refusal('identity-unusable', `The certificates of "${name}" cannot be read.`);
  if (!described.isUsable)
    context.output.warn(`The identity cannot be used as it is: ${described.problem?.detail ?? ''}`);
  const next = await nextOf(name, state, store, context);
  const server = serverFrom(options, members);

  const certificates = certificateFiles(chain);
  const nextFiles = next === undefined ? [] : certificateFiles(next.chain);
  const [page, ...configurations] = [...(await configurationFiles(server))].reverse() as [
    readonly [string, string],
    ...(readonly [string, string])[],
  ];
  const files: (readonly [string, string | Buffer])[] = [
    ...certificates,
    ...nextFiles.map(([file, content]) => [`next/${file}`, content] as const),
    ...configurations.map(([file, content]) => [`servers/${file}`, content] as const),
    page,
  ];
  const text = readMe({
    identity: name,
    certificates: described.certificates,
    next: next?.described.certificates ?? [],
    ...server,
    madeAt: new Date(context.now()).toISOString(),
    files: files.map(([file]) => file),
  });
  const written: (readonly [string, string | Buffer])[] = [['README.md', text], ...files];
  await writeWhole(out, written, interrupted);
  const { paint } = context.output;
  context.output.answer(
    {
      identity: name,
      outcome: 'written',
      out,
      files: written.map(([file]) => file).sort(),
      certificates: described.certificates,
      next: next?.described.certificates ?? null,
    },
    () => [
      ...described.certificates.map(
        ({ role, subject, validTo, fingerprint256 }) =>
          `  ${role.padEnd(12)}  ${harmless(subject)}, to ${validTo.slice(0, 10)}\n                SHA-256 ${fingerprint256}`,
      ),
      ...(next === undefined ? [] : ['  The next certificate is in next/.']),
      `${paint('green', '✓')} ${written.length} files in ${out}, for https://${server.host}:${server.port}: README.md says what to do with them.`,
    ],
  );
}

async function partsOf(name: string, stage: StageName, store: IdentityStore, context: CommandContext) {
  const stored = await store.read(name, stage);
  if (stored === undefined) throw refusal('no-version', `"${name}" has nothing at ${stage}.`);
  const members = membersOrNone(stored.document);
  return { described: describeIdentity(name, stage, stored, context.now()), chain: certificatesOf(members), members };
}

async function nextOf(name: string, { pending }: IdentityState, store: IdentityStore, context: CommandContext) {
  if (!pending?.hasValue) return undefined;
  const parts = await partsOf(name, 'AWSPENDING', store, context);
  return parts.chain.length < 2 ? undefined : parts;
}

/** The customer's server: named, or the first destination that is one host. */
function serverFrom(
  { host, files, behind }: TrustPackOptions,
  members: Readonly<Record<string, unknown>>,
): CustomerServer {
  if (!/^\/[\w./-]*$/.test(files))
    throw usageError('--files must be the absolute path of a folder, of letters, digits and ./_-.');
  const [, behindHost = '', behindPort = ''] = /^([\w.-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(behind) ?? [];
  if (behindHost === '') throw usageError('--behind must be host:port.');
  const place = host === undefined ? firstExact(members.destinations) : placeFrom(host);
  if (place === undefined) {
    throw usageError(
      'The identity lists no single host: say with --host for which server the configurations are to be.',
    );
  }
  // It goes into files of configuration: only what a name or an address is made of.
  if (!/^[a-z0-9._-]{1,253}$/.test(domainToASCII(place.host) || place.host))
    throw usageError('--host must be the name of one host.');
  return {
    host: place.host,
    port: place.port,
    folder: files.replace(/\/+$/, ''),
    behind: { host: behindHost, port: Number(behindPort) },
  };
}

function firstExact(destinations: unknown) {
  const places = (Array.isArray(destinations) ? destinations : []).map((one: { host?: unknown; port?: unknown }) => ({
    host: String(one?.host ?? '*').toLowerCase(),
    port: Number(one?.port ?? 443),
  }));
  return places.find(({ host }) => !host.includes('*'));
}

async function requireRoom(out: string): Promise<void> {
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw usageError(`${out} is not a folder that can be written.`);
  });
  if (entries.length > 0)
    throw refusal('folder-not-empty', `${out} is not empty: name a folder that does not exist yet.`);
}

/** Beside its place first, then renamed: the folder is there with all its files, or not at all. */
async function writeWhole(
  out: string,
  files: readonly (readonly [string, string | Buffer])[],
  signal: AbortSignal,
): Promise<void> {
  let temporary: string | undefined;
  try {
    await mkdir(dirname(out), { recursive: true });
    temporary = await mkdtemp(join(dirname(out), `.${basename(out)}.`));
    for (const [file, content] of files) {
      signal.throwIfAborted();
      await mkdir(dirname(join(temporary, file)), { recursive: true });
      await writeFile(join(temporary, file), content, { flag: 'wx' });
    }
    // mkdtemp keeps it to its owner; it is for others, and holds no secret.
    await chmod(temporary, 0o755);
    await rmdir(out).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(temporary, out);
  } catch (thrown) {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    const { code } = thrown as NodeJS.ErrnoException;
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
      throw unavailable('folder-unwritable', `${out} cannot be written (${code}).`);
    throw thrown;
  }
}
