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

/** Throws a usage error. One passphrase of a file or variable is tried for everything that needs one. */
export async function passphraseFrom(options: PassphraseOptions, context: CommandContext): Promise<AskPassphrase> {
  if ((options.passphrase ?? options.password ?? options.pass) !== undefined) {
    throw usageError(
      'A passphrase in an argument can be seen by every user of the machine and stays in the history of the shell: use --passphrase-file or --passphrase-env, or give none and be asked.',
    );
  }
  if (options.passphraseFile !== undefined && options.passphraseEnv !== undefined) {
    throw usageError('Give --passphrase-file or --passphrase-env, not both.');
  }
  if (options.passphraseFile !== undefined) {
    // As OpenSSL reads one (file:): the first line.
    const [line = ''] = (await readInput(options.passphraseFile)).toString('utf8').split(/\r?\n/, 1);
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
        { message: `Passphrase of ${name}:`, mask: true },
        { output: process.stderr, signal: context.interrupted, clearPromptOnDone: true },
      );
      return answer;
    } catch {
      throw interruption();
    }
  };
}
