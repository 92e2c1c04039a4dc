// A link: how one version of one identity reaches one endpoint. Its connections and TLS sessions are shared with nobody else.
import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Destination } from '../destination/destination.ts';
import { resolveTarget } from '../destination/resolve.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import type { Attempt } from './attempt.ts';
import { dial } from './dial.ts';
import { type Handshake, type HandshakeTerms, shakeHands } from './handshake.ts';
import { type TicketStore, ticketStore } from './tickets.ts';

export interface LinkTerms {
  readonly target: Target;
  readonly destination: Destination;
  readonly context: SecureContext;
  readonly requireMutual: boolean;
}

/**
 * How long a connection may have been idle, in milliseconds by the wall clock (timers stand still while a function is
 * frozen). A request that cannot be repeated takes only one that is fresher than the shortest keep-alive in common use:
 * 5 s in Node's and Apache's defaults.
 */
const maxIdleMs = { repeatable: 60_000, unrepeatable: 4_000 } as const;

/** After that long, what the kernel holds back (a FIN that came meanwhile) is read before a connection is used again. */
const settleAfterMs = 1_000;

/** The request options that Node hands through to createConnection. */
export interface LinkRequestOptions {
  readonly attempt: Attempt;
}

export class Link extends Agent {
  readonly #terms: LinkTerms;
  readonly #handshakeTerms: HandshakeTerms;
  readonly #tickets: TicketStore = ticketStore();
  readonly #handshakes = new WeakMap<Duplex, Handshake>();
  readonly #idleSince = new WeakMap<Duplex, number>();
  readonly #keepAliveMs = new WeakMap<Duplex, number>();
  readonly #onOpen: () => void;
  readonly #onClose: () => void;
  #retired = false;
  /** Milliseconds since 1970. */
  lastUsed = Date.now();
  /** Calls in flight. */
  inUse = 0;

  constructor(terms: LinkTerms, onOpen: () => void, onClose: () => void) {
    super({ keepAlive: true, maxCachedSessions: 0, scheduling: 'lifo' });
    this.#terms = terms;
    this.#onOpen = onOpen;
    this.#onClose = onClose;
    const { target, destination } = terms;
    this.#handshakeTerms = {
      context: terms.context,
      name: destination.serverName ?? target.host,
      pins: destination.serverPins,
      requireMutual: terms.requireMutual,
    };
  }

  handshakeOf(socket: Duplex): Handshake | undefined {
    return this.#handshakes.get(socket);
  }

  /** What the server said of its own patience: `Keep-Alive: timeout=5` (RFC 2068, section 19.7.1.1; not in RFC 9112, yet sent). */
  heedKeepAlive(socket: Duplex, header: string): void {
    const seconds = /\btimeout=(\d{1,6})\b/.exec(header)?.[1];
    if (seconds) this.#keepAliveMs.set(socket, Number(seconds) * 1000 - settleAfterMs);
  }

  /** Closes the connections that have been idle for too long to carry this request; true when one is left that needs settling. */
  prune(repeatable: boolean, now: number): boolean {
    let needsSettling = false;
    const max = repeatable ? maxIdleMs.repeatable : maxIdleMs.unrepeatable;
    for (const socket of this.freeSockets[linkKey] ?? []) {
      const idleMs = now - (this.#idleSince.get(socket) ?? 0);
      // A clock that went backwards tells nothing: the connection is not trusted.
      const limit = Math.min(max, this.#keepAliveMs.get(socket) ?? max);
      if (idleMs > limit || idleMs < 0) socket.destroy();
      else if (idleMs > settleAfterMs) needsSettling = true;
    }
    return needsSettling;
  }

  /** How many connections it closed. */
  closeIdle(): number {
    const idle = this.freeSockets[linkKey] ?? [];
    for (const socket of [...idle]) socket.destroy();
    return idle.length;
  }

  /** Lets calls in flight finish; their connections close after them, and no new one is kept. */
  retire(): void {
    this.#retired = true;
    this.#tickets.clear();
    this.closeIdle();
  }

  /** One link is one endpoint: Node's long key of options is not needed. */
  override getName(): string {
    return linkKey;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.#idleSince.set(socket, Date.now());
    // Node's types leave out that the hook answers whether the socket is kept.
    return !this.#retired && (super.keepSocketAlive(socket) as unknown as boolean);
  }

  override createConnection(
    options: AgentOptions & Partial<LinkRequestOptions>,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    const { attempt } = options;
    if (!attempt || !callback) throw new CountersignError('internal-error', 'A link was used without an attempt.');
    this.#open(attempt).then(
      (socket) => callback(null, socket),
      (error: Error) => (callback as (error: Error) => void)(error),
    );
    return undefined;
  }

  async #open(attempt: Attempt): Promise<TLSSocket> {
    const { target, destination } = this.#terms;
    attempt.phase = 'resolve';
    const start = performance.now();
    const addresses = await resolveTarget(target, destination);
    const resolved = performance.now();
    attempt.dnsMs = resolved - start;
    refuseIfAbandoned(attempt);

    attempt.phase = 'connect';
    const connection = await dial(addresses, target.port, attempt);
    const connected = performance.now();
    attempt.connectMs = connected - resolved;

    attempt.phase = 'handshake';
    const { socket, handshake } = await shakeHands(connection, this.#handshakeTerms, this.#tickets, attempt);
    attempt.tlsMs = performance.now() - connected;
    attempt.phase = 'request';

    this.#handshakes.set(socket, handshake);
    this.#onOpen();
    socket.once('close', this.#onClose);
    if (attempt.abandoned) socket.destroy();
    return socket;
  }
}

const linkKey = 'link';

function refuseIfAbandoned(attempt: Attempt): void {
  if (attempt.abandoned)
    throw new CountersignError('connection-timeout', 'The call ended before the connection began.');
}
