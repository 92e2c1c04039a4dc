// Where a passphrase comes from: a file, an environment variable, or a question at the terminal; never an argument.

import type { CommandContext } from '../context.ts';
import { interruption, usageError } from '../exit-code.ts';
import type { AskPassphrase } from '../import/contents.ts';
import { readInput } from './input-files.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseEnv?: string;
  /** These only to say why not. */
  readonly passphrase?: unknown;
  readonly password?: unknown;
  readonly pass?: unknown;
}

export interface Passphrase {
  readonly ask: AskPassphrase;
  /** Of the last one that was given: it counts, and is seldom meant. */
  endsWithBlank(): boolean;
}

/** Throws a usage error. */
export async function passphraseFrom(options: PassphraseOptions, context: CommandContext): Promise<Passphrase> {
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

/** One passphrase of a file or variable is tried for everything that needs one. */
async function givenPassphrase(options: PassphraseOptions, context: CommandContext): Promise<AskPassphrase> {
  if ((options.passphrase ?? options.password ?? options.pass) !== undefined) {
    throw usageError(
      'A passphrase in an argument can be seen by every user of the machine and stays in the history of the shell: use --passphrase-file or --passphrase-env, or give none and be asked.',
    );
  }
  if (options.passphraseFile !== undefined && options.passphraseEnv !== undefined) {
    throw usageError('Give --passphrase-file or --passphrase-env, not both.');
  }
  if (options.passphraseFile !== undefined) {
    const line = firstLine(await readInput(options.passphraseFile), options.passphraseFile);
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
        // Not even how long it is, and no key that shows it.
        { message: `Passphrase of ${name}:`, toggleMask: false, theme: { style: { maskedText: '' } } },
        { output: process.stderr, signal: context.interrupted, clearPromptOnDone: true },
      );
      return answer;
    } catch {
      throw interruption();
    }
  };
}

/** As OpenSSL reads one (file:), but also in what Windows' editors and PowerShell write: with a byte order mark, or in UTF-16. */
function firstLine(bytes: Buffer, path: string): string {
  const [first, second] = bytes;
  if (first === undefined) {
    throw usageError(
      `${path === '-' ? 'Standard input' : `The file ${path}`} is empty: the passphrase is its first line, which may be empty.`,
    );
  }
  const isLittleEndian = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0);
  const isBigEndian = (first === 0xfe && second === 0xff) || (first === 0 && second !== 0);
  const encoding = isLittleEndian ? 'utf-16le' : isBigEndian ? 'utf-16be' : 'utf-8';
  // It takes the mark off.
  const [line = ''] = new TextDecoder(encoding).decode(bytes).split(/\r?\n/, 1);
  return line;
}
