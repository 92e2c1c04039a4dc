// The agent of one identity version for one endpoint. It never shares connections or TLS sessions.
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
import { isDisconnection } from './handshake-failure.ts';
import { type TicketStore, ticketStore } from './session-tickets.ts';
import { limitTlsOverhead, type TlsOverhead } from './tls-overhead.ts';

export interface EndpointAgentOptions extends HandshakeOptions {
  /** Name of the identity, whose share of the look-ups is used. */
  readonly identity: string;
  readonly lookup: LookupFunction | undefined;
}

/**
 * Milliseconds a connection can have been idle, by the wall clock, because timers do not run in a frozen function. A
 * request that cannot be repeated uses only connections below the shortest common keep-alive: 5 s, the default of Node
 * and Apache.
 */
const maxIdleMs = { repeatable: 60_000, unrepeatable: 4_000 } as const;

/**
 * Milliseconds idle after which pending input, such as a FIN, is read before a connection is used again. Calls in
 * direct succession skip this.
 */
const settleAfterMs = 10;

/** A connection is not used in the last second of its keep-alive: the request needs time to arrive. */
const keepAliveMarginMs = 1_000;

/** Request options that Node passes to createConnection. */
export interface AgentRequestOptions {
  readonly attempt: RequestAttempt;
}

export interface EndpointAgentEvents {
  opened(): void;
  /** A connection becomes idle and is kept for the next call. */
  idle(agent: EndpointAgent): void;
  closed(): void;
}

/** What the agent knows of one connection. */
interface Connection {
  readonly handshake: Handshake;
  readonly overhead: TlsOverhead;
  /** It counts for the limit of the pool. */
  isCounted: boolean;
  /** It is closed instead of kept. */
  isUsed: boolean;
  /** Milliseconds since 1970. */
  idleSince: number;
  /** Bytes of answers when it became idle. */
  readBefore: number;
  /** Milliseconds, announced by the server. */
  keepAliveMs: number;
}

export class EndpointAgent extends Agent {
  readonly #options: EndpointAgentOptions;
  readonly #tickets: TicketStore = ticketStore();
  readonly #connections = new WeakMap<Duplex, Connection>();
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

  /** The destination it was created for. */
  get destination(): Destination {
    return this.#options.destination;
  }

  handshakeOf(socket: Duplex): Handshake | undefined {
    return this.#connections.get(socket)?.handshake;
  }

  /** Each call has the whole limit. */
  restartTlsLimit(socket: Duplex): void {
    this.#connections.get(socket)?.overhead.restart();
  }

  /** Bytes of answers before the current request: closeStale has closed the connections that received more since. */
  bytesBefore(socket: Duplex): number {
    return this.#connections.get(socket)?.readBefore ?? 0;
  }

  /** The connection is closed instead of kept once its response has ended. */
  closeAfterUse(socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection) connection.isUsed = true;
  }

  /** Parses the server's Keep-Alive timeout: `timeout=5` (RFC 2068, section 19.7.1.1; not in RFC 9112, but in use). */
  applyKeepAliveTimeout(socket: Duplex, header: string): void {
    const seconds = /\btimeout=(\d{1,6})\b/.exec(header)?.[1];
    const connection = this.#connections.get(socket);
    if (seconds && connection) connection.keepAliveMs = Number(seconds) * 1000 - keepAliveMarginMs;
  }

  /**
   * Closes idle connections that ended, were idle too long for this request, or received bytes, which Node would take
   * for its answer. Returns true if a remaining one needs a poll first.
   */
  closeStale(repeatable: boolean): boolean {
    const now = this.#options.now();
    const max = repeatable ? maxIdleMs.repeatable : maxIdleMs.unrepeatable;
    const idle = this.freeSockets[socketsKey] ?? [];
    let needsSettling = false;
    for (let index = idle.length - 1; index >= 0; index--) {
      const socket = idle[index] as Socket;
      const { idleSince, keepAliveMs, readBefore } = this.#connections.get(socket) as Connection;
      const idleMs = now - idleSince;
      const limit = Math.min(max, keepAliveMs);
      // After a clock step backwards the age is unknown: the connection is closed.
      const isFresh = idleMs <= limit && idleMs >= 0;
      if (isFresh && socket.writable && socket.readable && !hasReceived(socket, readBefore)) {
        if (idleMs > settleAfterMs) needsSettling = true;
        continue;
      }
      this.#discard(socket);
      // Until its `close` event, Node's agent would still return it: it skips destroyed sockets at the other end only.
      idle.splice(index, 1);
    }
    return needsSettling;
  }

  /** The next connection performs a full handshake. */
  clearTickets(): void {
    this.#tickets.clear();
  }

  /** Returns the number of closed connections. */
  closeIdle(): number {
    const idle = this.freeSockets[socketsKey]?.splice(0) ?? [];
    for (const socket of idle) this.#discard(socket);
    return idle.length;
  }

  /** Counts the socket as closed at once; its `close` event comes too late for the limit of the pool. */
  #discard(socket: Socket): void {
    this.#countClosed(socket);
    socket.destroy();
  }

  #countClosed(socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (!connection?.isCounted) return;
    connection.isCounted = false;
    this.#events.closed();
  }

  /** Calls in flight finish; then their connections close, and no new one is kept. */
  retire(): void {
    this.#retired = true;
    this.#tickets.clear();
    this.closeIdle();
  }

  /** One agent has one endpoint: Node's long key of options is not needed. */
  override getName(): string {
    return socketsKey;
  }

  /**
   * Node's own would read the Keep-Alive field from `headers`, for which it builds them, and turn on TCP keep-alive
   * again.
   */
  override keepSocketAlive(socket: Duplex): boolean {
    const connection = this.#connections.get(socket);
    if (!connection || this.#retired || connection.isUsed || connection.keepAliveMs <= 0) return false;
    connection.idleSince = this.#options.now();
    connection.readBefore = (socket as Socket).bytesRead;
    (socket as Socket).unref();
    this.#events.idle(this);
    return true;
  }

  override createConnection(
    options: AgentOptions & Partial<AgentRequestOptions>,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    const { attempt } = options;
    if (!attempt || !callback)
      throw new CountersignError('internal-error', 'An EndpointAgent was used without an attempt.');
    this.#open(attempt).then(
      (socket) => callback(null, socket),
      (error: Error) => (callback as (error: Error) => void)(error),
    );
    return undefined;
  }

  async #open(attempt: RequestAttempt): Promise<TLSSocket> {
    const { target, destination, identity, lookup } = this.#options;
    const connection = await dialTarget(target, destination, identity, lookup, attempt);
    const connectedAt = performance.now();
    attempt.phase = 'handshake';
    const { socket, handshake } = await performHandshake(connection, this.#options, attempt, this.#tickets);
    attempt.tlsMs = performance.now() - connectedAt;
    attempt.phase = 'request';

    // If it has ended already, no `close` event follows.
    if (attempt.abandoned || socket.destroyed) {
      socket.destroy();
      throw new CountersignError('connection-failed', 'The connection ended right after the handshake.');
    }
    readBeforeWriteErrors(socket);
    this.#connections.set(socket, {
      overhead: limitTlsOverhead(socket, connection),
      handshake,
      isCounted: true,
      isUsed: false,
      idleSince: 0,
      readBefore: socket.bytesRead,
      keepAliveMs: Number.POSITIVE_INFINITY,
    });
    this.#events.opened();
    socket.once('close', () => this.#countClosed(socket));
    return socket;
  }
}

const socketsKey = 'endpoint';

/** A TLS socket counts application data only, so session tickets do not count. */
function hasReceived(socket: Socket, readBefore: number): boolean {
  return socket.bytesRead !== readBefore || socket.readableLength > 0;
}

type WriteCallback = (error?: Error | null) => void;

/**
 * A server that refuses a large request responds, closes and so resets the connection while we still send. The write
 * fails then, and Node closes the socket, although the kernel still has the response. So the failure of a write is held
 * back until the reading has ended, which after a reset is as soon as everything has been read.
 */
export function readBeforeWriteErrors(socket: TLSSocket): void {
  /** Reports the write's failure to the stream, which destroys the socket. */
  let report: (() => void) | undefined;
  let writeError: Error | undefined;
  const hold =
    (callback: WriteCallback): WriteCallback =>
    (error) => {
      if (!error || writeError || !isDisconnection(error) || socket.destroyed) return callback(error);
      writeError = error;
      report = () => callback(error);
    };
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, callback) => write(chunk, encoding, hold(callback));
  const writev = socket._writev?.bind(socket);
  if (writev) socket._writev = (chunks, callback) => writev(chunks, hold(callback));

  const push = socket.push.bind(socket);
  socket.push = (chunk, encoding) => {
    if (chunk !== null || !report) return push(chunk, encoding);
    report();
    return false;
  };
  const destroy = socket.destroy.bind(socket);
  // An alert says more than the failed write.
  socket.destroy = (error) => destroy(writeError && (!error || isDisconnection(error)) ? writeError : error);
}
