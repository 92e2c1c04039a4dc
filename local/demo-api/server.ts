// The demo customer API: each host of hosts.ts on its own loopback port, with real TLS.

import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { listen } from '../../listener/listen.ts';
import { createAuthority } from '../authority/authority.ts';
import type { DemoAuthorities } from './authorities.ts';
import { type DemoHost, demoHosts } from './hosts.ts';

export interface RunningHost extends DemoHost {
  readonly port: number;
}

export interface DemoApi {
  readonly hosts: readonly RunningHost[];
  /** Sets the certificate that the pinning host accepts; until then it accepts any of the platform's. */
  pinClient(fingerprint256: string): void;
  /** Number of open connections to a host with this client certificate. */
  openConnections(host: string, fingerprint256: string): number;
  /** Destroys open connections. */
  close(): Promise<void>;
}

const day = 86_400_000;

/**
 * @param port of the first host, the others follow; 0 takes free ones Server certificates are created at each start.
 * Throws a one-sentence Error when a port is taken.
 */
export async function startDemoApi(authorities: DemoAuthorities, port: number): Promise<DemoApi> {
  const opened: { server: Server; sockets: Set<Socket> }[] = [];
  const hosts: RunningHost[] = [];
  /** By host, the client certificate of each connection. */
  const clients = new Map<string, Map<TLSSocket, string>>();
  let pinned: string | undefined;
  const close = async () => {
    await Promise.all(opened.map(({ server, sockets }) => closeServer(server, sockets)));
  };
  try {
    for (const [index, host] of demoHosts.entries()) {
      const server = createServerFor(host, authorities);
      const sockets = new Set<Socket>();
      server.on('connection', (socket: Socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => sockets.delete(socket));
      });
      const certificates = new Map<TLSSocket, string>();
      clients.set(host.host, certificates);
      server.on('secureConnection', (socket: TLSSocket) => {
        const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
        if (fingerprint === undefined) return;
        certificates.set(socket, fingerprint);
        socket.once('close', () => certificates.delete(socket));
        if (host.behaviour.kind === 'pinning' && pinned !== undefined && fingerprint !== pinned) socket.destroy();
      });
      const what = `${host.host} of the demo API`;
      const at = await listen(server, { port: port === 0 ? 0 : port + index, what, option: '--api-port' });
      opened.push({ server, sockets });
      hosts.push({ ...host, port: at });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    hosts,
    pinClient(fingerprint256) {
      pinned = fingerprint256;
    },
    openConnections: (host, fingerprint256) =>
      [...(clients.get(host)?.values() ?? [])].filter((fingerprint) => fingerprint === fingerprint256).length,
    close,
  };
}

function createServerFor({ host, behaviour }: DemoHost, authorities: DemoAuthorities): Server {
  if (behaviour.kind === 'plain-http') return createHttpServer(serveAccounts);
  if (behaviour.kind === 'silent') return createTcpServer((socket) => socket.resume());
  const server = createHttpsServer(
    { ...certificateFor(host, behaviour, authorities), ...clientRules(behaviour, authorities) },
    serveAccounts,
  );
  // Half of these hosts exist to make clients abort the handshake.
  server.on('tlsClientError', () => undefined);
  return server;
}

type TlsBehaviour = Exclude<DemoHost['behaviour'], { kind: 'plain-http' | 'silent' }>;

function certificateFor(host: string, behaviour: TlsBehaviour, { customer }: DemoAuthorities): TlsOptions {
  const defect = behaviour.kind === 'mutual-tls' ? behaviour.certificate : 'sound';
  const name = defect === 'misnamed' ? 'other-name.demo.localhost' : host;
  const issuer = defect === 'untrusted' ? createAuthority({ commonName: 'Countersign demo unknown CA' }) : customer;
  const issued = issuer.issue({
    commonName: name,
    names: [name],
    usage: 'server',
    ...(defect === 'expired' && {
      notBefore: new Date(Date.now() - 30 * day),
      notAfter: new Date(Date.now() - day),
    }),
  });
  return { cert: issued.certificate + issued.intermediates, key: issued.privateKey };
}

function clientRules(behaviour: TlsBehaviour, { platform }: DemoAuthorities): TlsOptions {
  if (behaviour.kind === 'one-way-tls') return {};
  const mutual = { requestCert: true, rejectUnauthorized: true };
  if (behaviour.kind === 'mutual-tls' || behaviour.kind === 'pinning') return { ...mutual, ca: platform.root };
  const otherPlatform = createAuthority({ commonName: 'Countersign demo clients of another platform' });
  return { ...mutual, ca: otherPlatform.certificate, minVersion: behaviour.tls, maxVersion: behaviour.tls };
}

async function closeServer(server: Server, sockets: Set<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  await closed;
}

function serveAccounts(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0] as string;
  const account = /^\/v1\/accounts\/([A-Za-z0-9-]{1,32})\/balance$/.exec(path)?.[1];
  request.on('error', () => undefined);
  if (path === '/echo') {
    echo(request, response);
    return;
  }
  request.resume();
  if (!account) reply(request, response, 404, { error: 'There is nothing at this path.' });
  else if (request.method !== 'GET') reply(request, response, 405, { error: 'A balance can only be read.' });
  else reply(request, response, 200, { account, balance: balanceOf(account), currency: 'EUR' });
}

/** Returns the size and digest of the body, so that any body can be checked. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const digest = createHash('sha256');
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    digest.update(chunk);
    bytes += chunk.length;
  });
  request.once('end', () => {
    reply(request, response, 200, {
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: { bytes, sha256: digest.digest('hex') },
      client: clientOf(request),
    });
  });
}

/** The verified client certificate; undefined if the server did not request one. */
function clientOf(request: IncomingMessage): { subject: string; fingerprint256: string } | undefined {
  if (!(request.socket instanceof TLSSocket) || !request.socket.authorized) return undefined;
  const certificate = request.socket.getPeerX509Certificate();
  return certificate && { subject: certificate.subject, fingerprint256: certificate.fingerprint256 };
}

/** Derived from the account, so that it is always the same. */
function balanceOf(account: string): string {
  return (createHash('sha256').update(account).digest().readUInt32BE(0) / 1e4).toFixed(2);
}

function reply(request: IncomingMessage, response: ServerResponse, status: number, answer: object): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}
