// A process of its own: a customer's API that demands a client certificate and remembers which one came on which connection.
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { wallClock } from './clock.ts';

export interface CustomerOptions {
  readonly certificate: string;
  readonly privateKey: string;
  readonly clientRoots: string;
  /** Milliseconds before each answer, as an API takes them that has something to look up. */
  readonly answerMs: number;
}

export interface SeenConnection {
  /** SHA-256 of the client certificate. */
  readonly fingerprint256: string;
  requests: number;
  /** Milliseconds since 1970; undefined while it has not been. */
  lastAnswerAt?: number;
  closedAt?: number;
}

const connections: SeenConnection[] = [];
const seen = new WeakMap<Socket, SeenConnection>();

process.on('message', (message: CustomerOptions | 'tell') => {
  if (message === 'tell') process.send?.(connections);
  else serve(message);
});

function serve({ certificate, privateKey, clientRoots, answerMs }: CustomerOptions): void {
  // It closes nothing by itself: what is closed, the platform closed.
  const server = createServer(
    { cert: certificate, key: privateKey, ca: clientRoots, requestCert: true, keepAliveTimeout: 0 },
    (request, response) => {
      const connection = seen.get(request.socket);
      if (connection) connection.requests += 1;
      setTimeout(() => {
        response.setHeader('content-type', 'application/json');
        response.end('{"balance":"1234.56"}', () => {
          if (connection) connection.lastAnswerAt = wallClock();
        });
      }, answerMs);
    },
  );
  server.on('secureConnection', (socket: TLSSocket) => {
    const connection: SeenConnection = {
      fingerprint256: socket.getPeerCertificate().fingerprint256 ?? '',
      requests: 0,
    };
    connections.push(connection);
    seen.set(socket, connection);
    socket.on('error', () => {});
    socket.on('close', () => {
      connection.closedAt = wallClock();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}
