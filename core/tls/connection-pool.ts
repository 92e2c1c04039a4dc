// The links in use: found by identity version and endpoint, let go when idle, bounded in what they keep open.
import { readFileSync } from 'node:fs';
import type { Destination } from '../destination/destination.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import type { Identity } from '../identity/identity.ts';
import { Link, type LinkEvents } from './endpoint-agent.ts';
import { contextOf } from './secure-context.ts';

export interface Pool {
  /**
   * The link of this identity version to this endpoint. The endpoint with and without a demand for mutual TLS are two
   * links, so that the demand is met by the handshake and costs nothing afterwards.
   */
  link(identity: Identity, destination: Destination, target: Target, requireMutual: boolean): Link;
  /** A version that was replaced or let go: its calls finish, its connections close, and none is kept for it again. */
  retire(identity: Identity): void;
  /** Closes every idle connection, the others after their call, and stops the sweeping. */
  close(): void;
  readonly openConnections: number;
  readonly links: number;
}

export interface PoolLimits {
  /** Connections kept open, idle ones included. */
  readonly maxConnections: number;
  /** Links kept: a caller whose identity may go anywhere can name any number of hosts. */
  readonly maxLinks: number;
  /** A link that had no call for so long is let go, in milliseconds. */
  readonly maxIdleMs: number;
  readonly sweepEveryMs: number;
}

export interface PoolOptions {
  readonly limits?: PoolLimits;
  /** Milliseconds since 1970: what the dates of certificates and the age of idle connections are held against. */
  readonly now?: () => number;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
}

export function createPool({ limits = defaultLimits(), now = Date.now, lookup }: PoolOptions = {}): Pool {
  const links = new Map<Identity, Map<string, Link>>();
  let linkCount = 0;
  /** A call may still hold a version that was let go; what it opens must not outlive it. */
  const retired = new WeakSet<Identity>();
  /** Every link that may have idle connections, the least recently used first. */
  const byUse = new Set<Link>();
  let open = 0;
  let isClosed = false;
  let sweptTo = now();

  const forget = (identity: Identity, key: string, link: Link) => {
    const ofIdentity = links.get(identity);
    if (ofIdentity?.delete(key)) linkCount--;
    if (ofIdentity?.size === 0) links.delete(identity);
    byUse.delete(link);
    link.retire();
  };
  const sweep = () => {
    sweptTo = now();
    for (const [identity, ofIdentity] of links) {
      for (const [key, link] of ofIdentity) {
        if (link.inUse === 0 && sweptTo - link.lastUsed > limits.maxIdleMs) forget(identity, key, link);
      }
    }
  };
  /** The tenth that was not used for longest goes at once, so that the search for it is rare. */
  const makeRoomForLinks = () => {
    const unused = [...links].flatMap(([identity, ofIdentity]) =>
      [...ofIdentity].filter(([, link]) => link.inUse === 0).map(([key, link]) => ({ identity, key, link })),
    );
    unused.sort((one, other) => one.link.lastUsed - other.link.lastUsed);
    for (const { identity, key, link } of unused.slice(0, Math.ceil(limits.maxLinks / 10))) forget(identity, key, link);
  };
  const makeRoom = () => {
    if (open <= limits.maxConnections) return;
    for (const link of byUse) {
      const closed = link.closeIdle();
      // It comes back with its next call; until then it has nothing left to close.
      if (link.inUse === 0) byUse.delete(link);
      if (closed > 0) return;
    }
  };
  const events: LinkEvents = {
    opened() {
      open++;
      makeRoom();
    },
    idle(link) {
      // Connections that were all in use when they opened are too many only now.
      makeRoom();
      byUse.add(link);
    },
    closed() {
      open--;
    },
  };
  // Timers stand still in a frozen function, so a call that comes late sweeps as well.
  const sweeper = setInterval(sweep, limits.sweepEveryMs).unref();

  const newLink = (identity: Identity, destination: Destination, target: Target, requireMutual: boolean) => {
    const context = contextOf(identity, destination);
    return new Link({ target, destination, context, requireMutual, now, lookup }, events);
  };

  return {
    link(identity, destination, target, requireMutual) {
      if (isClosed || retired.has(identity)) {
        const link = newLink(identity, destination, target, requireMutual);
        link.retire();
        return link;
      }
      const time = now();
      if (time - sweptTo > limits.sweepEveryMs * 2) sweep();
      const key = `${target.host}:${target.port}${requireMutual ? ' mutual' : ''}`;
      let link = links.get(identity)?.get(key);
      // A previous version is presented on the terms of the current one, which may change beside it.
      if (link && link.destination !== destination) {
        forget(identity, key, link);
        link = undefined;
      }
      if (!link) {
        if (linkCount >= limits.maxLinks) makeRoomForLinks();
        link = newLink(identity, destination, target, requireMutual);
        const ofIdentity = links.get(identity) ?? new Map<string, Link>();
        links.set(identity, ofIdentity.set(key, link));
        linkCount++;
      }
      link.lastUsed = time;
      byUse.delete(link);
      byUse.add(link);
      return link;
    },
    retire(identity) {
      retired.add(identity);
      for (const [key, link] of links.get(identity) ?? []) forget(identity, key, link);
    },
    close() {
      isClosed = true;
      clearInterval(sweeper);
      for (const [identity, ofIdentity] of links) for (const [key, link] of ofIdentity) forget(identity, key, link);
    },
    get openConnections() {
      return open;
    },
    get links() {
      return linkCount;
    },
  };
}

/** Three quarters of what the process may open are for connections: Lambda gives a function 1,024 file descriptors (AWS: Lambda quotas). */
function defaultLimits(): PoolLimits {
  return {
    maxConnections: Math.floor(openFilesLimit() * 0.75),
    maxLinks: 20_000,
    maxIdleMs: 300_000,
    sweepEveryMs: 30_000,
  };
}

function openFilesLimit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return Number(line?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}
