// Runs a program of the release.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** @returns standard output. Throws an Error with one sentence and the standard error of the program. */
export async function output(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { cwd, env } = options;
  const child = spawn(program, args, {
    cwd,
    // Sorting and messages must not depend on the language of the machine.
    env: { ...process.env, LC_ALL: 'C', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = Promise.all([text(child.stdout), text(child.stderr)]);
  let status: unknown;
  try {
    [status] = await once(child, 'close');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new Error(
      code === 'ENOENT' ? `The program ${program} is missing.` : `${program} cannot be started: ${code}.`,
    );
  }
  const [stdout, stderr] = await texts;
  if (status !== 0) throw new Error(`${program} ended with ${status}.\n${stderr}`.trimEnd());
  return stdout;
}
