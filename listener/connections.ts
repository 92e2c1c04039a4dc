// What a server has open: connections that are still shaking hands, those that stand, and the requests on them that are not answered yet.
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { type TLSSocket, Server as TlsServer } from 'node:tls';

export interface OpenConnections {
  /** Whether no request has come after this one on its connection. */
  isLatest(request: IncomingMessage): boolean;
  /** Whether part of an answer is on its way, so that nothing else may be written. */
  isAnswering(socket: Socket): boolean;
  /** Ends connections on which no request waits for its answer. */
  destroyUnused(): void;
  destroyAll(): void;
}

interface Standing {
  latest: IncomingMessage | undefined;
  readonly unanswered: Set<ServerResponse>;
}

const known = new WeakMap<Server, OpenConnections>();

/** The first call begins to watch: before the server listens. `server.closeAllConnections` knows no handshakes. */
export function connectionsOf(server: Server | HttpServer): OpenConnections {
  const found = known.get(server) ?? watch(server);
  known.set(server, found);
  return found;
}

function watch(server: Server): OpenConnections {
  /** By the addresses of both ends, which the socket above the handshake has, too. */
  const shakingHands = new Map<string, Socket>();
  const standing = new Map<Socket, Standing>();
  const stands = (socket: Socket) => {
    standing.set(socket, { latest: undefined, unanswered: new Set() });
    socket.once('close', () => standing.delete(socket));
  };
  if (server instanceof TlsServer) {
    server.on('connection', (socket: Socket) => {
      const ends = endsOf(socket);
      shakingHands.set(ends, socket);
      socket.once('close', () => {
        if (shakingHands.get(ends) === socket) shakingHands.delete(ends);
      });
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      shakingHands.delete(endsOf(socket));
      stands(socket);
    });
  } else server.on('connection', stands);
  const asked = (request: IncomingMessage, response: ServerResponse) => {
    const found = standing.get(request.socket);
    if (found === undefined) return;
    found.latest = request;
    found.unanswered.add(response);
    response.once('close', () => found.unanswered.delete(response));
  };
  server.on('request', asked);
  server.once('listening', () => {
    // A listener takes these from Node, which answers 100 or 417 by itself: only beside one that does it instead.
    for (const event of ['checkContinue', 'checkExpectation']) {
      if (server.listenerCount(event) > 0) server.prependListener(event, asked);
    }
  });

  const destroy = (which: (one: Standing) => boolean) => {
    for (const socket of shakingHands.values()) socket.destroy();
    for (const [socket, one] of standing) if (which(one)) socket.destroy();
  };
  return {
    isLatest: (request) => standing.get(request.socket)?.latest === request,
    isAnswering(socket) {
      const { unanswered = new Set<ServerResponse>() } = standing.get(socket) ?? {};
      return [...unanswered].some((response) => response.headersSent);
    },
    destroyUnused: () => destroy(({ unanswered }) => unanswered.size === 0),
    destroyAll: () => destroy(() => true),
  };
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
