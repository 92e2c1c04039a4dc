// `countersign doctor`: checks an installation and says how to fix it.
import type { Command } from 'commander';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { platformIdentity, variables } from '../../core/settings.ts';
import { type ApiOptions, identityOption, openHttpApi, withApiOptions } from '../api/open-api.ts';
import type { CommandContext } from '../context.ts';
import type { Check, CheckStatus } from '../doctor/check.ts';
import { exitCodes } from '../exit-code.ts';
import { type Paint, type Style, withProgress } from '../output.ts';
import { resolveStore, type StoreOptions } from '../store/store-options.ts';
import { withExamples, withJson } from './options.ts';

interface DoctorOptions extends ApiOptions {
  readonly identity?: string;
  readonly reach: boolean;
}

export function addDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command('doctor')
    .summary('check this installation, and say how to fix it')
    .description(
      'Checks Node, the settings, the store of identities, each identity in it, the permissions of its files, the clock, and each destination that has one host, by a handshake and, if the destination has a probe, by that request; with --api, whether the API answers and accepts the caller. Changes nothing.\n\nExit code: 0 no failure (perhaps warnings), 1 a failure, 2 the command line is wrong.',
    )
    .option('--identity <name>', `with --api: the identity that the caller must be able to use (${platformIdentity})`)
    .option('--no-reach', 'do not connect to destinations');
  withJson(command);
  withApiOptions(command);
  withExamples(
    command,
    'countersign doctor --source directory:/etc/countersign/identities',
    'countersign doctor --api https://countersign.acme.example --token-file token --cacert ca.pem',
  );
  command.action((options: DoctorOptions) => doctor(options, context));
}

async function doctor(options: DoctorOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  // The check of the files reports it.
  context.suppressedWarnings.add('COUNTERSIGN_KEY_READABLE');
  const checks = await withProgress(context, 'Looking …', examine(options, context));
  const failures = checks.filter(({ status }) => status === 'failure').length;
  const warnings = checks.filter(({ status }) => status === 'warning').length;
  output.answer({ ok: failures === 0, failures, warnings, checks }, () => [
    ...checks.flatMap((check) => linesOf(check, output.paint)),
    '',
    summary(checks, failures, warnings, output.paint),
  ]);
  context.end(failures === 0 ? exitCodes.done : exitCodes.refused);
}

/** Runs the checks in the order of their dependencies. Throws only usage errors. */
async function examine(options: DoctorOptions, context: CommandContext): Promise<Check[]> {
  const { environment, now } = context;
  const { identity: name, reach, source, prefix, endpoint, region, ...apiOptions } = options;
  const identity = identityOption(name);
  const [{ checkNode, checkSettings }, { checkClock, compareWithSecretsManager }] = await Promise.all([
    import('../doctor/environment.ts'),
    import('../doctor/api.ts'),
  ]);
  const checks: Check[] = [checkNode(process.versions.node), ...checkSettings(environment)];
  if (options.api !== undefined) {
    const { checkApi } = await import('../doctor/api.ts');
    const api = await openHttpApi({ ...apiOptions, ...(region === undefined ? {} : { region }) }, context);
    checks.push(...(await checkApi(api, identity, now)));
    if (source === undefined && !environment[variables.identitySource]) return checks;
  }

  const storeOptions = { source, prefix, endpoint, ...(options.api === undefined ? { region } : {}) } as StoreOptions;
  const [{ checkStoreSettings, openCheckedStore }, { checkIdentities }] = await Promise.all([
    import('../doctor/environment.ts'),
    import('../doctor/identities.ts'),
  ]);
  const wrong = checkStoreSettings(storeOptions, environment);
  if (wrong !== undefined) {
    const others = checks.filter(
      ({ check, status, detail }) =>
        check !== 'settings' || (status !== 'ok' && firstWord(detail) !== firstWord(wrong.detail)),
    );
    return [...others, wrong];
  }
  const chosen = resolveStore(storeOptions, environment);
  const store = await openCheckedStore(storeOptions, context);
  if ('check' in store) return [...checks, store];
  const { checks: identities, exact } = await checkIdentities(store, now());
  checks.push(...identities);
  if (chosen.kind === 'directory') {
    const { checkFiles } = await import('../doctor/files.ts');
    checks.push(...(await checkFiles(chosen.path, now())));
    if (options.api === undefined) {
      const detail = 'a directory has no clock to compare with';
      checks.push({ check: 'clock', status: 'skipped', detail, remedy: 'Name an API to compare with: --api.' });
    }
  } else if (!identities.some(({ check, status }) => check === 'store' && status === 'failure')) {
    checks.push(checkClock(await compareWithSecretsManager(now), 'Secrets Manager'));
  }
  if (!reach || exact.length === 0) return checks;
  const [{ openInProcess }, { checkDestinations }] = await Promise.all([
    import('../api/in-process.ts'),
    import('../doctor/identities.ts'),
  ]);
  if (checks.some(({ check, status }) => check === 'settings' && status === 'failure')) {
    const detail = 'not checked, because the settings cannot be read';
    return [...checks, { check: 'destination', status: 'skipped', detail }];
  }
  const here = await openInProcess(chosen, environment);
  checks.push(...(await checkDestinations(here, exact)));
  here.close();
  return checks;
}

/** Details of settings start with the name of the variable. */
function firstWord(detail: string): string | undefined {
  return detail.split(' ')[0];
}

const marks: Readonly<Record<CheckStatus, readonly [string, Style]>> = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  failure: ['✗', 'red'],
  skipped: ['–', 'dim'],
};

function linesOf({ check, subject, status, detail, remedy }: Check, paint: Paint): string[] {
  const [mark, style] = marks[status];
  const what = subject === undefined ? '' : `${escapeForTerminal(subject)}: `;
  const line = `${paint(style, mark)} ${check.padEnd(11)}  ${what}${escapeForTerminal(detail)}`;
  return remedy === undefined ? [line] : [line, `${' '.repeat(15)}${paint('dim', escapeForTerminal(remedy))}`];
}

/** "Nothing is wrong" needs an answer of each destination: a handshake does not show whether a call succeeds. */
function summary(checks: readonly Check[], failures: number, warnings: number, paint: Paint): string {
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  if (failures > 0) return paint('red', `${count(failures, 'failure')}, ${count(warnings, 'warning')}.`);
  const counted = warnings > 0 ? `; ${count(warnings, 'warning')}` : '';
  const destinations = checks.filter(({ check }) => check === 'destination');
  const unanswered = destinations.filter(({ isAnswered }) => !isAnswered).length;
  if (destinations.length > 0 && unanswered === 0) {
    return warnings > 0 ? `Nothing is wrong${counted}.` : paint('green', 'Nothing is wrong.');
  }
  const untried =
    destinations.length === 0
      ? 'No destination was tried'
      : `No request was answered by ${unanswered} of ${count(destinations.length, 'destination')}`;
  return `No failure was found${counted}. ${untried}: a server can complete the handshake and refuse every request.`;
}
