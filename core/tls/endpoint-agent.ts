// A agent: how one version of one identity reaches one endpoint. Its connections and TLS sessions are shared with nobody else.
import { Agent, type AgentOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import { CountersignError } from '../errors.ts';
import type { RequestAttempt } from './attempt.ts';
import { dialTarget } from './dial.ts';
import { type Handshake, type HandshakeOptions, performHandshake } from './handshake.ts';
import { type TicketStore, ticketStore } from './session-tickets.ts';

export interface EndpointAgentOptions extends HandshakeOptions {
  readonly lookup: LookupFunction | undefined;
}

/**
 * How long a connection may have been idle, in milliseconds by the wall clock (timers stand still while a function is
 * frozen). A request that cannot be repeated takes only one that is fresher than the shortest keep-alive in common use:
 * 5 s in Node's and Apache's defaults.
 */
const maxIdleMs = { repeatable: 60_000, unrepeatable: 4_000 } as const;

/**
 * After that long, in milliseconds, what the kernel holds back (a FIN, an answer to nothing) is read before a connection is
 * used again. Calls that follow each other directly are spared: of no more than that the loop was busy meanwhile.
 */
const settleAfterMs = 10;

/** A connection is not used in the last second of what the server promised: the request has a way to go. */
const keepAliveMarginMs = 1_000;

/** The request options that Node hands through to createConnection. */
export interface AgentRequestOptions {
  readonly attempt: RequestAttempt;
}

export interface EndpointAgentEvents {
  opened(): void;
  /** A connection is about to be kept for the next call. */
  idle(agent: EndpointAgent): void;
  closed(): void;
}

export class EndpointAgent extends Agent {
  readonly #options: EndpointAgentOptions;
  readonly #tickets: TicketStore = ticketStore();
  readonly #handshakes = new WeakMap<Duplex, Handshake>();
  readonly #counted = new WeakSet<Duplex>();
  readonly #idleSince = new WeakMap<Duplex, number>();
  /** Bytes of answers when it became idle. */
  readonly #readBefore = new WeakMap<Duplex, number>();
  readonly #keepAliveMs = new WeakMap<Duplex, number>();
  readonly #events: EndpointAgentEvents;
  #retired = false;
  /** Milliseconds since 1970. */
  lastUsed: number;
  /** Calls in flight. */
  inUse = 0;

  constructor(options: EndpointAgentOptions, events: EndpointAgentEvents) {
    super({ keepAlive: true, maxCachedSessions: 0, scheduling: 'lifo' });
    this.#options = options;
    this.#events = events;
    this.lastUsed = options.now();
  }

  /** The terms it was made for. */
  get destination(): Destination {
    return this.#options.destination;
  }

  handshakeOf(socket: Duplex): Handshake | undefined {
    return this.#handshakes.get(socket);
  }

  /** What the server said of its own patience: `Keep-Alive: timeout=5` (RFC 2068, section 19.7.1.1; not in RFC 9112, yet sent). */
  applyKeepAliveTimeout(socket: Duplex, header: string): void {
    const seconds = /\btimeout=(\d{1,6})\b/.exec(header)?.[1];
    if (seconds) this.#keepAliveMs.set(socket, Number(seconds) * 1000 - keepAliveMarginMs);
  }

  /**
   * Closes the idle connections that ended, have been idle for too long to carry this request, or on which something came
   * since, which would be taken for the answer to it; true when one is left that needs settling.
   */
  prune(repeatable: boolean): boolean {
    const now = this.#options.now();
    const max = repeatable ? maxIdleMs.repeatable : maxIdleMs.unrepeatable;
    const idle = this.freeSockets[socketsKey] ?? [];
    let needsSettling = false;
    for (let index = idle.length - 1; index >= 0; index--) {
      const socket = idle[index] as Socket;
      const idleMs = now - (this.#idleSince.get(socket) ?? 0);
      const limit = Math.min(max, this.#keepAliveMs.get(socket) ?? max);
      // A clock that went backwards tells nothing: the connection is not trusted.
      const isFresh = idleMs <= limit && idleMs >= 0;
      if (isFresh && socket.writable && socket.readable && !this.#spokeSince(socket)) {
        if (idleMs > settleAfterMs) needsSettling = true;
        continue;
      }
      this.#discard(socket);
      // Until its `close` comes, Node's agent would hand it out all the same: it looks for destroyed ones at the other end.
      idle.splice(index, 1);
    }
    return needsSettling;
  }

  /** A TLS socket counts what was inside the records: a session ticket is nothing that was said. */
  #spokeSince(socket: Socket): boolean {
    return socket.bytesRead !== this.#readBefore.get(socket) || socket.readableLength > 0;
  }

  /** The next connection shakes hands in full, whoever shakes it. */
  clearTickets(): void {
    this.#tickets.clear();
  }

  /** How many connections it closed. */

  closeIdle(): number {
    const idle = this.freeSockets[socketsKey]?.splice(0) ?? [];
    for (const socket of idle) this.#discard(socket);
    return idle.length;
  }

  /** Counted as closed at once: its `close` comes a few turns later, and whoever makes room would close more meanwhile. */
  #discard(socket: Socket): void {
    this.#countClosed(socket);
    socket.destroy();
  }

  #countClosed(socket: Duplex): void {
    if (this.#counted.delete(socket)) this.#events.closed();
  }

  /** Lets calls in flight finish; their connections close after them, and no new one is kept. */
  retire(): void {
    this.#retired = true;
    this.#tickets.clear();
    this.closeIdle();
  }

  /** One agent is one endpoint: Node's long key of options is not needed. */
  override getName(): string {
    return socketsKey;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.#idleSince.set(socket, this.#options.now());
    this.#readBefore.set(socket, (socket as Socket).bytesRead);
    // Node's types leave out that the hook answers whether the socket is kept.
    if (this.#retired || !(super.keepSocketAlive(socket) as unknown as boolean)) return false;
    this.#events.idle(this);
    return true;
  }

  override createConnection(
    options: AgentOptions & Partial<AgentRequestOptions>,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    const { attempt } = options;
    if (!attempt || !callback) throw new CountersignError('internal-error', 'A agent was used without an attempt.');
    this.#open(attempt).then(
      (socket) => callback(null, socket),
      (error: Error) => (callback as (error: Error) => void)(error),
    );
    return undefined;
  }

  async #open(attempt: RequestAttempt): Promise<TLSSocket> {
    const { target, destination, lookup } = this.#options;
    const connection = await dialTarget(target, destination, lookup, attempt);
    const connectedAt = performance.now();
    attempt.phase = 'handshake';
    const { socket, handshake } = await performHandshake(connection, this.#options, attempt, this.#tickets);
    attempt.tlsMs = performance.now() - connectedAt;
    attempt.phase = 'request';

    // It may have ended since; its `close` would be waited for in vain.
    if (attempt.abandoned || socket.destroyed) {
      socket.destroy();
      throw new CountersignError('connection-failed', 'The connection ended as soon as it stood.');
    }
    this.#handshakes.set(socket, handshake);
    this.#counted.add(socket);
    this.#events.opened();
    socket.once('close', () => this.#countClosed(socket));
    return socket;
  }
}

const socketsKey = 'endpoint';
