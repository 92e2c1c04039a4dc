// One process' server: which connections and requests it takes, for how long, and what becomes of those that are none.

import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { connectionsOf } from '../../listener/connections.ts';
import type { ServerTrust } from '../auth/trusted-authorities.ts';
import { answerClientError } from './client-errors.ts';
import { type RequestParts, serveOne } from './request.ts';

export interface ListenerParts extends Omit<RequestParts, 'isTls'> {
  /** Undefined: plain HTTP. */
  readonly trust: ServerTrust | undefined;
  readonly wantsClientCertificates: boolean;
  onConnectionRefused(): void;
}

/** Not listening yet. */
export function createListener(parts: ListenerParts): Server {
  const { limits, trust, authentication } = parts;
  const requestParts = { ...parts, isTls: trust !== undefined };
  const options: ServerOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headerMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 1_000,
    // A request that could be read in two ways is not read at all.
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // Refused in words, like the rest.
    requireHostHeader: false,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse, goOn = () => {}) => {
    request.on('error', ignored);
    response.on('error', ignored);
    serveOne(requestParts, server, request, response, goOn);
  };
  const server: Server = trust
    ? createTlsServer({
        ...options,
        ...trust.context,
        handshakeTimeout: limits.headerMs,
        requestCert: parts.wantsClientCertificates,
        // Told in HTTP, with a sentence, and health needs none.
        rejectUnauthorized: false,
      })
    : createServer(options);
  const connections = connectionsOf(server);
  server.on('request', (request, response) => onRequest(request, response));
  server.on('checkExpectation', (request, response) => onRequest(request, response));
  // Whoever asks first whether to send a body is not told to send one that is refused.
  server.on('checkContinue', (request, response) => onRequest(request, response, () => response.writeContinue()));
  server.maxConnections = limits.maxConnections;
  // All of them: what frames the body may stand behind the thousandth. Their bytes are bounded.
  server.maxHeadersCount = 0;
  server.on('clientError', (error, socket) => {
    const code = answerClientError(error, socket as Socket, connections.isAnswering(socket as Socket));
    if (code !== undefined) parts.onRefused({ code, sourceIp: (socket as Socket).remoteAddress });
  });
  server.on('drop', parts.onConnectionRefused);
  // One that could not be accepted, for want of descriptors say, is no defect of the server.
  server.on('error', () => {
    if (server.listening) parts.onConnectionRefused();
  });
  // An answer that nobody reads, and whatever else stands still for longer than any call may take.
  server.setTimeout(limits.requestMs + 30_000, (socket) => socket.destroy());
  if (authentication) server.on('connection', (socket) => authentication.began(socket));
  return server;
}

function ignored(): void {}
