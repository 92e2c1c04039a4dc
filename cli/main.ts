#!/usr/bin/env node
// The command `countersign`: its verbs, and what it ends with.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { asCountersignError } from '../core/errors.ts';
import { openContext } from './context.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { addVerbs } from './verbs.ts';

const context = openContext(process);
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // Whoever reads the answer may have had enough of it: `countersign identity list | head -1`.
  if (code === 'EPIPE') process.exit(context.exitCode);
  process.stderr.write(`The answer cannot be written (${code}).\n`);
  process.exit(exitCodes.refused);
});
// Nobody is left to be told.
process.stderr.on('error', () => {});
tellWarnings();
/** Those of `identity`, which are easily written without it. */
const identityVerbs: string[] = [];
const code = await run(asHelpOption(process.argv));
// Node would wait for connections that the SDK keeps open.
process.stdout.write('', (error) => {
  // What could not be written is told above, a turn later.
  if (error) setImmediate(() => process.exit(exitCodes.refused));
  else process.exit(code);
});

/** Node's own way has its process id and the name of a flag of Node in it. Those with a code of ours are for whoever sits here. */
function tellWarnings(): void {
  const isOn = process.listenerCount('warning') > 0;
  const told = new Set<string>();
  process.removeAllListeners('warning').on('warning', (warning: Error & { code?: string; detail?: string }) => {
    const { code = '', name, message, detail } = warning;
    const isOurs = code.startsWith('COUNTERSIGN_');
    const sentence = [isOurs ? message : `${name}: ${message}`, ...(isOurs && detail ? [detail] : [])].join(' ');
    if (told.has(sentence) || context.suppressedWarnings.has(code) || !(isOn || isOurs)) return;
    told.add(sentence);
    context.output.warn(sentence);
  });
}

async function run(words: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(words);
    return context.exitCode;
  } catch (thrown) {
    return failed(thrown);
  }
}

function program(): Command {
  const command = new Command('countersign')
    .description(
      'Client certificates for mutual TLS: import them, see them, renew them, try them, serve calls with them.',
    )
    .version(version(), '--version')
    .helpOption('-h, --help', 'what there is, and how it is written')
    .exitOverride()
    .showHelpAfterError('Add --help to see what there is.')
    .configureOutput({ outputError: (text, write) => write(explained(text)) })
    .hook('preAction', (_program, verb) => {
      context.isJson = verb.opts().json === true;
    });
  addVerbs(command, context);
  identityVerbs.push(
    ...(command.commands.find((one) => one.name() === 'identity')?.commands ?? []).map((one) => one.name()),
  );
  return command;
}

function failed(thrown: unknown): number {
  if (context.signalled !== undefined) return context.signalled;
  // What inquirer throws when Ctrl-C answers a question.
  if (thrown instanceof Error && thrown.name === 'ExitPromptError') return exitCodes.interrupted;
  if (thrown instanceof CommanderError) {
    const { code, message, exitCode } = thrown;
    // Commander has said its own already, and ends with 1 where it was called wrongly.
    if (code.startsWith('commander.')) {
      if (exitCode === 0) return exitCodes.done;
      const detail = code === 'commander.help' ? 'A verb is missing.' : explained(message.replace(/^error: /, ''));
      context.isJson = isJsonAskedFor(process.argv);
      if (context.isJson) context.output.answer({ error: { code: 'usage', detail } }, () => []);
      return exitCodes.usage;
    }
    context.output.fail({ code, detail: message });
    return exitCode;
  }
  const { code: reason, message } = thrown as NodeJS.ErrnoException;
  const missing = reason === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(message)?.[1];
  if (missing) {
    context.output.fail({
      code: 'not-installed',
      detail: `The package ${missing} is not installed: run npm ci first.`,
    });
    return exitCodes.unavailable;
  }
  const error = asCountersignError(thrown);
  const isDefect = error.code === 'internal-error';
  context.output.fail({ code: error.code, detail: error.message, hint: isDefect ? placeOf(thrown) : error.hint });
  return exitCodeOf(error);
}

/** Commander's own `help` knows the first word alone: `help identity import`. */
function asHelpOption(words: readonly string[]): readonly string[] {
  const [node = '', file = '', help, ...verbs] = words;
  return help === 'help' && verbs.length > 1 ? [node, file, ...verbs, '--help'] : words;
}

function explained(text: string): string {
  return withoutValue(text).replace(
    new RegExp(`unknown command '(${identityVerbs.join('|')})'(\\n\\(Did you mean .*\\))?`),
    "unknown command '$1'\n(Did you mean countersign identity $1?)",
  );
}

/** What stands behind an option that there is not may be a password: `-uname:word`, `--token=…`. */
function withoutValue(text: string): string {
  return text.replace(/unknown option '(--[^=']*|-.)[^']*'/, "unknown option '$1'");
}

/** For a command line that commander did not read to its end. */
function isJsonAskedFor(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end === -1 ? undefined : end).includes('--json');
}

/** Of a defect: its class and where it came from, without its message, which may quote anything. */
function placeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'This is a defect of Countersign.';
  const frames = (thrown.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line));
  return [`This is a defect of Countersign (${thrown.constructor.name}):`, ...frames.slice(0, 5)].join('\n');
}

function version(): string {
  return (JSON.parse(readFileSync(`${import.meta.dirname}/../package.json`, 'utf8')) as { version: string }).version;
}
