// `identity destinations`: where an identity may go, changed one by one or all at once, without losing what another changes meanwhile.
import { CountersignError } from '../../core/errors.ts';
import { parseDocument } from '../../core/identity/document.ts';
import type { CommandContext } from '../context.ts';
import { refusal, usageError } from '../exit-code.ts';
import type { IdentityState, IdentityStore } from '../store/identity-store.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import {
  currentMembers,
  requireIdentity,
  requireNoRotation,
  requireSize,
  warnOfReaders,
  wasChanged,
} from './change.ts';
import { clientCertificateOf, destinationView, membersOrNone } from './described.ts';
import {
  anyHostSentence,
  checkedDestinations,
  type DestinationOptions,
  destinationsFrom,
  destinationsInFile,
  isAt,
  placeFrom,
  requireNoSettings,
} from './destination-words.ts';
import { destinationLines } from './lines.ts';

export interface ChangeOptions extends WriteOptions, DestinationOptions {
  readonly file?: string;
  readonly dryRun?: boolean;
}

type Change = (present: readonly unknown[] | undefined) => readonly unknown[];

/** Somebody else was first: looked at again and done again, this often. */
const attempts = 3;

export async function listDestinations(name: string, options: ChangeOptions, context: CommandContext): Promise<void> {
  requireNoSettings(options, 'are added or set');
  if (options.dryRun) throw usageError('--dry-run is for add, remove and set.');
  const store = await openStore(options, context);
  const state = await requireValue(name, store);
  show(name, presentOf(await currentMembers(name, state, store)), 'unchanged', store, context);
}

export async function addDestinations(
  name: string,
  places: readonly string[],
  options: ChangeOptions,
  context: CommandContext,
): Promise<void> {
  const added = await destinationsFrom(places, options);
  await change(name, options, context, (present = []) => {
    for (const text of places) {
      if (present.some((one) => isAt(one, placeFrom(text)))) {
        throw refusal(
          'destination-exists',
          `${text} is a destination of "${name}" already: to change how it is reached, remove it and add it again, or set them all.`,
        );
      }
    }
    return [...present, ...added];
  });
}

export async function removeDestinations(
  name: string,
  places: readonly string[],
  options: ChangeOptions,
  context: CommandContext,
): Promise<void> {
  requireNoSettings(options, 'are added or set');
  const removed = places.map(placeFrom);
  await change(name, options, context, (present) => {
    if (present === undefined) {
      throw refusal(
        'destination-missing',
        `"${name}" lists no destination, so it may go to any public host: set those it may go to.`,
      );
    }
    for (const [index, place] of removed.entries()) {
      if (!present.some((one) => isAt(one, place))) {
        throw refusal(
          'destination-missing',
          `${places[index]} is no destination of "${name}" (the port counts, and * is a destination of its own).`,
        );
      }
    }
    return present.filter((one) => !removed.some((place) => isAt(one, place)));
  });
}

export async function setDestinations(
  name: string,
  places: readonly string[],
  options: ChangeOptions,
  context: CommandContext,
): Promise<void> {
  if (places.length > 0 === (options.file !== undefined))
    throw usageError('Give destinations, or a list of them with --file.');
  if (options.file !== undefined) requireNoSettings(options, 'the command line names; in a file each has its own');
  const wanted =
    options.file === undefined
      ? await destinationsFrom(places, options)
      : await destinationsInFile(options.file, '--file');
  await change(name, options, context, () => wanted);
}

async function change(name: string, options: ChangeOptions, context: CommandContext, made: Change): Promise<void> {
  const store = await openStore(options, context);
  const { interrupted } = context;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const state = await requireValue(name, store);
    requireNoRotation(name, state);
    const members = await currentMembers(name, state, store);
    const present = presentOf(members);
    const destinations = checkedDestinations(made(present));
    if (present === undefined)
      context.output.warn(
        `Until now "${name}" could go to any public host on port 443; from now on only where it is listed.`,
      );
    if (present !== undefined) warnOfAnyHost(name, present, destinations, context);
    if (destinations.length === 0) context.output.warn(`"${name}" may go nowhere now.`);
    if (options.dryRun) return show(name, destinations, 'would-be-changed', store, context);
    const document = JSON.stringify({ ...members, destinations });
    requireSize(document);
    requireReadable(document);
    interrupted.throwIfAborted();
    context.output.progress(`Storing it in ${store.place}.`);
    const keepsPrevious = await hasAnotherPrevious(name, state, members, store);
    if ((await store.activate(name, document, { instead: state.holder, keepsPrevious })) === 'changed') continue;
    await warnOfRotation(name, store, context);
    await warnOfReaders(name, store, context);
    return show(name, destinations, 'changed', store, context);
  }
  throw wasChanged(name);
}

/** Where `*` is new. What lists none went to any host before. */
function warnOfAnyHost(
  name: string,
  present: readonly unknown[],
  destinations: readonly unknown[],
  context: CommandContext,
): void {
  const before = anyHostSentence(present);
  const sentence = anyHostSentence(destinations);
  if (sentence !== undefined && sentence !== before) context.output.warn(`"${name}": ${sentence}`);
}

/** A request that waits for its first certificate has no destinations, which is not the same as any public host. */
async function requireValue(name: string, store: IdentityStore): Promise<IdentityState> {
  const state = await requireIdentity(name, store);
  if (state.hasCurrent) return state;
  throw refusal(
    'no-version',
    `"${name}" waits for its first certificate and has no destinations yet: say them with countersign identity complete.`,
  );
}

/** What a rollback goes back to, and what customers are served with that do not trust the current one yet, is another certificate: it stays. */
async function hasAnotherPrevious(
  name: string,
  { hasPrevious }: IdentityState,
  members: Readonly<Record<string, unknown>>,
  store: IdentityStore,
): Promise<boolean> {
  if (!hasPrevious) return false;
  const previous = await store.read(name, 'AWSPREVIOUS').catch(() => undefined);
  const before = clientCertificateOf(membersOrNone(previous?.document ?? ''))?.fingerprint256;
  return before !== undefined && before !== clientCertificateOf(members)?.fingerprint256;
}

/** A rotation that had read the document before may put its value after: then its end undoes this. */
async function warnOfRotation(name: string, store: IdentityStore, context: CommandContext): Promise<void> {
  if ((await store.look(name))?.pending?.hasValue) {
    context.output.warn(
      `A rotation of "${name}" began at the same moment, and may undo this when it ends: look at the destinations again then.`,
    );
  }
}

/** A document that was unusable for another reason may be changed all the same: its form alone counts. */
function requireReadable(document: string): void {
  try {
    parseDocument(document);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    throw refusal('identity-unusable', `What is stored cannot be changed in part: ${thrown.message}`);
  }
}

/** Undefined when none are listed. What is no list must not be taken for that: it would open the identity to every host. */
function presentOf({ destinations }: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  if (destinations === undefined || Array.isArray(destinations)) return destinations;
  throw refusal(
    'destinations-malformed',
    'What is stored as destinations is no list: import the identity again with --replace.',
  );
}

function show(
  name: string,
  destinations: readonly unknown[] | undefined,
  outcome: string,
  store: IdentityStore,
  context: CommandContext,
): void {
  const shown = destinations?.map(destinationView);
  context.output.answer({ identity: name, outcome, place: store.place, destinations: shown ?? null }, () => [
    `${context.output.paint('bold', name)}  ${store.place}${outcome === 'would-be-changed' ? '  (nothing was stored)' : ''}`,
    ...destinationLines(shown),
  ]);
}
