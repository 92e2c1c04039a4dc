// `countersign diagnose URL`: which of the five steps of a handshake fails, why, and who must fix it.
import { type Command, InvalidArgumentError } from 'commander';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { limits, platformIdentity } from '../../core/settings.ts';
import { reportProblem } from '../api/api.ts';
import { type ApiOptions, identityOption, openApi, toUrl, withApiOptions } from '../api/open-api.ts';
import type { CommandContext } from '../context.ts';
import { diagnosisLines } from '../diagnosis-text.ts';
import { exitCodes } from '../exit-code.ts';
import { withProgress } from '../output.ts';
import { withExamples, withJson } from './options.ts';

interface DiagnoseOptions extends ApiOptions {
  readonly identity?: string;
  readonly probe?: string;
  readonly timeout?: number;
}

export function addDiagnose(program: Command, context: CommandContext): void {
  const command = program
    .command('diagnose')
    .summary('find out which of the five steps of the handshake with a host fails')
    .description(
      'Makes one mutual-TLS connection and says which of the five steps fails, why, and who must fix it.\n\nExit code: 0 access is granted, 1 it is not, 2 the command line is wrong, 3 there is no diagnosis.',
    )
    .argument('<url>', 'https://host:port of the API, or host:port')
    .option('--identity <name>', `the identity to present (${platformIdentity})`)
    .option('--probe <path>', "path of a GET after the handshake, or none (the destination's probe, else /)", readProbe)
    .option('--timeout <ms>', `1 to ${limits.maxTimeoutMs} (${limits.defaultTimeoutMs})`, readTimeout);
  withJson(command);
  withApiOptions(command);
  withExamples(
    command,
    'countersign diagnose https://api.acme.example',
    'countersign diagnose api.acme.example:8443 --source directory:/etc/countersign/identities --probe none',
  );
  command.action((url: string, options: DiagnoseOptions) => diagnose(url, options, context));
}

async function diagnose(text: string, options: DiagnoseOptions, context: CommandContext): Promise<void> {
  const { identity: name, probe, timeout, ...apiOptions } = options;
  const identity = identityOption(name);
  const api = await openApi(apiOptions, context);
  const url = toUrl(text);
  const asked = api.diagnose(identity, {
    url,
    ...(probe === undefined ? {} : { probe: probe === 'none' ? false : { path: probe } }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
  });
  const result = await withProgress(context, `Waiting for ${url} …`, asked);
  api.close();
  if ('problem' in result) {
    reportProblem(result.problem, context);
    // Exit code 1 means that a diagnosis found a failure.
    context.end(result.problem.code === 'invalid-request' ? exitCodes.usage : exitCodes.unavailable);
    return;
  }
  const { answer } = result;
  context.output.answer(answer, () => [
    titleOf(escapeForTerminal(url), identity, answer),
    '',
    ...diagnosisLines(answer, context.output.paint),
  ]);
  context.end(answer.verdict === 'access-granted' ? exitCodes.done : exitCodes.refused);
}

function titleOf(url: string, identity: string, { identity: { version } }: Diagnosis): string {
  return `${url} as ${identity}${version ? `, version ${escapeForTerminal(version)}` : ''}`;
}

function readProbe(value: string): string {
  if (value !== 'none' && !value.startsWith('/')) {
    throw new InvalidArgumentError('It must be a path that begins with "/", or none.');
  }
  return value;
}

function readTimeout(value: string): number {
  const ms = Number(value);
  if (!/^\d+$/.test(value) || ms < 1 || ms > limits.maxTimeoutMs) {
    throw new InvalidArgumentError(`It must be a whole number of milliseconds from 1 to ${limits.maxTimeoutMs}.`);
  }
  return ms;
}
