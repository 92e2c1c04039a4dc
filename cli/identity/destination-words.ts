// Destinations as people write them on a command line, made into those of an identity document (docs/destinations.md).
import * as v from 'valibot';
import { destinationsSchema, issueSentence } from '../../core/destination/schema.ts';
import { usageError } from '../exit-code.ts';
import { readInput, readJson } from './input-files.ts';

/** Settings for every destination that one command names. */
export interface DestinationOptions {
  readonly requireMutual?: boolean;
  readonly network?: string;
  readonly serverName?: string;
  /** Path of a PEM file. */
  readonly serverRoots?: string;
  readonly pin?: readonly string[];
  readonly probe?: string;
}

/** How each is written, for the sentence that names it. */
const written: Readonly<Record<keyof DestinationOptions, string>> = {
  requireMutual: '--require-mutual',
  network: '--network',
  serverName: '--server-name',
  serverRoots: '--server-roots',
  pin: '--pin',
  probe: '--probe',
};

/**
 * Throws a usage error where one is given and no destination that it could be for: whoever says --require-mutual beside a
 * file of destinations must not believe that it counts. `where` ends the sentence.
 */
export function requireNoSettings(options: DestinationOptions, where: string): void {
  const given = (Object.keys(written) as (keyof DestinationOptions)[]).find((key) => options[key] !== undefined);
  if (given !== undefined) throw usageError(`${written[given]} is about destinations that ${where}.`);
}

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** `https://host:port`, `host:port`, `host`, `*.domain`, `[::1]:8443`. Throws a usage error. */
export function placeFrom(text: string): Place {
  if (text.startsWith('http://')) throw usageError(`${text} is not https: an identity goes over TLS alone.`);
  const isUrl = text.startsWith('https://');
  const [, host = '', port] = /^(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?$/.exec(isUrl ? authorityOf(text) : text) ?? [];
  if (host === '') throw usageError(`${text} is no destination: write host, host:port or https://host:port.`);
  return { host: host.replace(/^\[|\]$/g, '').toLowerCase(), port: port === undefined ? 443 : Number(port) };
}

function authorityOf(url: string): string {
  const [, authority = ''] = /^https:\/\/([^/?#]*)/.exec(url) ?? [];
  if (authority.includes('@')) throw usageError('A destination holds no user and no password.');
  return authority;
}

/** As they are to be stored: the port is left out where it is 443. Throws a usage error. */
export async function destinationsFrom(
  texts: readonly string[],
  options: DestinationOptions,
): Promise<readonly object[]> {
  const { requireMutual, network, serverName, serverRoots, pin, probe } = options;
  const roots = serverRoots === undefined ? undefined : (await readInput(serverRoots)).toString('utf8');
  const settings = {
    ...(serverName === undefined ? {} : { serverName }),
    ...(roots === undefined ? {} : { serverRoots: roots }),
    ...(pin === undefined || pin.length === 0 ? {} : { serverPins: pin }),
    ...(requireMutual ? { requireMutual } : {}),
    ...(network === undefined ? {} : { network }),
    ...(probe === undefined ? {} : { probe: { path: probe } }),
  };
  const destinations = texts.map((text) => {
    const { host, port } = placeFrom(text);
    return { host, ...(port === 443 ? {} : { port }), ...settings };
  });
  const result = parsed(destinations);
  if (!result.success) throw usageError(asWritten(result.issues[0], texts));
  return destinations;
}

/** Whoever wrote options looks for those, and not for the keys of a document. */
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

/** A JSON list in the file that the option names. Throws a usage error. */
export async function destinationsInFile(path: string, option: string): Promise<readonly object[]> {
  return checkedDestinations(await readJson(path, option));
}

/** The list itself, not what the check makes of it: what a person wrote is what is stored. */
export function checkedDestinations(value: unknown): readonly object[] {
  const result = parsed(value);
  if (!result.success) throw usageError(issueSentence(result.issues[0]));
  return value as readonly object[];
}

function parsed(value: unknown) {
  return v.safeParse(v.object({ destinations: destinationsSchema }), { destinations: value }, { abortEarly: true });
}

/** Undefined where each destination has a host, or a domain at least. */
export function anyHostSentence(destinations: readonly unknown[]): string | undefined {
  const any = destinations.find((one) => isAnyHost(one)) as { readonly port?: number; readonly network?: string };
  if (any === undefined) return undefined;
  const network = any.network === undefined || any.network === 'public' ? 'public ' : '';
  return `the destination * lets the key go to any ${network}host on port ${any.port ?? 443}.`;
}

function isAnyHost(destination: unknown): boolean {
  return (destination as { readonly host?: unknown } | null)?.host === '*';
}

/** Whether a stored destination is the one at that place; what cannot be read is none. */
export function isAt(destination: unknown, place: Place): boolean {
  const { host, port = 443 } = (destination ?? {}) as Record<string, unknown>;
  return (
    String(host)
      .toLowerCase()
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '') === place.host.replace(/\.$/, '') && port === place.port
  );
}
