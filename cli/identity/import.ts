// `identity import`: makes an identity of files. Reports every problem, and stores the identity only after test
// handshakes.

import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import { exitCodes, refusal, usageError } from '../exit-code.ts';
import type { AskPassphrase, InputFile } from '../import/contents.ts';
import { findingOf, type ImportFinding } from '../import/finding.ts';
import { identityFrom, prove, type ReadyIdentity } from '../import/identity-from.ts';
import { readFiles } from '../import/read-files.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import { changedMeanwhile, membersToKeep, requireName, requireNoRotation, requireSize } from './change.ts';
import { identityWarnings, readIdentitySettings, type SettingOptions } from './destination-options.ts';
import { destinationLines, destinationView } from './identity-view.ts';
import { openPassphrase, type PassphraseOptions, readInputFiles } from './input.ts';
import { checkMutual, mutualCheckLines, type ReachOption, withRequireMutual } from './mutual-check.ts';

export interface ImportOptions extends WriteOptions, PassphraseOptions, SettingOptions, ReachOption {
  readonly alias?: string;
  readonly dryRun?: boolean;
  readonly replace?: boolean;
}

/** Without the name, the first file is taken for it. */
function requireNameFirst(name: string): void {
  if (/[./\\]/.test(name)) {
    throw usageError(
      `"${name}" is not a name of an identity. Write countersign identity import NAME FILES, where NAME has 1 to 63 lower-case letters, digits and hyphens.`,
    );
  }
  requireName(name);
}

export async function importIdentity(
  name: string,
  files: readonly string[],
  options: ImportOptions,
  context: CommandContext,
): Promise<void> {
  requireNameFirst(name);
  const passphrase = await openPassphrase(options, context);
  const given = await readIdentitySettings(options, context.readInput);
  const inputs = await readInputFiles(files, context.readInput);
  const store = await openStore(options, context);

  // From here on Ctrl-C does not interrupt a change of the store.
  const { interrupted } = context;
  const state = await store.state(name);
  if (state?.hasCurrent && !options.replace) {
    throw refusal(
      'identity-exists',
      `There is an identity "${name}" in ${store.place} already. Use --replace to store a new version of it.`,
    );
  }
  if (state) requireNoRotation(name, state, store);
  const members = await membersToKeep(name, state, store, given.destinations !== undefined);
  const { destinations = members.destinations, renewal = members.renewal } = given;

  context.output.progress(`Reading ${inputs.length === 1 ? 'one file' : `${inputs.length} files`}.`);
  const validated = await validateImport(
    inputs,
    passphrase.ask,
    { destinations, renewal, alias: options.alias },
    context,
  );
  if (!('document' in validated)) {
    if (validated.some(({ code }) => code === 'passphrase-wrong') && passphrase.endsWithBlank()) {
      context.output.warn('The passphrase ends with white space, which is part of it.');
    }
    return reportFindings(name, validated, context);
  }
  const { document, chain, warnings, notes } = validated;
  const whole = { ...members, ...document };
  const added = given.destinations ?? [];
  const checks = await checkMutual(name, JSON.stringify(whole), added, options, context);
  const kept = added.length === 0 ? destinations : withRequireMutual(added, checks);
  const text = JSON.stringify({ ...whole, ...(kept === undefined ? {} : { destinations: kept }) });
  requireSize(text);

  const outcome = state?.hasCurrent ? 'replaced' : 'imported';
  if (!options.dryRun) {
    interrupted.throwIfAborted();
    context.output.progress(`Storing it in ${store.place}.`);
    if ((await store.activate(name, text, { instead: state?.holder })) === 'changed') throw changedMeanwhile(name);
  }
  const unreadable = options.dryRun ? undefined : await store.unreadable?.(name);
  const allWarnings = identityWarnings(kept, warnings, unreadable, context.now());
  for (const { sentence } of allWarnings) context.output.warn(sentence);
  const stored = options.dryRun ? undefined : await store.read(name, 'AWSCURRENT');
  const { paint } = context.output;
  context.output.answer(
    {
      identity: name,
      outcome: options.dryRun ? `would-be-${outcome}` : outcome,
      place: store.place,
      ...(stored === undefined ? {} : { version: stored.version }),
      chain,
      ...(Array.isArray(kept) ? { destinations: kept.map(destinationView) } : {}),
      ...(checks.length > 0 ? { mutualChecks: checks } : {}),
      warnings: allWarnings,
      notes,
    },
    () => [
      ...chain.map(
        ({ role, subject, validTo, source }) =>
          `  ${role.padEnd(12)}  ${escapeForTerminal(subject)}, to ${validTo.slice(0, 10)}  ${paint('dim', escapeForTerminal(source))}`,
      ),
      ...notes.map((note) => `  ${paint('dim', escapeForTerminal(note))}`),
      'Destinations',
      ...destinationLines(Array.isArray(kept) ? kept.map(destinationView) : undefined),
      ...mutualCheckLines(checks, paint),
      `${paint('green', '✓')} tested by handshakes over TLS 1.2 and TLS 1.3`,
      options.dryRun
        ? `Nothing was stored: without --dry-run "${name}" would be ${outcome} in ${store.place}.`
        : `${paint('green', '✓')} "${name}" is ${outcome} in ${store.place}${stored === undefined ? '' : `, version ${stored.version}`}.`,
    ],
  );
}

/** The identity that the files make, tested by handshakes, or all findings. */
export async function validateImport(
  inputs: readonly InputFile[],
  ask: AskPassphrase,
  settings: { readonly destinations?: unknown; readonly renewal?: unknown; readonly alias?: string | undefined },
  context: CommandContext,
): Promise<ReadyIdentity | readonly ImportFinding[]> {
  const given = {
    ...(settings.destinations === undefined ? {} : { destinations: settings.destinations }),
    ...(settings.renewal === undefined ? {} : { renewal: settings.renewal }),
  };
  const made = identityFrom(await readFiles(inputs, ask), { ...given, alias: settings.alias, now: context.now() });
  if (!('document' in made)) return made;
  context.output.progress('Testing it by handshakes with a server that trusts only its root.');
  try {
    await prove(made.document, context.now());
    return made;
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return [findingOf(thrown), ...made.warnings];
  }
}

/** Prints the findings and ends with 1. */
export function reportFindings(name: string, findings: readonly ImportFinding[], context: CommandContext): void {
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
