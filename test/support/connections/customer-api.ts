// The customer's API: an HTTPS server of Node that demands a client certificate and remembers what it saw of each
// connection.
import { randomBytes, X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import type { Authorities } from '../stage.ts';

interface SeenConnection {
  /** Of the client certificate; on a resumed session, of the one that the session began with. */
  readonly fingerprint256: string;
  readonly isResumed: boolean;
  readonly serverName: string | false;
  readonly requests: IncomingMessage[];
}

export interface CustomerApi {
  readonly port: number;
  /** In the order in which their handshakes ended. */
  readonly connections: readonly SeenConnection[];
  /** Connections that came, finished handshake or not. */
  readonly arrived: number;
  /** Open now; those in the middle of a handshake included. */
  readonly openSockets: number;
  /**
   * Ends each connection that is open, or resets it, which libuv refuses (and never closes it) while it is being shut
   * down.
   */
  closeConnections(how?: 'end' | 'reset'): Promise<void>;
  /** From now on its port refuses connections; those that stand go on. */
  stopListening(): void;
  /** New ticket keys, as after a restart. */
  forgetSessions(): void;
  /** Other client roots, from the next full handshake on; the sessions are gone. */
  trust(clientRoots: string): void;
  /** Another server certificate, from the next full handshake on; the sessions stay. */
  present(server: IssuedCertificate): void;
  /** From now on. */
  answerWith(answer: Answering): void;
}

export type Answering = (request: IncomingMessage, response: ServerResponse, connection: SeenConnection) => unknown;

export interface CustomerApiOptions extends ServerOptions {
  readonly server?: IssuedCertificate;
  readonly answer?: Answering;
  /** Called with each connection before its handshake. */
  readonly greet?: (socket: Socket) => void;
  readonly host?: string;
}

/** What it saw is what it answers, unless told otherwise. */
const echo: Answering = (request, response, { fingerprint256, isResumed }) => {
  request.resume().on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method: request.method, host: request.headers.host, fingerprint256, isResumed }));
  });
};

export async function startApi(authorities: Authorities, options: CustomerApiOptions = {}): Promise<CustomerApi> {
  const {
    server: certificate = newServer(authorities),
    host = '127.0.0.1',
    answer: first = echo,
    greet,
    ...tls
  } = options;
  let answer = first;
  const sockets = new Set<Socket>();
  const connections: SeenConnection[] = [];
  const seen = new WeakMap<Socket, SeenConnection>();

  const terms: ServerOptions = {
    ca: authorities.platformRoot.certificate,
    requestCert: true,
    rejectUnauthorized: true,
    keepAliveTimeout: 0,
    ...tls,
  };
  const server = createServer({ ...terms, ...certificateOf(certificate) });
  let arrived = 0;
  server.on('connection', (socket: Socket) => {
    arrived++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    greet?.(socket);
  });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket: TLSSocket) => {
    const connection = {
      fingerprint256: socket.getPeerCertificate().fingerprint256 ?? '',
      isResumed: socket.isSessionReused(),
      serverName: (socket as { servername?: string | false }).servername ?? false,
      requests: [],
    };
    connections.push(connection);
    seen.set(socket, connection);
    socket.on('error', () => {});
  });
  server.on('request', (request, response) => {
    const connection = seen.get(request.socket);
    if (!connection) throw new Error('A request came over an unknown connection.');
    connection.requests.push(request);
    answer(request, response, connection);
  });

  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    get arrived() {
      return arrived;
    },
    get openSockets() {
      return sockets.size;
    },
    stopListening() {
      server.close();
    },
    async closeConnections(how = 'end') {
      const open = [...sockets].filter((socket) => !socket.destroyed);
      const closed = open.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      // A reset waits for what is still to be written, unless the socket is destroyed as well.
      for (const socket of open) (how === 'end' ? socket : socket.resetAndDestroy()).destroy();
      await Promise.all(closed);
    },
    forgetSessions() {
      server.setTicketKeys(randomBytes(48));
    },
    trust(clientRoots) {
      server.setSecureContext({ ...terms, ...certificateOf(certificate), ca: clientRoots });
    },
    present(next) {
      const keys = server.getTicketKeys();
      server.setSecureContext({ ...terms, ...certificateOf(next) });
      server.setTicketKeys(keys);
    },
    answerWith(next) {
      answer = next;
    },
  };
}

function certificateOf({ certificate, intermediates, privateKey }: IssuedCertificate) {
  return { cert: certificate + intermediates, key: privateKey };
}

/** Carries the names that the scenarios call it by. */
export function newServer({ customerRoot }: Authorities): IssuedCertificate {
  return customerRoot.issue({
    commonName: 'api',
    names: ['*.acme.example', 'localhost', '127.0.0.1'],
    usage: 'server',
  });
}

export function fingerprintOf({ certificate }: IssuedCertificate): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** A destination at such an API; trusted by the customer's root. */
export function destinationAt(
  { port }: { readonly port: number },
  { customerRoot }: Authorities,
  members: object = {},
): object {
  return { host: 'api.acme.example', port, network: 'loopback', serverRoots: customerRoot.certificate, ...members };
}
