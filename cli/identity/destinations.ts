// `identity destinations`: lists and changes the destinations of an identity, without losing concurrent changes.
import { CountersignError } from '../../core/errors.ts';
import { parseDocument } from '../../core/identity/document.ts';
import type { CommandContext } from '../context.ts';
import { refusal, usageError } from '../exit-code.ts';
import type { IdentityState, IdentityStore } from '../store/identity-store.ts';
import { openStore, type WriteOptions } from '../store/open-store.ts';
import {
  changedMeanwhile,
  currentMembers,
  requireIdentity,
  requireNoRotation,
  requireSize,
  warnOfUnreadable,
} from './change.ts';
import {
  anyHostSentence,
  checkedDestinations,
  type DestinationOptions,
  matchesPlace,
  parseDestinations,
  parsePlace,
  readDestinations,
  requireNoDestinationSettings,
} from './destination-options.ts';
import { clientCertificateOf, destinationLines, destinationView, parseMembers } from './identity-view.ts';
import {
  checkMutual,
  type MutualCheck,
  mutualCheckLines,
  type ReachOption,
  withRequireMutual,
} from './mutual-check.ts';
import { serverRootWarnings } from './server-roots.ts';

export interface ChangeOptions extends WriteOptions, DestinationOptions, ReachOption {
  readonly file?: string;
  readonly dryRun?: boolean;
}

interface Change {
  /** The new list. */
  made(present: readonly unknown[] | undefined): readonly unknown[];
  /** At its end. */
  readonly added: readonly object[];
}

/** Attempts when another process changes the identity at the same time. */
const attempts = 3;

export async function listDestinations(name: string, options: ChangeOptions, context: CommandContext): Promise<void> {
  requireNoDestinationSettings(options, 'are added or set');
  if (options.dryRun) throw usageError('--dry-run works only with add, remove and set.');
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
  const added = await parseDestinations(places, options, context.readInput);
  const made: Change['made'] = (present = []) => {
    for (const text of places) {
      if (present.some((one) => matchesPlace(one, parsePlace(text)))) {
        throw refusal(
          'destination-exists',
          `${text} is a destination of "${name}" already. To change its settings, remove it and add it again, or set all destinations.`,
        );
      }
    }
    return present;
  };
  await change(name, options, context, { made, added });
}

export async function removeDestinations(
  name: string,
  places: readonly string[],
  options: ChangeOptions,
  context: CommandContext,
): Promise<void> {
  requireNoDestinationSettings(options, 'are added or set');
  const removed = places.map(parsePlace);
  const made: Change['made'] = (present) => {
    if (present === undefined) {
      throw refusal(
        'destination-missing',
        `"${name}" lists no destination, so it can be presented to any public host. Set the destinations that it needs.`,
      );
    }
    for (const [index, place] of removed.entries()) {
      if (!present.some((one) => matchesPlace(one, place))) {
        throw refusal(
          'destination-missing',
          `${places[index]} is not a destination of "${name}". The port must match, and * matches only the destination *.`,
        );
      }
    }
    return present.filter((one) => !removed.some((place) => matchesPlace(one, place)));
  };
  await change(name, options, context, { made, added: [] });
}

export async function setDestinations(
  name: string,
  places: readonly string[],
  options: ChangeOptions,
  context: CommandContext,
): Promise<void> {
  if (places.length > 0 === (options.file !== undefined)) throw usageError('Give either destinations or --file.');
  if (options.file !== undefined)
    requireNoDestinationSettings(options, 'the command line names. In a file each destination has its own settings');
  const wanted =
    options.file === undefined
      ? await parseDestinations(places, options, context.readInput)
      : await readDestinations(options.file, '--file', context.readInput);
  await change(name, options, context, { made: () => wanted, added: [] });
}

async function change(
  name: string,
  options: ChangeOptions,
  context: CommandContext,
  { made, added }: Change,
): Promise<void> {
  const store = await openStore(options, context);
  const { interrupted } = context;
  let checks: readonly MutualCheck[] | undefined;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const state = await requireValue(name, store);
    // A renewal of a directory takes up changed destinations.
    if (store.renewals === undefined) requireNoRotation(name, state, store);
    const members = await currentMembers(name, state, store);
    const present = presentOf(members);
    const others = made(present);
    const unproven = checkedDestinations([...others, ...added]);
    // Once, however often the list is made.
    checks ??= await checkMutual(name, JSON.stringify({ ...members, destinations: unproven }), added, options, context);
    const destinations = checkedDestinations([...others, ...withRequireMutual(added, checks)]);
    if (present === undefined)
      context.output.warn(
        `Until now "${name}" could be presented to any public host on port 443. From now on only to the listed destinations.`,
      );
    if (present !== undefined) warnOfAnyHost(name, present, destinations, context);
    for (const { sentence } of serverRootWarnings(destinations, context.now())) context.output.warn(sentence);
    if (destinations.length === 0) context.output.warn(`"${name}" has no destinations now and cannot be used.`);
    if (options.dryRun) return show(name, destinations, 'would-be-changed', store, context, checks);
    const document = JSON.stringify({ ...members, destinations });
    requireSize(document);
    requireReadable(document);
    interrupted.throwIfAborted();
    context.output.progress(`Storing it in ${store.place}.`);
    const keepsPrevious = await hasAnotherPrevious(name, state, members, store);
    if ((await store.activate(name, document, { instead: state.holder, keepsPrevious })) === 'changed') continue;
    await warnOfRotation(name, store, context);
    await warnOfUnreadable(name, store, context);
    return show(name, destinations, 'changed', store, context, checks);
  }
  throw changedMeanwhile(name);
}

/** Warns if `*` is new. */
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

/** An identity that waits for its first certificate has no destinations yet, which does not mean any public host. */
async function requireValue(name: string, store: IdentityStore): Promise<IdentityState> {
  const state = await requireIdentity(name, store);
  if (state.hasCurrent) return state;
  throw refusal(
    'no-version',
    `"${name}" waits for its first certificate and has no destinations yet. Give them to countersign identity complete.`,
  );
}

/**
 * A previous version with another certificate stays: rollbacks and customers that do not trust the current one need it.
 */
async function hasAnotherPrevious(
  name: string,
  { hasPrevious }: IdentityState,
  members: Readonly<Record<string, unknown>>,
  store: IdentityStore,
): Promise<boolean> {
  if (!hasPrevious) return false;
  const previous = await store.read(name, 'AWSPREVIOUS').catch(() => undefined);
  const before = clientCertificateOf(parseMembers(previous?.document ?? ''))?.fingerprint256;
  return before !== undefined && before !== clientCertificateOf(members)?.fingerprint256;
}

/** A rotation that read the document before this change undoes it when it ends. */
async function warnOfRotation(name: string, store: IdentityStore, context: CommandContext): Promise<void> {
  if (store.renewals === undefined && (await store.state(name))?.pending?.hasValue) {
    context.output.warn(
      `A rotation of "${name}" began at the same moment and can undo this change when it ends. Check the destinations then.`,
    );
  }
}

/** Only the form of the document must be valid: an identity that is unusable for another reason can be changed. */
function requireReadable(document: string): void {
  try {
    parseDocument(document);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    throw refusal('identity-unusable', `The stored document cannot be changed: ${thrown.message}`);
  }
}

/** Undefined if none are listed. Another value than a list is refused: to ignore it would allow any public host. */
function presentOf({ destinations }: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  if (destinations === undefined || Array.isArray(destinations)) return destinations;
  throw refusal(
    'destinations-malformed',
    'The stored destinations are not a list. Import the identity again with --replace.',
  );
}

function show(
  name: string,
  destinations: readonly unknown[] | undefined,
  outcome: string,
  store: IdentityStore,
  context: CommandContext,
  checks: readonly MutualCheck[] = [],
): void {
  const shown = destinations?.map(destinationView);
  const mutualChecks = checks.length > 0 ? { mutualChecks: checks } : {};
  context.output.answer(
    { identity: name, outcome, place: store.place, destinations: shown ?? null, ...mutualChecks },
    () => [
      `${context.output.paint('bold', name)}  ${store.place}${outcome === 'would-be-changed' ? '  (nothing was stored)' : ''}`,
      ...destinationLines(shown),
      ...mutualCheckLines(checks, context.output.paint),
    ],
  );
}
