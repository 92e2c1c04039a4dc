// Where an identity may go and how it is renewed, as `import` and `complete` are told it.
import { access } from 'node:fs/promises';
import { usageError } from '../exit-code.ts';
import {
  anyHostSentence,
  type DestinationOptions,
  destinationsFrom,
  destinationsInFile,
  requireNoSettings,
} from './destination-words.ts';
import { readJson } from './input-files.ts';

export interface SettingOptions extends DestinationOptions {
  readonly destination?: readonly string[];
  readonly destinations?: string;
  readonly renewal?: string;
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

/** `manual`, or a file that holds a `renewal` (docs/identities.md), with or without the key around it. Throws a usage error. */
async function renewalFrom(text: string): Promise<unknown> {
  if (/^[a-z-]+$/.test(text) && !(await exists(text))) return { issuer: { kind: text } };
  const value = await readJson(text, '--renewal');
  const isWrapped =
    typeof value === 'object' && value !== null && 'renewal' in value && Object.keys(value).length === 1;
  return isWrapped ? (value as { renewal: unknown }).renewal : value;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

export interface Warning {
  readonly code: string;
  readonly sentence: string;
}

/** What is said of an identity that is stored: where it may go, what was found in its files, and who cannot read it. */
export function allWarnings<Found extends Warning>(
  destinations: unknown,
  found: readonly Found[],
  unreadable: string | undefined,
): readonly (Warning | Found)[] {
  return [
    ...anyHostWarnings(destinations).map((sentence) => ({ code: 'any-public-host', sentence })),
    ...found,
    ...(unreadable === undefined ? [] : [{ code: 'unreadable', sentence: unreadable }]),
  ];
}

/** One at most; what is no list is judged elsewhere. */
function anyHostWarnings(destinations: unknown): readonly string[] {
  if (destinations === undefined) return [anyHostWarning];
  const sentence = Array.isArray(destinations) ? anyHostSentence(destinations) : undefined;
  return sentence === undefined ? [] : [`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`];
}

const anyHostWarning =
  'No destination is listed: the key may go to any public host on port 443. Say --destination, or list them with countersign identity destinations.';

export function noRenewal(): Error {
  return usageError(
    'A directory rotates nothing, so it holds no renewal: renew with countersign identity csr and complete.',
  );
}
