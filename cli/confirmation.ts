// Asks before something is changed that others depend on; without a terminal only --yes is an answer.
import { createInterface } from 'node:readline/promises';
import type { CommandContext } from './context.ts';
import { interruption, refusal } from './exit-code.ts';

/** Throws where the answer is no, where nobody can be asked, and at Ctrl-C. */
export async function requireYes(question: string, isYes: boolean | undefined, context: CommandContext): Promise<void> {
  if (isYes) return;
  if (!context.isInteractive) {
    throw refusal('not-confirmed', 'Nothing was changed: there is no terminal to ask on, so say --yes.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: context.interrupted });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } catch {
    throw interruption();
  } finally {
    terminal.close();
  }
  throw refusal('not-confirmed', 'Nothing was changed.');
}
