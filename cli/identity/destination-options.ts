// Options for destinations and renewal, parsed to the members of an identity document (docs/destinations.md).

import { access } from 'node:fs/promises';
import * as v from 'valibot';
import { destinationsSchema, issueSentence } from '../../core/destination/schema.ts';
import { canonicalPem } from '../../core/x509/pem.ts';
import { usageError } from '../exit-code.ts';
import { type ReadInput, readFileArgument, readJson } from './input.ts';
import { serverRootWarnings } from './server-roots.ts';

/** Apply to every destination that the command names. */
export interface DestinationOptions {
  readonly requireMutual?: boolean;
  readonly network?: string;
  readonly serverName?: string;
  /** Path of a PEM file. */
  readonly serverRoots?: string;
  readonly pin?: readonly string[];
  readonly probe?: string;
}

/** The options, for error sentences. */
const written: Readonly<Record<keyof DestinationOptions, string>> = {
  requireMutual: '--require-mutual',
  network: '--network',
  serverName: '--server-name',
  serverRoots: '--server-roots',
  pin: '--pin',
  probe: '--probe',
};

/**
 * Throws a usage error if a setting is given without a destination that it applies to: --require-mutual beside a file
 * of destinations would have no effect. `where` ends the sentence.
 */
export function requireNoDestinationSettings(options: DestinationOptions, where: string): void {
  const given = (Object.keys(written) as (keyof DestinationOptions)[]).find((key) => options[key] !== undefined);
  if (given !== undefined) throw usageError(`${written[given]} applies only to destinations that ${where}.`);
}

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** `https://host:port`, `host:port`, `host`, `*.domain`, `[::1]:8443`. Throws a usage error. */
export function parsePlace(text: string): Place {
  if (text.startsWith('http://')) throw usageError(`${text} is not https. An identity is used only with TLS.`);
  const isUrl = text.startsWith('https://');
  const [, host = '', port] = /^(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?$/.exec(isUrl ? authorityOf(text) : text) ?? [];
  if (host === '') throw usageError(`${text} is not a destination. Write host, host:port or https://host:port.`);
  return { host: host.replace(/^\[|\]$/g, '').toLowerCase(), port: port === undefined ? 443 : Number(port) };
}

function authorityOf(url: string): string {
  const [, authority = ''] = /^https:\/\/([^/?#]*)/.exec(url) ?? [];
  if (authority.includes('@')) throw usageError('A destination must not contain a user or a password.');
  return authority;
}

/** The destinations to store, without the default port 443. Throws a usage error. */
export async function parseDestinations(
  texts: readonly string[],
  options: DestinationOptions,
  readInput: ReadInput,
): Promise<readonly object[]> {
  const { requireMutual, network, serverName, serverRoots, pin, probe } = options;
  const roots = serverRoots === undefined ? undefined : canonicalPem(await readFileArgument(serverRoots, readInput));
  const settings = {
    ...(serverName === undefined ? {} : { serverName }),
    ...(roots === undefined ? {} : { serverRoots: roots }),
    ...(pin === undefined || pin.length === 0 ? {} : { serverPins: pin }),
    ...(requireMutual ? { requireMutual } : {}),
    ...(network === undefined ? {} : { network }),
    ...(probe === undefined ? {} : { probe: { path: probe } }),
  };
  const destinations = texts.map((text) => {
    const { host, port } = parsePlace(text);
    return { host, ...(port === 443 ? {} : { port }), ...settings };
  });
  const result = parsed(destinations);
  if (!result.success) throw usageError(asWritten(result.issues[0], texts));
  return destinations;
}

/** Names the option instead of the member of the document. */
function asWritten(issue: v.BaseIssue<unknown>, texts: readonly string[]): string {
  const [, index, key, ...inside] = (issue.path ?? []).map((one) => one.key);
  const option = typeof key === 'string' && Object.hasOwn(optionOf, key) ? optionOf[key] : undefined;
  if (option !== undefined) {
    const last = inside.findLast((one) => typeof one === 'string' && one !== 'path');
    return `${option} ${last === undefined ? '' : `(${String(last)}) `}${issue.message}.`;
  }
  const text = texts[Number(index)] ?? '';
  return key === undefined ? `${text} ${issue.message}.` : `${text}: the ${String(key)} ${issue.message}.`;
}

const optionOf: Readonly<Record<string, string>> = {
  requireMutual: written.requireMutual,
  network: written.network,
  serverName: written.serverName,
  serverRoots: written.serverRoots,
  serverPins: written.pin,
  probe: written.probe,
};

/** Reads a JSON list from a file. Throws a usage error. */
export async function readDestinations(path: string, option: string, readInput: ReadInput): Promise<readonly object[]> {
  return checkedDestinations(await readJson(path, option, readInput));
}

/** Returns the list as it was given, not as the schema completes it, because it is stored. Throws a usage error. */
export function checkedDestinations(value: unknown): readonly object[] {
  const result = parsed(value);
  if (!result.success) throw usageError(issueSentence(result.issues[0]));
  return value as readonly object[];
}

function parsed(value: unknown) {
  return v.safeParse(v.object({ destinations: destinationsSchema }), { destinations: value }, { abortEarly: true });
}

/** A sentence if one of the destinations is `*`. */
export function anyHostSentence(destinations: readonly unknown[]): string | undefined {
  const any = destinations.find((one) => isAnyHost(one)) as { readonly port?: number; readonly network?: string };
  if (any === undefined) return undefined;
  const network = any.network === undefined || any.network === 'public' ? 'public ' : '';
  return `the destination * allows any ${network}host on port ${any.port ?? 443}.`;
}

function isAnyHost(destination: unknown): boolean {
  return (destination as { readonly host?: unknown } | null)?.host === '*';
}

/** Whether a stored destination has that host and port. */
export function matchesPlace(destination: unknown, place: Place): boolean {
  const { host, port = 443 } = (destination ?? {}) as Record<string, unknown>;
  return (
    String(host)
      .toLowerCase()
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '') === place.host.replace(/\.$/, '') && port === place.port
  );
}

export interface SettingOptions extends DestinationOptions {
  readonly destination?: readonly string[];
  readonly destinations?: string;
  readonly renewal?: string;
}

/** Members are absent without their options. Throws a usage error. */
export async function readIdentitySettings(
  options: SettingOptions,
  readInput: ReadInput,
): Promise<{ destinations?: readonly object[]; renewal?: unknown }> {
  const { destination = [], destinations, renewal } = options;
  if (destination.length > 0 && destinations !== undefined)
    throw usageError('Give --destination or --destinations, not both.');
  if (destination.length === 0)
    requireNoDestinationSettings(options, '--destination names. In a file each destination has its own settings');
  const list =
    destinations === undefined
      ? destination.length === 0
        ? undefined
        : await parseDestinations(destination, options, readInput)
      : await readDestinations(destinations, '--destinations', readInput);
  return {
    ...(list === undefined ? {} : { destinations: list }),
    ...(renewal === undefined ? {} : { renewal: await readRenewal(renewal, readInput) }),
  };
}

/** A kind of issuer, or a JSON file with a `renewal` (docs/identities.md) or its value. Throws a usage error. */
async function readRenewal(text: string, readInput: ReadInput): Promise<unknown> {
  if (/^[a-z-]+$/.test(text) && !(await exists(text))) return { issuer: { kind: text } };
  const value = await readJson(text, '--renewal', readInput);
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

/** Warnings about a stored identity: destinations, findings of the import, readers. */
export function identityWarnings<Found extends Warning>(
  destinations: unknown,
  found: readonly Found[],
  unreadable: string | undefined,
  now: number,
): readonly (Warning | Found)[] {
  return [
    ...anyHostWarnings(destinations).map((sentence) => ({ code: 'any-public-host', sentence })),
    ...serverRootWarnings(destinations, now).map(({ code, sentence }) => ({ code, sentence })),
    ...found,
    ...(unreadable === undefined ? [] : [{ code: 'unreadable', sentence: unreadable }]),
  ];
}

/** Other members than lists are checked elsewhere. */
function anyHostWarnings(destinations: unknown): readonly string[] {
  if (destinations === undefined) return [anyHostWarning];
  const sentence = Array.isArray(destinations) ? anyHostSentence(destinations) : undefined;
  return sentence === undefined ? [] : [`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`];
}

const anyHostWarning =
  'No destination is listed, so the identity can be presented to any public host on port 443. Give --destination, or list them with countersign identity destinations.';
