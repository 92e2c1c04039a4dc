// `countersign doctor`: what is wrong with an installation, from the clock to the destinations, and what to do.
import type { Command } from 'commander';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { platformIdentity, variables } from '../../core/settings.ts';
import { type ApiOptions, identityOf, openHttpApi, withApi } from '../api/open-api.ts';
import type { CommandContext } from '../context.ts';
import type { Check, CheckStatus } from '../doctor/check.ts';
import { exitCodes } from '../exit-code.ts';
import type { Paint, Style } from '../output.ts';
import { chosenStore, type StoreOptions } from '../store/chosen-store.ts';
import { withProgress } from '../with-progress.ts';
import { withExamples, withJson } from './options.ts';

interface DoctorOptions extends ApiOptions {
  readonly identity?: string;
  readonly reach: boolean;
}

export function addDoctor(program: Command, context: CommandContext): void {
  const command = program
    .command('doctor')
    .summary('what is wrong with this installation, and what to do')
    .description(
      'Checks Node, the settings, the store of identities, each identity in it, the permissions of its files, the clock, and by a handshake each destination that has one host; with --api, whether the API answers and knows the caller. Changes nothing.\n\nExit code: 0 nothing is wrong (there may be warnings), 1 something is, 2 the command line is wrong.',
    )
    .option('--identity <name>', `with --api: the identity that the caller should be able to use (${platformIdentity})`)
    .option('--no-reach', 'make no connection to a destination');
  withJson(command);
  withApi(command);
  withExamples(
    command,
    'countersign doctor --source directory:/etc/countersign/identities',
    'countersign doctor --api https://countersign.acme.example --token-file token --cacert ca.pem',
  );
  command.action((options: DoctorOptions) => doctor(options, context));
}

async function doctor(options: DoctorOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  // Among the checks of the files.
  context.suppressedWarnings.add('COUNTERSIGN_KEY_READABLE');
  const checks = await withProgress(context, 'Looking …', examine(options, context));
  const failures = checks.filter(({ status }) => status === 'failure').length;
  const warnings = checks.filter(({ status }) => status === 'warning').length;
  output.answer({ ok: failures === 0, failures, warnings, checks }, () => [
    ...checks.flatMap((check) => linesOf(check, output.paint)),
    '',
    summary(failures, warnings, output.paint),
  ]);
  context.end(failures === 0 ? exitCodes.done : exitCodes.refused);
}

/** In the order of what depends on what. Throws a usage error alone. */
async function examine(options: DoctorOptions, context: CommandContext): Promise<Check[]> {
  const { environment, now } = context;
  const { identity: name, reach, source, prefix, endpoint, region, ...apiOptions } = options;
  const identity = identityOf(name);
  const [{ checkNode, checkSettings }, { checkClock, compareWithSecretsManager }] = await Promise.all([
    import('../doctor/machine.ts'),
    import('../doctor/clock.ts'),
  ]);
  const checks: Check[] = [checkNode(process.versions.node), ...checkSettings(environment)];
  if (options.api !== undefined) {
    const { checkApi } = await import('../doctor/api-check.ts');
    const api = await openHttpApi({ ...apiOptions, ...(region === undefined ? {} : { region }) }, context);
    checks.push(...(await checkApi(api, identity, now)));
    if (source === undefined && !environment[variables.identitySource]) return checks;
  }

  const storeOptions = { source, prefix, endpoint, ...(options.api === undefined ? { region } : {}) } as StoreOptions;
  const [{ checkStoreSettings, openCheckedStore }, { checkIdentities }] = await Promise.all([
    import('../doctor/store.ts'),
    import('../doctor/identities.ts'),
  ]);
  const wrong = checkStoreSettings(storeOptions, environment);
  if (wrong !== undefined) {
    const others = checks.filter(
      ({ check, status, detail }) => check !== 'settings' || (status !== 'ok' && detail !== wrong.detail),
    );
    return [...others, wrong];
  }
  const chosen = chosenStore(storeOptions, environment);
  const store = await openCheckedStore(storeOptions, context);
  if ('check' in store) return [...checks, store];
  const { checks: identities, exact } = await checkIdentities(store, now());
  checks.push(...identities);
  if (chosen.kind === 'directory') {
    const { checkFiles } = await import('../doctor/files.ts');
    checks.push(...(await checkFiles(chosen.path, now())));
    if (options.api === undefined) {
      const detail = 'a directory cannot tell the time';
      checks.push({ check: 'clock', status: 'skipped', detail, remedy: 'Name an API to compare with: --api.' });
    }
  } else if (!identities.some(({ check, status }) => check === 'store' && status === 'failure')) {
    checks.push(checkClock(await compareWithSecretsManager(now), 'Secrets Manager'));
  }
  if (!reach || exact.length === 0) return checks;
  const [{ openInProcess }, { checkDestinations }] = await Promise.all([
    import('../api/in-process.ts'),
    import('../doctor/reach.ts'),
  ]);
  if (checks.some(({ check, status }) => check === 'settings' && status === 'failure')) {
    const detail = 'not tried with settings that cannot be read';
    return [...checks, { check: 'destination', status: 'skipped', detail }];
  }
  const here = await openInProcess(chosen, environment);
  checks.push(...(await checkDestinations(here, exact)));
  here.close();
  return checks;
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

function summary(failures: number, warnings: number, paint: Paint): string {
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  if (failures > 0) return paint('red', `${count(failures, 'failure')}, ${count(warnings, 'warning')}.`);
  return warnings > 0 ? `Nothing is wrong; ${count(warnings, 'warning')}.` : paint('green', 'Nothing is wrong.');
}
