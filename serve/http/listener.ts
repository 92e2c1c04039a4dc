// The HTTP server of one process: which connections and requests it accepts, its timeouts, and the errors that Node
// reports.

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { connectionsOf } from '../../listener/listen.ts';
import type { ServerTrust } from '../reload/tls-files.ts';
import { handleRequest, type RequestParts } from './request.ts';

export interface ListenerParts extends Omit<RequestParts, 'isTls'> {
  /** Undefined: plain HTTP. */
  readonly trust: ServerTrust | undefined;
  readonly wantsClientCertificates: boolean;
  /** A connection above the limit was closed. */
  onConnectionRejected(): void;
}

/** The server does not listen yet. */
export function createListener(parts: ListenerParts): Server {
  const { limits, trust, authentication } = parts;
  const requestParts = { ...parts, isTls: trust !== undefined };
  const options: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headerMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 1_000,
    // An ambiguous request is rejected, against request smuggling.
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // Rejected by request.ts instead, with a body.
    requireHostHeader: false,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse, sendContinue = () => {}) => {
    request.on('error', ignore);
    response.on('error', ignore);
    handleRequest(requestParts, server, request, response, sendContinue);
  };
  const server: Server = trust
    ? createTlsServer({
        ...options,
        ...trust.context,
        handshakeTimeout: limits.headerMs,
        requestCert: parts.wantsClientCertificates,
        // Health checks need no certificate; other requests get a 401 that says what is wrong.
        rejectUnauthorized: false,
      })
    : createServer(options);
  const connections = connectionsOf(server);
  server.on('request', (request, response) => onRequest(request, response));
  server.on('checkExpectation', (request, response) => onRequest(request, response));
  // 100 Continue is sent only after the checks: a client must not send a body that is rejected.
  server.on('checkContinue', (request, response) => onRequest(request, response, () => response.writeContinue()));
  server.maxConnections = limits.maxConnections;
  // No limit: Node drops headers above it, and a dropped one may frame the body. `maxHeaderSize` bounds their bytes.
  server.maxHeadersCount = 0;
  server.on('clientError', (error, socket) => {
    const code = answerClientError(error, socket as Socket, connections.isAnswering(socket as Socket));
    if (code !== undefined) parts.onRejected({ code, sourceIp: (socket as Socket).remoteAddress });
  });
  server.on('drop', parts.onConnectionRejected);
  // A connection that could not be accepted, for example without a free descriptor.
  server.on('error', () => {
    if (server.listening) parts.onConnectionRejected();
  });
  // Ends connections that stall for longer than a call can take.
  server.setTimeout(limits.requestMs + 30_000, (socket) => socket.destroy());
  if (authentication) server.on('connection', (socket) => authentication.onConnection(socket));
  return server;
}

function ignore(): void {}

/** How long a client can take to read the answer to a malformed request, in milliseconds. */
const lingerMs = 1_000;

const answeredErrors = new WeakSet<Socket>();

/**
 * Answers a request that Node rejected: malformed, too large, or too slow. Destroys the socket after a reset or a
 * failed handshake.
 * @param isAnswering whether part of another answer was sent
 * @returns the status, once for each connection
 */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket, isAnswering: boolean): string | undefined {
  const status = statusOf(error.code ?? '');
  if (answeredErrors.has(socket)) return undefined;
  answeredErrors.add(socket);
  if (status === undefined || !socket.writable || isAnswering) {
    socket.destroy();
    // A request with an answer is already counted.
    return status === undefined || isAnswering ? undefined : String(status);
  }
  const reason = STATUS_CODES[status] ?? '';
  const body = JSON.stringify({ message: reason });
  const head = `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(timer));
  return String(status);
}

/** The same statuses as Node (lib/_http_server.js, socketOnError). */
function statusOf(code: string): number | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 413;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  return code.startsWith('HPE_') ? 400 : undefined;
}

/** Two connections within this time count as simultaneous. In milliseconds. */
const simultaneousMs = 1;
const pauseMs = 0.05;

/**
 * Spreads simultaneous connections over the workers: a worker that has just accepted one pauses before the next.
 * Otherwise the first worker that the kernel wakes would accept, and keep, all connections of a caller's pool. libuv
 * had UV_TCP_SINGLE_ACCEPT for the same reason. Connections that arrive one by one are not delayed.
 */
export function shareConnections(server: Server): void {
  const sleepCell = new Int32Array(new SharedArrayBuffer(4));
  let last = Number.NEGATIVE_INFINITY;
  server.on('connection', () => {
    if (performance.now() - last < simultaneousMs) Atomics.wait(sleepCell, 0, 0, pauseMs);
    last = performance.now();
  });
}
