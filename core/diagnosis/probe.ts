// After the handshake: sends one read-only request, or waits for what the server sends without one.
import { request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { ByteCollector } from '../byte-collector.ts';
import type { Target } from '../destination/target.ts';
import { filterResponse } from '../http/response-filter.ts';
import {
  failureBehindHandshake,
  hasAsked,
  type Observation,
  type ProbeAnswer,
  tookCertificate,
} from './observation.ts';

export interface ProbeRequest {
  readonly method: string;
  readonly path: string;
  /** The status of a granted access, if the destination defines it. */
  readonly expectStatus?: number;
}

const most = { bodyBytes: 8 * 1024, headBytes: 64 * 1024 } as const;

/** Milliseconds. A page that refuses a certificate comes with its head; a slow body is cut. */
const bodyTimeoutMs = 1_000;

/**
 * Milliseconds. A server that stays silent for this long has probably accepted the certificate: its verdict needs one
 * way over the network and a signature check. A ticket, or Finished in TLS 1.2, confirms it.
 */
const quietMs = { undecided: 1_000, decided: 100 } as const;

/** Milliseconds. Most servers send a ticket at once, which ends the wait. */
const verdictMs = 300;

/** Resolves with the head and the start of the body; rejects with the error of an invocation. */
export function sendProbe(
  tls: TLSSocket,
  target: Target,
  authority: string,
  probe: ProbeRequest,
  seen: Observation,
): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest({
      createConnection: () => tls,
      method: probe.method,
      path: probe.path,
      host: target.host,
      port: target.port,
      setHost: false,
      headers: ['Host', authority, 'Connection', 'close', 'Accept', '*/*', 'User-Agent', 'countersign'],
      maxHeaderSize: most.headBytes,
    });
    filterResponse(tls, probe.method);
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      reject(failureBehindHandshake(error, seen, tls.bytesRead > 0));
    });
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, bodyStart: Buffer.alloc(0) });
    });
    outgoing.on('response', (response) => {
      seen.attempt.phase = 'response';
      const body = new ByteCollector({ maxBytes: most.bodyBytes });
      const done = () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bodyStart: body.bytes });
        response.destroy();
      };
      const timer = setTimeout(done, bodyTimeoutMs);
      response.on('data', (chunk: Buffer) => {
        body.add(chunk);
        if (body.size === most.bodyBytes) done();
      });
      response.on('error', done);
      response.on('end', done);
      response.on('close', done);
    });
    outgoing.end();
  });
}

/**
 * Before a request: gives the server time for its verdict and reads it. A write that meets a reset closes the socket
 * and loses an unread alert before the reset (stunnel, TLS 1.3). Nothing is read from the stream: early bytes of a
 * server are the start of its answer.
 */
export function waitForVerdict(tls: TLSSocket, seen: Observation): Promise<void> {
  if (!hasAsked(seen)) return Promise.resolve();
  const enough = verdictMs + seen.attempt.connectMs;
  return watch(tls, seen, (waitedMs) => {
    return waitedMs > enough || tookCertificate(seen) || seen.ended !== undefined || tls.readableLength > 0;
  });
}

/** Without a request: waits until the server accepts or refuses the certificate, or has been silent long enough. */
export function waitQuietly(tls: TLSSocket, seen: Observation): Promise<void> {
  tls.resume();
  return watch(tls, seen, (waitedMs) => waitedMs > (tookCertificate(seen) ? quietMs.decided : quietMs.undecided));
}

/** Polls `isEnough`; rejects if the server ends the connection before. */
function watch(tls: TLSSocket, seen: Observation, isEnough: (waitedMs: number) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const since = performance.now();
    const end = () => {
      clearInterval(timer);
      tls.off('error', over);
      tls.off('end', over);
      tls.off('close', over);
    };
    const check = () => {
      if (!isEnough(performance.now() - since)) return;
      clearInterval(timer);
      // A busy event loop runs late timers before it polls sockets: two turns guarantee a poll.
      setImmediate(() => setImmediate(finish));
    };
    const finish = () => {
      end();
      resolve();
    };
    const over = (error?: NodeJS.ErrnoException | boolean) => {
      end();
      if (!hasAsked(seen)) return resolve();
      const closed = Object.assign(new Error('The server closed the connection.'), { code: 'EPIPE' });
      reject(failureBehindHandshake(error instanceof Error ? error : closed, seen, false));
    };
    const timer = setInterval(check, 5);
    tls.on('error', over);
    tls.on('end', over);
    tls.on('close', over);
    check();
  });
}
