// The customers' APIs that the recorded requests lead to: one that works in many ways, and one for each way to fail.
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { type Authority, type Issued, makeKey, makeRoot, pinOf } from './certificates.ts';
import type { Masks } from './masks.ts';

export interface Customers {
  /** By name, the port of each. */
  readonly ports: Readonly<Record<string, number>>;
  readonly authorities: Authorities;
  /** Of the identity that may be presented to all of them. */
  readonly destinations: readonly object[];
  /** Of each server, of a name. */
  readonly certificates: Readonly<Record<string, Issued>>;
  /** The paths that the API was asked for, oldest first. */
  readonly askedFor: readonly string[];
  close(): Promise<void>;
}

interface Authorities {
  readonly platform: Authority;
  readonly customer: Authority;
  readonly stranger: Authority;
}

type Extra = Readonly<Record<string, unknown>>;
interface Customer {
  readonly server: Server;
  /** Of the destination. */
  readonly extra?: Extra;
}

/** `localhost` is loopback by RFC 6761: no name server is asked. */
export const customerHost = 'localhost';

export async function startCustomers(masks: Masks): Promise<Customers> {
  const [platformKey, issuerKey, customerKey, strangerKey, serverKey] = await Promise.all(
    [1, 2, 3, 4, 5].map(() => makeKey()),
  );
  if (!platformKey || !issuerKey || !customerKey || !strangerKey || !serverKey) throw new Error('No keys.');
  const platform = makeRoot('Recorded platform root', platformKey).intermediate('Recorded platform issuer', issuerKey);
  const customer = makeRoot('Recorded customer root', customerKey);
  const stranger = makeRoot('Recorded stranger', strangerKey);
  const names = [customerHost, '127.0.0.1', 'good.test', 'localhost.customer.test'];
  const certificates = {
    sound: customer.issue(customerHost, serverKey, { names }),
    expired: customer.issue(customerHost, serverKey, { names, from: -30, to: -2 }),
    early: customer.issue(customerHost, serverKey, { names, from: 5, to: 30 }),
    untrusted: stranger.issue(customerHost, serverKey, { names }),
    misnamed: customer.issue('other.test', serverKey, { names: ['other.test', '*.other.test'] }),
    'for-clients': customer.issue(customerHost, serverKey, { names, usage: 'client' }),
  };
  const sound = tlsOf(certificates.sound);
  const mutual = { requestCert: true, rejectUnauthorized: true, ca: platform.root };
  const foreign = { requestCert: true, rejectUnauthorized: true, ca: stranger.root };
  const askedFor: string[] = [];
  const counted = (request: IncomingMessage, response: ServerResponse) => {
    askedFor.push(request.url ?? '');
    serveApi(request, response);
  };
  const https = (options: TlsOptions, answer = counted) => createHttpsServer(options, answer);
  const with1 = (name: keyof typeof certificates) => https({ ...tlsOf(certificates[name]), ...mutual });

  const customers: Record<string, Customer> = {
    api: { server: https({ ...sound, ...mutual }) },
    raw: { server: createTlsServer({ ...sound, ...mutual }, serveRaw) },
    expired: { server: with1('expired') },
    early: { server: with1('early') },
    untrusted: { server: with1('untrusted') },
    misnamed: { server: with1('misnamed') },
    'for-clients': { server: with1('for-clients') },
    pinned: { server: https({ ...sound, ...mutual }), extra: { serverPins: [pinOf(certificates.sound.root)] } },
    'pinned-to-another': {
      server: https({ ...sound, ...mutual }),
      extra: { serverPins: [pinOf(stranger.certificate)] },
    },
    named: { server: with1('misnamed'), extra: { serverName: 'other.test' } },
    'one-way': { server: https(sound) },
    'one-way-required': { server: https(sound), extra: { requireMutual: true } },
    'rejects-tls13': { server: https({ ...sound, ...foreign, minVersion: 'TLSv1.3' }) },
    'rejects-tls12': { server: https({ ...sound, ...foreign, maxVersion: 'TLSv1.2' }) },
    'tls12-only': { server: https({ ...sound, ...mutual, maxVersion: 'TLSv1.2' }) },
    'tls13-wanted': {
      server: https({ ...sound, ...mutual, maxVersion: 'TLSv1.2' }),
      extra: { minTlsVersion: 'TLSv1.3' },
    },
    nginx: { server: https({ ...sound, requestCert: true, rejectUnauthorized: false }, answerAsNginx) },
    probed: { server: https({ ...sound, ...mutual }), extra: { probe: { path: '/status/200' } } },
    plain: { server: createHttpServer((_, response) => response.end('no TLS')) },
    silent: { server: createTcpServer((socket) => socket.resume()) },
    closes: { server: createTcpServer((socket) => socket.once('data', () => socket.end())) },
    // A fatal handshake_failure (RFC 8446, section 6).
    disagrees: {
      server: createTcpServer((socket) =>
        socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 40]))),
      ),
    },
  };

  const ports: Record<string, number> = {};
  const sockets = new Set<Socket>();
  for (const [name, { server }] of Object.entries(customers)) {
    if ('keepAliveTimeout' in server) server.keepAliveTimeout = 120_000;
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', () => undefined);
    server.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => undefined));
    ports[name] = await listening(server);
  }
  const queue = await fullQueue();
  ports['full-queue'] = queue.port;
  ports.closed = await closedPort();
  for (const [name, port] of Object.entries(ports)) masks.name(port, `port of ${name}`);
  const roots = customer.root;
  const destinations = [
    ...Object.entries(ports).map(([name, port]) => ({
      host: customerHost,
      port,
      network: 'loopback',
      serverRoots: roots,
      ...customers[name]?.extra,
    })),
    ...['good.test', 'mixed.test'].map((host) => ({ host, port: ports.api, network: 'loopback', serverRoots: roots })),
    { host: '127.255.255.255', port: 443, network: 'loopback' },
    { host: '*.public.test' },
    { host: '127.0.0.1', port: ports.closed, network: 'loopback' },
    { host: '10.1.2.3', port: 443 },
  ];
  return {
    ports,
    authorities: { platform, customer, stranger },
    destinations,
    certificates,
    askedFor,
    async close() {
      queue.close();
      const servers = Object.values(customers).map(({ server }) => new Promise((done) => server.close(done)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers);
    },
  };
}

/** Answers by the path. What it was sent comes back from /echo. */
function serveApi(request: IncomingMessage, response: ServerResponse): void {
  const { url = '/', method = '', rawHeaders } = request;
  response.sendDate = false;
  const path = url.split('?', 1)[0] ?? '/';
  const chunks: Buffer[] = [];
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [, first = '', second = ''] = path.split('/');
    if (first === 'status') return void response.writeHead(Number(second)).end(second === '204' ? '' : `${second}!`);
    const answer = answers[path];
    if (answer) return answer(response);
    const body = Buffer.concat(chunks).toString('base64');
    // A POST takes no connection that was idle for four seconds: on a busy machine it would be chance.
    response.setHeader('connection', 'close');
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ method, url, rawHeaders, body }));
  });
}

const text = 'Guten Tag. '.repeat(20);
const coded = (coding: string, bytes: Buffer) => (response: ServerResponse) =>
  void response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': coding }).end(bytes);

const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/gzip': coded('gzip', gzipSync(text)),
  '/deflate': coded('deflate', deflateSync(text)),
  '/br': coded('br', brotliCompressSync(text)),
  '/zstd': coded('zstd', zstdCompressSync(text)),
  '/twice': coded('gzip, br', brotliCompressSync(gzipSync(text))),
  '/unknown-coding': coded('compress', Buffer.from('coded')),
  '/broken-gzip': coded('gzip', Buffer.from('no gzip at all')),
  '/cut-gzip': coded('gzip', gzipSync(text).subarray(0, 20)),
  '/bytes': (response) => void response.end(Buffer.from([0, 255, 1, 254])),
  '/latin1': (response) =>
    void response
      .writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' })
      .end(Buffer.from('f\u00fcr', 'latin1')),
  '/utf8': (response) =>
    void response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('f\u00fcr \u{1f600}'),
  '/headers': (response) =>
    void response
      .writeHead(200, 'Fine', [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['X-Mixed-Case', 'Yes'],
        ['x-empty', ''],
      ] as never)
      .end('{}'),
  '/redirect': (response) => void response.writeHead(302, { location: 'https://elsewhere.test/' }).end(),
  '/large': (response) => void response.writeHead(200, { 'content-length': 4_500_001 }).end(Buffer.alloc(4_500_001)),
  '/large-gzip': coded('gzip', gzipSync(Buffer.alloc(4_600_000))),
  '/large-text': (response) => void response.end('a'.repeat(100_000)),
  '/no-answer': () => undefined,
  '/half-an-answer': (response) => void response.writeHead(200, { 'content-length': 10 }).write('half'),
  '/cut-off': (response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => setImmediate(() => response.socket?.destroySoon()));
  },
  '/hangs-up': (response) => void response.socket?.destroySoon(),
  '/until-closed': (response) => {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
    response.end('whole?');
  },
  '/closes': (response) => void response.writeHead(200, { connection: 'close' }).end('closed'),
  '/chunks': (response) => {
    response.writeHead(200, { trailer: 'x-after' });
    response.write('one, ');
    response.addTrailers({ 'x-after': 'never seen' });
    response.end('two');
  },
};

/** Not HTTP, or HTTP that no library writes. */
const rawAnswers: Readonly<Record<string, string>> = {
  '/no-http': 'SSH-2.0-OpenSSH\r\n\r\n',
  '/bad-status': 'HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n',
  '/bad-chunk': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  '/bad-header': 'HTTP/1.1 200 OK\r\nbroken header\r\n\r\n',
  '/large-head': `HTTP/1.1 200 OK\r\nx-large: ${'a'.repeat(70_000)}\r\n\r\n`,
  '/upgrade': 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
  '/early-hints': 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  '/http10': 'HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold',
  '/both-lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  '/two-lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok',
};

function serveRaw(socket: TLSSocket): void {
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    head += chunk.toString('latin1');
    if (!head.includes('\r\n\r\n')) return;
    const [, path = ''] = head.split(' ');
    socket.end(rawAnswers[path] ?? 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  });
}

function answerAsNginx(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.sendDate = false;
  const title = '400 The SSL certificate error';
  response
    .writeHead(400, { server: 'nginx/1.22.1', 'content-type': 'text/html' })
    .end(
      `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n` +
        '<center>The SSL certificate error</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n',
    );
}

function tlsOf(issued: Issued): TlsOptions {
  return { cert: issued.certificate + issued.intermediates, key: issued.privateKey };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
}

/** A listener that never accepts: once its queue is full, Linux drops what comes (listen(2), tcp(7)). */
async function fullQueue(): Promise<{ port: number; close(): void }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer();
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  const port = await new Promise<number>((done) => worker.once('message', done));
  const { connect } = await import('node:net');
  const waiting = [1, 2].map(() => connect(port, '127.0.0.1').on('error', () => undefined));
  await new Promise((done) => waiting[0]?.once('connect', done));
  return {
    port,
    close() {
      for (const socket of waiting) socket.destroy();
      void worker.terminate();
    },
  };
}
