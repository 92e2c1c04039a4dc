// Files on their way into the store: read, judged and proved, or refused with everything that is in the way.
import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import { exitCodes } from '../exit-code.ts';
import type { AskPassphrase, InputFile } from '../import/contents.ts';
import { type Finding, findingOf } from '../import/finding.ts';
import { identityFrom, prove, type ReadyIdentity } from '../import/identity-from.ts';
import { readFiles } from '../import/read-files.ts';

/** Read, judged and proved: the identity, or everything that is in its way. */
export async function judgedIdentity(
  inputs: readonly InputFile[],
  ask: AskPassphrase,
  settings: { readonly destinations?: unknown; readonly renewal?: unknown },
  context: CommandContext,
): Promise<ReadyIdentity | readonly Finding[]> {
  const given = {
    ...(settings.destinations === undefined ? {} : { destinations: settings.destinations }),
    ...(settings.renewal === undefined ? {} : { renewal: settings.renewal }),
  };
  const made = identityFrom(await readFiles(inputs, ask), { ...given, now: context.now() });
  if (!('document' in made)) return made;
  context.output.progress('Proving it by handshakes with a server that trusts its root alone.');
  try {
    await prove(made.document, context.now());
    return made;
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return [findingOf(thrown), ...made.warnings];
  }
}

/** Every finding, and the exit code that says no. */
export function refuse(name: string, findings: readonly Finding[], context: CommandContext): void {
  const { output } = context;
  output.answer({ identity: name, outcome: 'refused', findings }, () => [
    ...findings.map(({ severity, code, sentence }) => {
      const mark = severity === 'error' ? output.paint('red', '✗') : output.paint('yellow', '!');
      return `${mark} ${escapeForTerminal(sentence)} ${output.paint('dim', `(${code})`)}`;
    }),
    `"${name}" is refused; nothing was stored.`,
  ]);
  context.end(exitCodes.refused);
}
