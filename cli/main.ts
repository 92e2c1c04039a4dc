#!/usr/bin/env node
// The command `countersign`: parses the command line, runs a verb, sets the exit code.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { asCountersignError } from '../core/errors.ts';
import { packageFolder } from '../core/package-folder.ts';
import { openContext } from './context.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { addVerbs } from './verbs/all.ts';

// Node would open its debugger, which runs any code, for every user of the machine.
process.on('SIGUSR1', () => {});
const context = openContext(process);
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // The reader closed the pipe: `countersign identity list | head -1`.
  if (code === 'EPIPE') process.exit(context.exitCode);
  process.stderr.write(`The output cannot be written (${code}).\n`);
  process.exit(exitCodes.refused);
});
// The error cannot be reported anywhere.
process.stderr.on('error', () => {});
printWarnings();
/** The verbs of `identity`, for a suggestion when `identity` was left out. */
const identityVerbs: string[] = [];
const code = await run(asHelpOption(process.argv));
// Exits now, because Node would wait for connections that the SDK keeps open.
process.stdout.write('', (error) => {
  // The handler above reports the error in the next turn.
  if (error) setImmediate(() => process.exit(exitCodes.refused));
  else process.exit(code);
});

/**
 * Prints process warnings without Node's process id. Only warnings with a code of Countersign, unless Node prints
 * warnings anyway.
 */
function printWarnings(): void {
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
    .description('Client certificates for mutual TLS: import, inspect, renew and test them, and serve calls with them.')
    .version(version(), '--version')
    .helpOption('-h, --help', 'print the verbs and options')
    .exitOverride()
    .showHelpAfterError('Add --help to print the verbs and options.')
    .configureOutput({ outputError: (text, write) => write(rewordCommanderError(text)) })
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
  // inquirer throws this for Ctrl-C.
  if (thrown instanceof Error && thrown.name === 'ExitPromptError') return exitCodes.interrupted;
  if (thrown instanceof CommanderError) {
    const { code, message, exitCode } = thrown;
    // Commander has printed its own error.
    if (code.startsWith('commander.')) {
      if (exitCode === 0) return exitCodes.done;
      const detail =
        code === 'commander.help' ? 'A verb is missing.' : rewordCommanderError(message.replace(/^error: /, ''));
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

/** `help identity import`: Commander's own `help` takes only one verb. */
function asHelpOption(words: readonly string[]): readonly string[] {
  const [node = '', file = '', help, ...verbs] = words;
  return help === 'help' && verbs.length > 1 ? [node, file, ...verbs, '--help'] : words;
}

function rewordCommanderError(text: string): string {
  return withoutValue(text).replace(
    new RegExp(`unknown command '(${identityVerbs.join('|')})'(\\n\\(Did you mean .*\\))?`),
    "unknown command '$1'\n(Did you mean countersign identity $1?)",
  );
}

/** The value of an unknown option can be a password: `-uname:word`, `--token=…`. */
function withoutValue(text: string): string {
  return text.replace(/unknown option '(--[^=']*|-.)[^']*'/, "unknown option '$1'");
}

/** For a command line that Commander rejected. */
function isJsonAskedFor(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end === -1 ? undefined : end).includes('--json');
}

/** The class and the stack of a defect, without its message, which can quote secrets. */
function placeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'This is a defect of Countersign.';
  const frames = (thrown.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line));
  return [`This is a defect of Countersign (${thrown.constructor.name}):`, ...frames.slice(0, 5)].join('\n');
}

function version(): string {
  return (JSON.parse(readFileSync(`${packageFolder}/package.json`, 'utf8')) as { version: string }).version;
}
