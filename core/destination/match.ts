// Which destination of an identity a host and port fall under: the most specific one, found without searching the list.
import type { Destination } from './destination.ts';

/** Destinations by what their host says; those with the same host differ in their port, and are few. */
interface Index {
  readonly exact: ReadonlyMap<string, readonly Destination[]>;
  /** By what follows the `*.`. */
  readonly wildcard: ReadonlyMap<string, readonly Destination[]>;
  readonly any: readonly Destination[];
}

/** Lists are never changed once checked, so an index lives as long as its list. */
const indexes = new WeakMap<readonly Destination[], Index>();

/**
 * Exact host, then `*.example.com` (exactly one label), then `*`; the port must be equal. `host` as Target has it.
 * `*` covers addresses too: which ones is for the destination's network to say, and a name could lead to them anyway.
 */
export function matchDestination(
  destinations: readonly Destination[],
  host: string,
  port: number,
): Destination | undefined {
  let index = indexes.get(destinations);
  if (!index) {
    index = buildIndex(destinations);
    indexes.set(destinations, index);
  }
  return (
    onPort(index.exact.get(host), port) ??
    (index.wildcard.size > 0 ? onPort(index.wildcard.get(parentOf(host)), port) : undefined) ??
    onPort(index.any, port)
  );
}

/** The ports on which the host would be allowed, ascending; for the words of a refusal. */
export function allowedPorts(destinations: readonly Destination[], host: string): readonly number[] {
  const parent = `*.${parentOf(host)}`;
  const ports = destinations
    .filter((destination) => [host, parent, '*'].includes(destination.host))
    .map((destination) => destination.port);
  return [...new Set(ports)].sort((a, b) => a - b);
}

function onPort(destinations: readonly Destination[] | undefined, port: number): Destination | undefined {
  if (!destinations) return undefined;
  for (const destination of destinations) if (destination.port === port) return destination;
  return undefined;
}

/** What follows the first label; empty for a single label. */
function parentOf(host: string): string {
  const dot = host.indexOf('.');
  return dot > 0 ? host.slice(dot + 1) : '';
}

function buildIndex(destinations: readonly Destination[]): Index {
  const exact = new Map<string, Destination[]>();
  const wildcard = new Map<string, Destination[]>();
  const any: Destination[] = [];
  for (const destination of destinations) {
    const { host } = destination;
    if (host === '*') any.push(destination);
    else if (host.startsWith('*.')) append(wildcard, host.slice(2), destination);
    else append(exact, host, destination);
  }
  return { exact, wildcard, any };
}

function append(map: Map<string, Destination[]>, key: string, destination: Destination): void {
  const list = map.get(key);
  if (list) list.push(destination);
  else map.set(key, [destination]);
}
