// Sends one request and reads its answer before a deadline; a failure says whether the request can be processed.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';

import type { TLSSocket } from 'node:tls';
import { authorityOf, type Target } from '../destination/target.ts';
import { asCountersignError, CountersignError } from '../errors.ts';
import { limits } from '../settings.ts';
import { atDeadline, type Deadline, newRequestAttempt, type RequestAttempt } from '../tls/attempt.ts';
import type { AgentRequestOptions, EndpointAgent } from '../tls/endpoint-agent.ts';
import type { Handshake } from '../tls/handshake.ts';
import { collectBody } from './body.ts';
import { deadlineFailure, type ExchangeState, type Failure, requestFailure } from './exchange-failure.ts';
import { readFields } from './response-fields.ts';
import { filterResponse, type ResponseFilter } from './response-filter.ts';

/** A request as it goes on the wire, byte for byte. */
export interface HttpRequest {
  /** Case-sensitive (RFC 9110, section 9.1). */
  readonly method: string;
  /** Name, value, name, value, … in wire order; no Host, Content-Length or hop-by-hop header. */
  readonly headers: readonly string[];
  readonly body: Buffer | undefined;
  /** True when the content coding of the response is removed. */
  readonly decodeContent: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** Name, value, name, value, … as received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** True when a content coding was taken off the body. */
  readonly decoded: boolean;
  /** True if the body may be truncated: only the close of the connection ended it. */
  readonly endIsUnproven: boolean;
}

interface Exchanged {
  readonly attempt: RequestAttempt;
  /** Absent if no connection was established. */
  readonly handshake: Handshake | undefined;
  readonly connection: ConnectionKind;
}

/** A full handshake, a resumed one, or no handshake. */
export type ConnectionKind = 'new' | 'resumed' | 'reused';

/** The connection a request can use: any, a new one, or a new one with a full handshake. */
export type ConnectionReuse = 'any connection' | 'a new connection' | 'a full handshake';

export type ExchangeResult =
  | (Exchanged & { readonly answer: HttpResponse; readonly firstByteMs: number })
  | (Exchanged & { readonly failure: Failure });

/** Larger heads are refused by the parser; nginx and Apache send 8 KB at most by default. */
const maxHeadBytes = 64 * 1024;

/**
 * Never rejects. A new connection first closes the idle ones, which can have died for the same reason. Sends the
 * method, headers and body of the request, after Host, Content-Length and Connection.
 */
export async function exchange(
  agent: EndpointAgent,
  target: Target,
  request: HttpRequest,
  deadline: Deadline,
  reuse: ConnectionReuse = 'any connection',
): Promise<ExchangeResult> {
  const attempt = newRequestAttempt();
  const repeatable = isIdempotent(request.method);
  agent.inUse++;
  try {
    if (reuse === 'a full handshake') agent.clearTickets();
    if (reuse !== 'any connection') agent.closeIdle();
    else if (agent.closeStale(repeatable)) {
      await settle();
      agent.closeStale(repeatable);
    }
    return await send(agent, target, request, deadline, attempt);
  } finally {
    agent.inUse--;
  }
}

function send(
  agent: EndpointAgent,
  target: Target,
  request: HttpRequest,
  deadline: Deadline,
  attempt: RequestAttempt,
): Promise<ExchangeResult> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    attempt.readyAt = startedAt;
    const options: RequestOptions & AgentRequestOptions = {
      agent,
      method: request.method,
      path: target.path,
      host: target.host,
      port: target.port,
      headers: wireHeaders(authorityOf(target, agent.destination.serverName), request),
      maxHeaderSize: maxHeadBytes,
      attempt,
    };
    let outgoing: ClientRequest;
    try {
      outgoing = httpsRequest(options);
    } catch (error) {
      // Node throws for a request it cannot write; that must not crash the process.
      resolve({
        ...notConnected(attempt),
        failure: { error: asCountersignError(error), processed: 'no', stale: false },
      });
      return;
    }
    let incoming: IncomingMessage | undefined;
    let settled = false;
    /** Bytes of earlier answers on a reused connection. */
    let bytesBefore = 0;
    let filter: ResponseFilter | undefined;

    const handshakeNow = () => (outgoing.socket ? agent.handshakeOf(outgoing.socket) : undefined);
    const exchanged = (): Exchanged => {
      const handshake = handshakeNow();
      return {
        attempt,
        handshake,
        connection: outgoing.reusedSocket ? 'reused' : handshake?.resumed ? 'resumed' : 'new',
      };
    };
    const state = (): ExchangeState => ({
      handshake: handshakeNow(),
      reused: outgoing.reusedSocket,
      answerBegan: (outgoing.socket?.bytesRead ?? 0) > bytesBefore,
      singleWrite: isSingleWrite(target, request),
    });
    const settleWith = (outcome: ExchangeResult) => {
      if (settled) return;
      settled = true;
      stopWaiting();
      resolve(outcome);
    };
    const fail = (failure: Failure) => {
      settleWith({ ...exchanged(), failure });
      attempt.abandoned = true;
      attempt.stop?.();
      incoming?.destroy();
      outgoing.destroy();
    };
    const stopWaiting = atDeadline(deadline, () => fail(deadlineFailure(attempt, deadline, target)));

    outgoing.on('socket', (socket) => {
      attempt.phase = 'request';
      bytesBefore = agent.bytesBefore(socket);
      filter = filterResponse(socket as TLSSocket, request.method);
      agent.restartTlsLimit(socket);
      attempt.readyAt = performance.now();
    });
    // A second error, such as a reset after an alert, has no effect.
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (!incoming) fail(requestFailure(error, state()));
    });
    const switched = () => malformed('The API switched to another protocol without a request for it.');
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      fail(switched());
    });
    outgoing.on('response', (response) => {
      // Without an Upgrade header Node reports a 101 as an answer.
      if (response.statusCode === 101) return fail(switched());
      // The parser accepts any three digits; 600 to 999 are undefined and passed on (RFC 9110, section 15).
      if ((response.statusCode ?? 0) < 100) return fail(malformed('The response has a status below 100.'));
      incoming = response;
      attempt.phase = 'response';
      const firstByteMs = performance.now() - attempt.readyAt;
      const isAbandoned = () => attempt.abandoned;
      const decode = request.decodeContent;
      const fields = readFields(response.rawHeaders);
      collectBody(response, { limitBytes: limits.maxAnswerBytes, decode, isAbandoned, fields }).then(
        ({ bytes, decoded, endIsUnproven = false }) => {
          const { statusCode: status = 0, rawHeaders } = response;
          const answer = { status, rawHeaders, body: bytes, decoded, endIsUnproven };
          settleWith({ ...exchanged(), answer, firstByteMs });
          if (request.body) setImmediate(stopSending, outgoing);
        },
        (error: unknown) => fail({ error: asCountersignError(error), processed: 'maybe', stale: false }),
      );
      // Before Node returns the connection to the agent, in the next tick.
      const { socket } = response;
      response.once('end', () => {
        if (!filter?.isReusable) agent.closeAfterUse(socket);
      });
      if (fields.keepAlive !== undefined) agent.applyKeepAliveTimeout(socket, fields.keepAlive);
    });
    outgoing.end(request.body);
  });
}

/**
 * A server can answer before it has the whole request and stop reading: then sending the rest is useless (RFC 9112,
 * section 9.5). Called one turn after the answer, because Node reports a finished write late.
 */
function stopSending(outgoing: ClientRequest): void {
  if (!outgoing.writableFinished) outgoing.destroy();
}

/** One TLS record, and so one write, carries up to 16 KB (RFC 8446, section 5.1). */
function isSingleWrite(target: Target, request: HttpRequest): boolean {
  let bytes = target.path.length + (request.body?.length ?? 0);
  for (const part of request.headers) bytes += part.length + 2;
  return bytes < 12 * 1024;
}

function notConnected(attempt: RequestAttempt): Exchanged {
  return { attempt, handshake: undefined, connection: 'new' };
}

function malformed(detail: string): Failure {
  return { error: new CountersignError('response-malformed', detail), processed: 'maybe', stale: false };
}

/**
 * Written as a flat list, so that Node neither reorders nor merges nor adds: Host first (RFC 9110, section 7.2), and a
 * Content-Length wherever there is a body or the method is one that expects it (section 8.6).
 */
function wireHeaders(authority: string, request: HttpRequest): string[] {
  const length = request.body?.length ?? (bodyless.has(request.method) ? undefined : 0);
  const headers = ['Host', authority];
  if (length !== undefined) headers.push('Content-Length', String(length));
  headers.push('Connection', 'keep-alive');
  for (const part of request.headers) headers.push(part);
  return headers;
}

const bodyless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** RFC 9110, section 9.2.2. Methods are case-sensitive; an unknown method is not idempotent. */
export function isIdempotent(method: string): boolean {
  return idempotent.has(method);
}

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Two turns of the event loop include a poll, which reads what arrived while the function was frozen. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
