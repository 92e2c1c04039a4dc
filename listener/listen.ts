// Opens a server on a port, tracks its connections and unanswered requests, and closes it once its answers are sent.
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';

export interface ListenOptions {
  /** 0 takes a free port. */
  readonly port: number;
  /** Name of the server, for the error. */
  readonly what: string;
  /** The option that chooses another port, for the error. */
  readonly option: string;
  readonly host?: string;
  /** Of the port, from another process that called `bindPort`. */
  readonly handle?: PortHandle | undefined;
}

/** An object of Node that `send` of a child process takes. */
export interface PortHandle {
  close(): void;
}

/**
 * @returns the port
 * Throws an Error with one sentence that names the option to change.
 */
export async function listen(server: Server, options: ListenOptions): Promise<number> {
  const { port, what, option, host = '127.0.0.1', handle } = options;
  connectionsOf(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  if (handle) server.listen(handle, resolve);
  else server.listen({ port, host, exclusive: true }, resolve);
  try {
    await promise;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new Error(listenError(code, { port, what, option, host }), { cause });
  }
  server.off('error', reject);
  return (server.address() as AddressInfo).port;
}

/**
 * Binds a port for other processes to listen on, and accepts nothing itself. Once one of them has listened, the port
 * stays open until each process has closed the handle: connections wait while no process accepts them. Throws as
 * `listen` does.
 */
export async function bindPort(options: ListenOptions): Promise<{ port: number; handle: PortHandle }> {
  // Finds a free port and the address of a name.
  const probe = net.createServer();
  const port = await listen(probe, options);
  const { address, family } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const handle = createServerHandle(address, port, family === 'IPv6' ? 6 : 4, -1);
  const { host = '127.0.0.1' } = options;
  if (typeof handle === 'number') throw new Error(listenError('EADDRINUSE', { ...options, port, host }));
  return { port, handle };
}

/**
 * What node:cluster shares between its workers. It is not documented; node:cluster itself closes the port with the last
 * worker, and a net.Server would accept connections.
 * @returns a negative number after an error
 */
const { _createServerHandle: createServerHandle } = net as unknown as {
  _createServerHandle(address: string, port: number, family: 4 | 6, fd: -1): PortHandle | number;
};

function listenError(
  code: string | undefined,
  { port, what, option, host }: ListenOptions & { readonly host: string },
): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port}, which ${what} needs, is in use: stop the program that uses it, or choose another with ${option}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is not an address of this machine, so ${what} cannot listen there (${code}): choose another with --host.`;
    case 'EACCES':
      // capabilities(7); ip(7), ip_unprivileged_port_start, has the range of these ports.
      return `Port ${port} cannot be opened for ${what} (EACCES): ports below 1024 need CAP_NET_BIND_SERVICE, which this user does not have; choose another with ${option}.`;
    default:
      return `Port ${port} cannot be opened for ${what} (${code}): choose another with ${option}.`;
  }
}

/** @param host a name, or an address without brackets */
export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** For a connection that has just begun to send its request, in milliseconds. */
const unusedMs = 500;

/**
 * Accepts no more connections, waits for the answers in flight up to the deadline, then cuts them off. Idle connections
 * are closed at once, connections without a request after half a second.
 */
export async function closeServer(server: HttpServer, deadlineMs: number): Promise<void> {
  if (!server.listening) return;
  const { destroyUnused, destroyAll } = connectionsOf(server);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const unused = setTimeout(destroyUnused, Math.min(deadlineMs, unusedMs));
  const deadline = setTimeout(destroyAll, deadlineMs);
  await closed;
  clearTimeout(unused);
  clearTimeout(deadline);
}

export interface OpenConnections {
  /** Whether this is the last request so far on its connection. */
  isLatest(request: IncomingMessage): boolean;
  /** Whether part of an answer was sent, so that nothing else can be written. */
  isAnswering(socket: Socket): boolean;
  /** Ends the connections without an unanswered request. */
  destroyUnused(): void;
  destroyAll(): void;
}

interface TrackedConnection {
  latest: IncomingMessage | undefined;
  readonly unanswered: Set<ServerResponse>;
}

const trackers = new WeakMap<Server, OpenConnections>();

/**
 * Tracks the connections from the first call on: call it before the server listens. `server.closeAllConnections` misses
 * connections in a TLS handshake.
 */
export function connectionsOf(server: Server | HttpServer): OpenConnections {
  const tracker = trackers.get(server) ?? track(server);
  trackers.set(server, tracker);
  return tracker;
}

function track(server: Server): OpenConnections {
  const handshakes = new Map<string, Socket>();
  const connections = new Map<Socket, TrackedConnection>();
  const onOpen = (socket: Socket) => {
    connections.set(socket, { latest: undefined, unanswered: new Set() });
    socket.once('close', () => connections.delete(socket));
  };
  if (server instanceof TlsServer) {
    server.on('connection', (socket: Socket) => {
      const key = connectionKey(socket);
      handshakes.set(key, socket);
      socket.once('close', () => {
        if (handshakes.get(key) === socket) handshakes.delete(key);
      });
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      handshakes.delete(connectionKey(socket));
      onOpen(socket);
    });
  } else server.on('connection', onOpen);
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const connection = connections.get(request.socket);
    if (connection === undefined) return;
    connection.latest = request;
    connection.unanswered.add(response);
    response.once('close', () => connection.unanswered.delete(response));
  };
  server.on('request', onRequest);
  server.once('listening', () => {
    // Without a listener, Node answers these with 100 or 417. Adding the first one would disable that.
    for (const event of ['checkContinue', 'checkExpectation']) {
      if (server.listenerCount(event) > 0) server.prependListener(event, onRequest);
    }
  });

  const destroy = (matches: (connection: TrackedConnection) => boolean) => {
    for (const socket of handshakes.values()) socket.destroy();
    for (const [socket, connection] of connections) if (matches(connection)) socket.destroy();
  };
  return {
    isLatest: (request) => connections.get(request.socket)?.latest === request,
    isAnswering(socket) {
      const { unanswered = new Set<ServerResponse>() } = connections.get(socket) ?? {};
      return [...unanswered].some((response) => response.headersSent);
    },
    destroyUnused: () => destroy(({ unanswered }) => unanswered.size === 0),
    destroyAll: () => destroy(() => true),
  };
}

/** The addresses of both ends: the same for a TLS socket and for the TCP socket below it. */
export function connectionKey({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
