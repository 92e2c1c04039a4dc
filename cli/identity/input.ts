// Reads the input of a command from files, standard input and the terminal: import files, JSON lists, passphrases.
import { isUtf8 } from 'node:buffer';
import { basename } from 'node:path';

import type { CommandContext } from '../context.ts';
import { interruption, usageError } from '../exit-code.ts';
import type { AskPassphrase, InputFile } from '../import/contents.ts';
import { most } from '../import/limits.ts';

export type ReadInput = CommandContext['readInput'];

/** A larger file is cut one byte after the limit of the import, so that the import reports it. */
const maxBytes = most.fileBytes + 1;

/** Bytes of a file, or of standard input for `-`. Throws a usage error. */
export async function readFileArgument(path: string, readInput: ReadInput): Promise<Buffer> {
  return await readInput(path, maxBytes);
}

/** Files are named by their base name where that is unique. Throws a usage error. */
export async function readInputFiles(paths: readonly string[], readInput: ReadInput): Promise<readonly InputFile[]> {
  const files: InputFile[] = [];
  const names = paths.map((path) => basename(path));
  for (const [index, path] of paths.entries()) {
    const name = names[index] ?? path;
    const isUnique = names.indexOf(name) === names.lastIndexOf(name);
    files.push({
      name: path === '-' ? 'standard input' : isUnique ? name : path,
      bytes: await readFileArgument(path, readInput),
    });
  }
  return files;
}

/** JSON in a file. Throws a usage error that quotes nothing of it. */
export async function readJson(path: string, option: string, readInput: ReadInput): Promise<unknown> {
  const bytes = await readFileArgument(path, readInput);
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    throw usageError(`${option}: ${path === '-' ? 'standard input' : path} is not JSON.`);
  }
}

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  /** Accepted only to explain why they are refused. */
  readonly passphrase?: unknown;
  readonly password?: unknown;
  readonly pass?: unknown;
}

export interface Passphrase {
  readonly ask: AskPassphrase;
  /** Whether the last passphrase ends with white space, which is part of it and is often a mistake. */
  endsWithBlank(): boolean;
}

/** Throws a usage error. */
export async function openPassphrase(options: PassphraseOptions, context: CommandContext): Promise<Passphrase> {
  const given = await givenPassphrase(options, context);
  let last: string | undefined;
  return {
    async ask(object) {
      last = await given(object);
      return last;
    },
    endsWithBlank: () => /\s$/.test(last ?? ''),
  };
}

/** A passphrase of a file or variable is tried for every encrypted object. */
async function givenPassphrase(options: PassphraseOptions, context: CommandContext): Promise<AskPassphrase> {
  if ((options.passphrase ?? options.password ?? options.pass) !== undefined) {
    throw usageError(
      'A passphrase in an argument is visible to every user of the machine and stays in the shell history. Use --passphrase-file or --passphrase-env, or give no option to be asked.',
    );
  }
  if (options.passphraseFile !== undefined && options.passphraseEnv !== undefined) {
    throw usageError('Give --passphrase-file or --passphrase-env, not both.');
  }
  if (options.passphraseFile !== undefined) {
    const line = firstLine(await readFileArgument(options.passphraseFile, context.readInput), options.passphraseFile);
    return async () => line;
  }
  if (options.passphraseEnv !== undefined) {
    const value = context.environment[options.passphraseEnv];
    if (value === undefined) throw usageError('The environment variable that --passphrase-env names is not set.');
    return async () => value;
  }
  if (!context.isInteractive) return async () => undefined;
  return async ({ name }) => {
    const { default: password } = await import('@inquirer/password');
    try {
      const answer = await password(
        // Shows not even the length.
        { message: `Passphrase of ${name}:`, toggleMask: false, theme: { style: { maskedText: '' } } },
        { output: process.stderr, signal: context.interrupted, clearPromptOnDone: true },
      );
      return answer;
    } catch {
      throw interruption();
    }
  };
}

/** Like OpenSSL's `file:`, and also UTF-16 and a byte order mark, as editors on Windows and PowerShell write them. */
function firstLine(bytes: Buffer, path: string): string {
  const [first, second] = bytes;
  if (first === undefined) {
    throw usageError(
      `${path === '-' ? 'Standard input' : `The file ${path}`} is empty. The passphrase is its first line, which can be an empty line.`,
    );
  }
  const isLittleEndian = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0);
  const isBigEndian = (first === 0xfe && second === 0xff) || (first === 0 && second !== 0);
  const encoding = isLittleEndian ? 'utf-16le' : isBigEndian ? 'utf-16be' : 'utf-8';
  // TextDecoder removes the byte order mark.
  const [line = ''] = decoderOf(encoding, bytes).decode(bytes).split(/\r?\n/, 1);
  return line;
}

/** Bytes that are not UTF-8 are Windows-1252, which holds Latin-1. */
function decoderOf(encoding: string, bytes: Buffer) {
  return new TextDecoder(encoding === 'utf-8' && !isUtf8(bytes) ? 'windows-1252' : encoding);
}
