// `identity import`: files become an identity, judged and proved before it is stored, or all that is in the way is said.
import { basename } from 'node:path';
import { CountersignError } from '../../functions/errors.ts';
import { maxDocumentBytes } from '../../functions/identity/document.ts';
import type { CommandContext } from '../context.ts';
import { exitCodes, refusal, usageError } from '../exit-code.ts';
import type { AskPassphrase, InputFile } from '../import/contents.ts';
import { type Finding, findingOf } from '../import/finding.ts';
import { type ImportedDocument, identityFrom, type ReadyIdentity } from '../import/identity-from.ts';
import { prove } from '../import/prove.ts';
import { readFiles } from '../import/read-files.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import { harmless } from '../terminal-text.ts';
import { carriedOver, requireName, requireNoRotation, wasChanged } from './change.ts';
import { describeDestination } from './described.ts';
import {
  type DestinationOptions,
  destinationsFrom,
  destinationsInFile,
  renewalFrom,
  requireNoSettings,
} from './destination-words.ts';
import { readInputFiles } from './input-files.ts';
import { destinationLines } from './lines.ts';
import { type PassphraseOptions, passphraseFrom } from './passphrase.ts';

export interface SettingOptions extends DestinationOptions {
  readonly destination?: readonly string[];
  readonly destinations?: string;
  readonly renewal?: string;
}

export interface ImportOptions extends WriteOptions, PassphraseOptions, SettingOptions {
  readonly dryRun?: boolean;
  readonly replace?: boolean;
}

export async function importIdentity(
  name: string,
  files: readonly string[],
  options: ImportOptions,
  context: CommandContext,
): Promise<void> {
  requireName(name);
  const ask = await passphraseFrom(options, context);
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
  const judged = await judgedIdentity(inputs, ask, { destinations, renewal }, context);
  if (!('document' in judged)) return refuse(name, judged, context);
  const { document, chain, warnings, notes } = judged;
  const text = JSON.stringify({ ...members, ...document });
  requireSize(text);

  const outcome = state?.hasCurrent ? 'replaced' : 'imported';
  if (!options.dryRun) {
    interrupted.throwIfAborted();
    context.output.progress(`Storing it in ${store.place}.`);
    if ((await store.activate(name, text, { instead: state?.holder })) === 'changed') throw wasChanged(name);
  }
  const sayings = [
    ...(destinations === undefined ? [anyHostWarning] : []),
    ...warnings.map(({ sentence }) => sentence),
  ];
  for (const sentence of sayings) context.output.warn(sentence);
  const stored = options.dryRun ? undefined : await store.read(name, 'AWSCURRENT');
  const { paint } = context.output;
  context.output.answer(
    {
      identity: name,
      outcome: options.dryRun ? `would-be-${outcome}` : outcome,
      place: store.place,
      ...(stored === undefined ? {} : { version: stored.version }),
      chain,
      ...(Array.isArray(destinations) ? { destinations: destinations.map(describeDestination) } : {}),
      warnings: [
        ...(destinations === undefined ? [{ code: 'any-public-host', sentence: anyHostWarning }] : []),
        ...warnings,
      ],
      notes,
    },
    () => [
      ...chain.map(
        ({ role, subject, validTo, source }) =>
          `  ${role.padEnd(12)}  ${harmless(subject)}, to ${validTo.slice(0, 10)}  ${paint('dim', harmless(source))}`,
      ),
      ...notes.map((note) => `  ${paint('dim', harmless(note))}`),
      'Destinations',
      ...destinationLines(Array.isArray(destinations) ? destinations.map(describeDestination) : undefined),
      `${paint('green', '✓')} proved by handshakes over TLS 1.2 and TLS 1.3`,
      options.dryRun
        ? `Nothing was stored: without --dry-run "${name}" would be ${outcome} in ${store.place}.`
        : `${paint('green', '✓')} "${name}" is ${outcome} in ${store.place}${stored === undefined ? '' : `, version ${stored.version}`}.`,
    ],
  );
}

export const anyHostWarning =
  'No destination is listed: the key may go to any public host on port 443. Say --destination, or list them with countersign identity destinations.';

export function noRenewal(): Error {
  return usageError(
    'A directory rotates nothing, so it holds no renewal: renew with countersign identity csr and complete.',
  );
}

/** Throws a usage error. Both undefined where nothing was said. */
export async function settingsFrom(
  options: SettingOptions,
): Promise<{ destinations?: readonly object[]; renewal?: unknown }> {
  const { destination = [], destinations, renewal } = options;
  if (destination.length > 0 && destinations !== undefined)
    throw usageError('Give --destination or --destinations, not both.');
  if (destination.length === 0) requireNoSettings(options, '--destination names; in a file each has its own');
  const list =
    destinations === undefined
      ? destination.length === 0
        ? undefined
        : await destinationsFrom(destination, options)
      : await destinationsInFile(destinations, '--destinations');
  return {
    ...(list === undefined ? {} : { destinations: list }),
    ...(renewal === undefined ? {} : { renewal: await renewalFrom(renewal) }),
  };
}

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
    await proveNow(made.document, context);
    return made;
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return [findingOf(thrown), ...made.warnings];
  }
}

async function proveNow(document: ImportedDocument, context: CommandContext): Promise<void> {
  await prove(document, context.now());
}

/** Secrets Manager's limit, and that of the functions for a directory. */
export function requireSize(document: string): void {
  const bytes = Buffer.byteLength(document);
  if (bytes <= maxDocumentBytes) return;
  throw refusal(
    'document-too-large',
    `The identity document would have ${bytes} bytes; ${maxDocumentBytes} is the most.`,
  );
}

/** Every finding, and the exit code that says no. */
export function refuse(name: string, findings: readonly Finding[], context: CommandContext): void {
  const { output } = context;
  output.answer({ identity: name, outcome: 'refused', findings }, () => [
    ...findings.map(({ severity, code, sentence }) => {
      const mark = severity === 'error' ? output.paint('red', '✗') : output.paint('yellow', '!');
      return `${mark} ${harmless(sentence)} ${output.paint('dim', `(${code})`)}`;
    }),
    `"${basename(name)}" is refused; nothing was stored.`,
  ]);
  context.end(exitCodes.refused);
}
