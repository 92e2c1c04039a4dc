// `identity import`: files become an identity, judged and proved before it is stored, or all that is in the way is said.

import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import type { CommandContext } from '../context.ts';
import { refusal, usageError } from '../exit-code.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import { carriedOver, requireName, requireNoRotation, requireSize, wasChanged } from './change.ts';
import { destinationView } from './described.ts';
import { readInputFiles } from './input-files.ts';
import { judgedIdentity, refuse } from './judged.ts';
import { destinationLines } from './lines.ts';
import { type PassphraseOptions, passphraseFrom } from './passphrase.ts';
import { allWarnings, noRenewal, type SettingOptions, settingsFrom } from './settings.ts';

export interface ImportOptions extends WriteOptions, PassphraseOptions, SettingOptions {
  readonly dryRun?: boolean;
  readonly replace?: boolean;
}

/** Where it was forgotten, the first file stands in its place. */
function requireNameFirst(name: string): void {
  if (/[./\\]/.test(name)) {
    throw usageError(
      `"${name}" stands where the name of the identity belongs: countersign identity import NAME FILES, where NAME is 1 to 63 lower-case letters, digits and hyphens.`,
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
  const passphrase = await passphraseFrom(options, context);
  const given = await settingsFrom(options);
  const inputs = await readInputFiles(files);
  const store = await openStore(options, context);
  if (given.renewal !== undefined && !store.keepsRenewal) throw noRenewal();

  // From here on Ctrl-C waits for what must be done whole.
  const { interrupted } = context;
  const state = await store.look(name);
  if (state?.hasCurrent && !options.replace) {
    throw refusal(
      'identity-exists',
      `There is an identity "${name}" in ${store.place}: say --replace to make this a new version of it.`,
    );
  }
  if (state) requireNoRotation(name, state);
  const members = await carriedOver(name, state, store, given.destinations !== undefined);
  const { destinations = members.destinations, renewal = members.renewal } = given;

  context.output.progress(`Reading ${inputs.length === 1 ? 'one file' : `${inputs.length} files`}.`);
  const judged = await judgedIdentity(inputs, passphrase.ask, { destinations, renewal }, context);
  if (!('document' in judged)) {
    if (judged.some(({ code }) => code === 'passphrase-wrong') && passphrase.endsWithBlank()) {
      context.output.warn('The passphrase ends with a blank, which counts.');
    }
    return refuse(name, judged, context);
  }
  const { document, chain, warnings, notes } = judged;
  const text = JSON.stringify({ ...members, ...document });
  requireSize(text);

  const outcome = state?.hasCurrent ? 'replaced' : 'imported';
  if (!options.dryRun) {
    interrupted.throwIfAborted();
    context.output.progress(`Storing it in ${store.place}.`);
    if ((await store.activate(name, text, { instead: state?.holder })) === 'changed') throw wasChanged(name);
  }
  const unreadable = options.dryRun ? undefined : await store.unreadable?.(name);
  const told = allWarnings(destinations, warnings, unreadable);
  for (const { sentence } of told) context.output.warn(sentence);
  const stored = options.dryRun ? undefined : await store.read(name, 'AWSCURRENT');
  const { paint } = context.output;
  context.output.answer(
    {
      identity: name,
      outcome: options.dryRun ? `would-be-${outcome}` : outcome,
      place: store.place,
      ...(stored === undefined ? {} : { version: stored.version }),
      chain,
      ...(Array.isArray(destinations) ? { destinations: destinations.map(destinationView) } : {}),
      warnings: told,
      notes,
    },
    () => [
      ...chain.map(
        ({ role, subject, validTo, source }) =>
          `  ${role.padEnd(12)}  ${escapeForTerminal(subject)}, to ${validTo.slice(0, 10)}  ${paint('dim', escapeForTerminal(source))}`,
      ),
      ...notes.map((note) => `  ${paint('dim', escapeForTerminal(note))}`),
      'Destinations',
      ...destinationLines(Array.isArray(destinations) ? destinations.map(destinationView) : undefined),
      `${paint('green', '✓')} proved by handshakes over TLS 1.2 and TLS 1.3`,
      options.dryRun
        ? `Nothing was stored: without --dry-run "${name}" would be ${outcome} in ${store.place}.`
        : `${paint('green', '✓')} "${name}" is ${outcome} in ${store.place}${stored === undefined ? '' : `, version ${stored.version}`}.`,
    ],
  );
}
