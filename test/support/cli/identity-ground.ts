// For the tests of `countersign identity`: authorities, a directory, keys that must never be printed, and the command
// as a process.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { CertificateRequest, IssuedCertificate } from '../../../local/authority/authority.ts';
import { type Folder, privateFolder } from '../program.ts';
import { createAuthorities } from '../stage.ts';
import { mainFile, type Ran, type RunOptions, root, runCommand } from './run-command.ts';

export const day = 86_400_000;
export const authorities = createAuthorities();
/** A sentinel: no output may hold it. */
export const passphrase = 'Correct-Horse-7301';

const secrets = new Set<string>([passphrase]);

/** Every line of a key's text but the last, which may be short enough to stand anywhere. */
export function neverPrint(privateKey: string): void {
  const lines = privateKey.split('\n').filter((line) => line.length > 30 && !line.startsWith('-'));
  for (const line of lines) secrets.add(line);
}

/** Asserted of all that any command in these tests prints. */
export function expectNothingSecret(text: string): void {
  expect(text).not.toContain('PRIVATE KEY');
  for (const secret of secrets) expect(text.includes(secret), 'the output holds a secret').toBe(false);
}

export function issue(
  commonName = 'bot',
  more: Partial<CertificateRequest> = {},
  authority = authorities.platformIssuer,
): IssuedCertificate {
  const issued = authority.issue({ commonName, usage: 'client', ...more });
  neverPrint(issued.privateKey);
  return issued;
}

/** Of the chain below `commonName`; the dates lie in the past. */
export function expired(commonName = 'bot'): IssuedCertificate {
  const [notBefore, notAfter] = [new Date(Date.now() - 90 * day), new Date(Date.now() - day)];
  return issue(commonName, { notBefore, notAfter });
}

export interface Ground {
  readonly folder: Folder;
  /** Of identities. */
  readonly directory: string;
  /** `directory:` and its path. */
  readonly source: string;
  /** Writes the key and the chain of an identity as one PEM file; returns its path. */
  pem(name: string, issued: IssuedCertificate): string;
  /** `countersign identity …` on the directory, unless the arguments name another source. */
  identity(args: readonly string[], options?: IdentityOptions): Promise<Ran>;
  /** As `identity`, with --json: what was printed, parsed. */
  json(args: readonly string[], options?: IdentityOptions): Promise<Answered>;
  /** An identity's folder, its files by hand. */
  put(name: string, issued: IssuedCertificate, destinations?: readonly object[]): void;
}

interface IdentityOptions extends RunOptions {
  /** Connects to added destinations. The others of these tests have names without servers. */
  readonly reaches?: true;
}

interface Answered extends Ran {
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts on the members it is about
  readonly answer: any;
}

/** Gone with the test. */
export function ground(): Ground {
  const folder = privateFolder();
  const directory = join(folder.path, 'identities');
  mkdirSync(directory, { mode: 0o700 });
  const source = `directory:${directory}`;
  const identity: Ground['identity'] = (args, options) =>
    runIdentity(args.includes('--source') || args.includes('--help') ? args : [...args, '--source', source], options);
  return {
    folder,
    directory,
    source,
    identity,
    pem: (name, { privateKey, certificate, intermediates, root: top }) =>
      folder.write(name, privateKey + certificate + intermediates + top),
    async json(args, options) {
      const ran = await identity([...args, '--json'], options);
      return { ...ran, answer: ran.out === '' ? undefined : JSON.parse(ran.out) };
    },
    put: (name, issued, destinations) => writeIdentity(directory, name, issued, destinations),
  };
}

function writeIdentity(
  directory: string,
  name: string,
  issued: IssuedCertificate,
  destinations?: readonly object[],
): void {
  const place = join(directory, name);
  mkdirSync(place, { mode: 0o700 });
  const files = {
    'private-key.pem': issued.privateKey,
    'certificate.pem': issued.certificate,
    'intermediates.pem': issued.intermediates,
    'root.pem': issued.root,
    ...(destinations === undefined ? {} : { 'destinations.json': JSON.stringify(destinations) }),
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(place, file), text, { mode: 0o600 });
}

/** Nothing that it prints may be secret, whatever it does. */
async function runIdentity(args: readonly string[], options: IdentityOptions = {}): Promise<Ran> {
  const adds = ['import', 'complete', 'destinations'].includes(args[0] ?? '');
  const ran = await runCommand(['identity', ...args, ...(adds && !options.reaches ? ['--no-reach'] : [])], options);
  expectNothingSecret(ran.out + ran.error);
  return ran;
}

/** Every file under a folder, links as what they lead to: to see that nothing was changed. */
export function contentsOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      if (entry.isSymbolicLink()) return [path, `-> ${readlinkSync(path)}`];
      return [path, entry.isFile() ? readFileSync(path, 'latin1') : ''];
    }),
  );
}

export interface Seen {
  /** 128 and the number of the signal where one ended it. */
  readonly code: number | null;
  /** What the terminal showed, controls and all. */
  readonly shown: string;
}

/**
 * The command at a terminal (`script` of util-linux gives it one). Each answer is typed once its question is shown, in
 * order. Standard output goes to the file `outTo`, if one is named.
 */
export async function atTerminal(
  args: readonly string[],
  answers: readonly (readonly [question: string, typed: string])[] = [],
  environment: Readonly<Record<string, string>> = {},
  outTo?: string,
): Promise<Seen> {
  const words = [process.execPath, mainFile, 'identity', ...args].map((word) => `'${word}'`);
  const env = { PATH: process.env.PATH ?? '', TERM: 'xterm', SHELL: '/bin/sh', ...environment };
  const child = spawn('script', ['-qec', `exec ${words.join(' ')}${outTo ? ` >'${outTo}'` : ''}`, '/dev/null'], {
    cwd: root,
    env,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let shown = '';
  let from = 0;
  const left = [...answers];
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk;
    const [question, typed] = left[0] ?? [];
    const at = question === undefined ? -1 : shown.indexOf(question, from);
    if (question === undefined || at < 0) return;
    from = at + question.length;
    left.shift();
    child.stdin.write(typed ?? '');
  });
  child.stdin.on('error', () => {});
  const code = await new Promise<number | null>((done) => child.once('close', done));
  expect(left, `the terminal showed ${JSON.stringify(shown)}`).toEqual([]);
  expectNothingSecret(shown);
  return { code, shown };
}
