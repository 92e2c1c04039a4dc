// Servers of ours for what no real server does: each connection is handled exactly as the test says.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../local/authority/authority.ts';

/** Whether ::1 is there; containers are often without. */
export const hasIpv6 = Object.values(networkInterfaces()).some((ones) =>
  ones?.some(({ address }) => address === '::1'),
);

export interface Served {
  readonly port: number;
  /** Connections that came so far. */
  readonly connections: number;
  /** Every byte that came, of all connections; behind TLS, what was inside. */
  received(): string;
}

/** A TCP server; what comes is read, so that the end of a connection is seen. */
export function serveTcp(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<Served> {
  return serve(createServer(), 'connection', onConnection, host);
}

/** A TLS server that asks for a client certificate and accepts any, unless the options say otherwise. */
export function serveTls(
  certificate: IssuedCertificate,
  onConnection: (socket: TLSSocket) => void,
  options: TlsOptions = {},
  host = '127.0.0.1',
): Promise<Served> {
  const server = createTlsServer({
    cert: certificate.certificate + certificate.intermediates,
    key: certificate.privateKey,
    requestCert: true,
    rejectUnauthorized: false,
    ...options,
  });
  return serve(server, 'secureConnection', onConnection, host);
}

/** The same, for HTTP: `answer` is called with each head that comes; bodies are left alone. */
export function serveHttps(
  certificate: IssuedCertificate,
  answer: (socket: TLSSocket, head: string) => void,
  options: TlsOptions = {},
  host = '127.0.0.1',
): Promise<Served> {
  const onConnection = (socket: TLSSocket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (!/^[A-Z]+ \//.test(text)) text = '';
      else if (end !== -1) {
        const head = text.slice(0, end);
        text = '';
        answer(socket, head);
      }
    });
  };
  return serveTls(certificate, onConnection, options, host);
}

/**
 * Stands in front of another server; of what that sends, only what `pass` returns reaches the client. Once less than
 * all was passed, the connection stalls, or ends as `then` says.
 */
export function serveBetween(
  port: number,
  pass: (fromServer: Buffer, state: { readonly passed: number; readonly clientTurns: number }) => Buffer,
  then: 'stall' | 'close' | 'reset' = 'stall',
): Promise<Served> {
  return serveTcp((client) => {
    const server = connect(port, '127.0.0.1');
    const state = { passed: 0, clientTurns: 0 };
    server.on('error', () => client.destroy());
    client.on('data', (chunk: Buffer) => {
      state.clientTurns++;
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      const bytes = pass(chunk, state);
      state.passed += bytes.length;
      client.write(bytes);
      if (bytes.length === chunk.length || then === 'stall') return;
      // A turn later, so that what was passed is on its way.
      setImmediate(() => (then === 'close' ? client.end() : client.resetAndDestroy()));
    });
    client.on('close', () => server.destroy());
    server.on('close', () => client.end());
  });
}

async function serve<S extends Socket>(
  server: Server,
  event: 'connection' | 'secureConnection',
  onConnection: (socket: S) => void,
  host: string,
): Promise<Served> {
  const sockets = new Set<Socket>();
  const chunks: Buffer[] = [];
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.on(event, (socket: S) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    received: () => Buffer.concat(chunks).toString('latin1'),
  };
}
