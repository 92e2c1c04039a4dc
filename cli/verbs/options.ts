// What the options and the help of every verb are made with.
import type { Command } from 'commander';

/** Every verb has it. */
export function withJson(command: Command): Command {
  return command.option('--json', 'the answer as JSON');
}

/** The lines under "Examples:" at the end of a verb's help; each works as it stands, but for names. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  const text = lines.map((line) => `  ${line}`).join('\n');
  return command.addHelpText('after', `\n${lines.length > 1 ? 'Examples' : 'Example'}:\n${text}`);
}

/** For an option that may stand more than once: its values, in their order. */
export function collect(value: string, sofar: readonly string[] = []): readonly string[] {
  return [...sofar, value];
}
