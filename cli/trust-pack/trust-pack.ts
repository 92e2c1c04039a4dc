// `identity trust-pack`: writes the folder that a customer needs to accept the identity.

import type { X509Certificate } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { writePkcs7 } from '../../core/x509/pem.ts';
import type { CommandContext } from '../context.ts';
import { refusal, unavailable, usageError } from '../exit-code.ts';
import { requireIdentity } from '../identity/change.ts';
import { type Place, parsePlace } from '../identity/destination-options.ts';
import { certificatesOf, identityView, parseMembers } from '../identity/identity-view.ts';
import type { IdentityState, IdentityStore, StageName } from '../store/identity-store.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store-options.ts';
import { type CustomerServer, configurationFiles, subjectForms } from './configurations.ts';
import { readMe } from './read-me.ts';

export interface TrustPackOptions extends StoreOptions {
  readonly out: string;
  readonly host?: string;
  readonly files: string;
  readonly behind: string;
}

export async function makeTrustPack(name: string, options: TrustPackOptions, context: CommandContext): Promise<void> {
  const out = resolve(options.out);
  await requireEmptyFolder(out);
  const store = await openStore(options, context);
  const { interrupted } = context;
  const state = await requireIdentity(name, store);
  const { view, chain, members } = await readForPack(name, 'AWSCURRENT', store, context);
  const { isUsable, problem } = view;
  // A renewal fixes expired dates. Any other fault means that the platform cannot present what the customer would
  // trust.
  if (chain === undefined || !(isUsable || fixedByRenewal.has(problem?.reason ?? '')))
    throw refusal(
      'identity-unusable',
      `"${name}" cannot be used, so no customer can be asked to trust it: ${problem?.detail ?? ''}`,
    );
  if (!isUsable) context.output.warn(`The identity cannot be used now: ${problem?.detail ?? ''}`);
  const next = await nextOf(name, state, store, context);
  const server = { ...customerServer(options, members), subject: subjectForms(chain.client) };

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
    certificates: view.certificates,
    next: next?.view.certificates ?? [],
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
      certificates: view.certificates,
      next: next?.view.certificates ?? null,
    },
    () => [
      ...view.certificates.map(
        ({ role, subject, validTo, fingerprint256 }) =>
          `  ${role.padEnd(12)}  ${escapeForTerminal(subject)}, to ${validTo.slice(0, 10)}\n                SHA-256 ${fingerprint256}`,
      ),
      ...(next === undefined ? [] : ['  The next certificate is in next/.']),
      `${paint('green', '✓')} ${written.length} files in ${out}, for https://${server.host}:${server.port}: README.md has the steps.`,
    ],
  );
}

const fixedByRenewal = new Set(['expired', 'not-yet-valid']);

async function readForPack(name: string, stage: StageName, store: IdentityStore, context: CommandContext) {
  const stored = await store.read(name, stage);
  if (stored === undefined) throw refusal('no-version', `"${name}" has nothing at ${stage}.`);
  const members = parseMembers(stored.document);
  return { view: identityView(name, stage, stored, context.now()), chain: chainOf(members), members };
}

/** Undefined if the client certificate or the root cannot be read. */
function chainOf(members: Readonly<Record<string, unknown>>): Chain | undefined {
  const found = certificatesOf(members);
  const those = (wanted: string) => found.filter(({ role }) => role === wanted).map(({ certificate }) => certificate);
  const [[client], intermediates, [root]] = [those('client'), those('intermediate'), those('root')];
  return client && root && { client, intermediates, root };
}

async function nextOf(name: string, { pending }: IdentityState, store: IdentityStore, context: CommandContext) {
  if (!pending?.hasValue) return undefined;
  const { view, chain } = await readForPack(name, 'AWSPENDING', store, context);
  if (chain !== undefined && view.isUsable) return { view, chain };
  context.output.warn('The next version cannot be used and is left out.');
  return undefined;
}

/** The server of --host, or of the first destination that is a single host. */
function customerServer(
  { host, files, behind }: TrustPackOptions,
  members: Readonly<Record<string, unknown>>,
): Omit<CustomerServer, 'subject'> {
  if (!/^\/[\w./-]*$/.test(files))
    throw usageError('--files must be the absolute path of a folder and contain only letters, digits and ./_-.');
  const [, behindHost = '', behindPort = ''] = /^([a-z0-9][\w.-]*|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(behind) ?? [];
  if (behindHost === '' || !isPort(Number(behindPort))) throw usageError('--behind must be host:port.');
  const place = host === undefined ? firstNamed(members.destinations) : named(parsePlace(host));
  if (place === undefined) {
    throw usageError(
      host === undefined
        ? 'The identity lists no single host. Name the server of the configurations with --host.'
        : '--host must be the name or the IPv4 address of one host, with or without a port.',
    );
  }
  return {
    ...place,
    folder: files.replace(/\/+$/, ''),
    behind: { host: behindHost, port: Number(behindPort) },
  };
}

function firstNamed(destinations: unknown): Place | undefined {
  for (const one of Array.isArray(destinations) ? (destinations as unknown[]) : []) {
    const { host, port = 443 } = (one ?? {}) as { host?: unknown; port?: unknown };
    const place = typeof host === 'string' ? named({ host, port: Number(port) }) : undefined;
    if (place !== undefined) return place;
  }
  return undefined;
}

/**
 * Accepts only characters of names and addresses, and no leading hyphen: the host goes into configurations and command
 * lines.
 */
function named({ host, port }: Place): Place | undefined {
  const ascii = domainToASCII(host);
  return /^[a-z0-9][a-z0-9._-]{0,252}$/.test(ascii) && isPort(port) ? { host: ascii, port } : undefined;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

async function requireEmptyFolder(out: string): Promise<void> {
  const entries = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw usageError(`${out} is not a writable folder.`);
  });
  if (entries.length > 0)
    throw refusal('folder-not-empty', `${out} is not empty. Name a folder that does not exist yet.`);
}

/** Writes the folder atomically: to a temporary folder beside it, then by a rename. */
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
      const path = join(temporary, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content, { flag: 'wx' });
      // The files are for others and hold no secret, so the umask does not apply.
      await chmod(path, file.endsWith('.sh') ? 0o755 : 0o644);
      await chmod(dirname(path), 0o755);
    }
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

/** By role, so that an intermediate is never taken for the root. */
export interface Chain {
  readonly client: X509Certificate;
  /** In issuer order; can be empty. */
  readonly intermediates: readonly X509Certificate[];
  readonly root: X509Certificate;
}

/** Name and content of each file. */
export function certificateFiles({
  client,
  intermediates,
  root,
}: Chain): readonly (readonly [string, string | Buffer])[] {
  const chain = [client, ...intermediates, root];
  return [
    ['platform-root.pem', root.toString()],
    ['platform-root.cer', Buffer.from(root.raw)],
    ...(intermediates.length > 0 ? ([['platform-intermediates.pem', intermediates.join('')]] as const) : []),
    ...intermediates.map((one, index) => [`platform-intermediate-${index + 1}.cer`, Buffer.from(one.raw)] as const),
    ['client.pem', client.toString()],
    ['client.cer', Buffer.from(client.raw)],
    ['chain.pem', chain.join('')],
    ['chain.p7b', writePkcs7(chain.map(({ raw }) => Buffer.from(raw)))],
  ];
}
