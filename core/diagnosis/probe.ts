// After the handshake: one harmless request that makes the server speak, or a wait for what it says by itself.
import { request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { ByteCollector } from '../byte-collector.ts';
import type { Target } from '../destination/target.ts';
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
  /** When the destination says what a granted access answers. */
  readonly expectStatus?: number;
}

const most = { bodyBytes: 8 * 1024, headBytes: 64 * 1024 } as const;

/** The page that refuses a certificate comes with its head; a body that drips is not waited for. */
const bodyPatienceMs = 1_000;

/**
 * A server that says nothing by itself for so long has, as far as can be told, taken the certificate: its verdict needs
 * one way over the network and a signature check. With its own first ticket or TLS 1.2's Finished there is no doubt.
 */
const quietMs = { undecided: 1_000, decided: 100 } as const;

/** Most servers send their first ticket at once and cost no wait; a busy one that sends none must still find the time. */
const verdictMs = 300;

/** Resolves with the head and the beginning of the body; rejects with what an invocation would have ended with. */
export function sendProbe(
  tls: TLSSocket,
  target: Target,
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
      headers: ['Host', target.authority, 'Connection', 'close', 'Accept', '*/*', 'User-Agent', 'countersign'],
      maxHeaderSize: most.headBytes,
    });
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
      const timer = setTimeout(done, bodyPatienceMs);
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
 * Before a request: gives the server the time for its verdict, and lets what it said come in: a write that meets a reset
 * closes the socket, and an alert in front of the reset that was not read yet is lost (stunnel, TLS 1.3). Nothing is
 * read from the stream: what a server says before it is asked is the beginning of its answer.
 */
export function waitForVerdict(tls: TLSSocket, seen: Observation): Promise<void> {
  if (!hasAsked(seen)) return Promise.resolve();
  const enough = verdictMs + seen.attempt.connectMs;
  return watch(tls, seen, (waitedMs) => {
    return waitedMs > enough || tookCertificate(seen) || seen.ended !== undefined || tls.readableLength > 0;
  });
}

/** Without a request: until the server takes the certificate, refuses it, or has been quiet for long enough. */
export function waitQuietly(tls: TLSSocket, seen: Observation): Promise<void> {
  tls.resume();
  return watch(tls, seen, (waitedMs) => waitedMs > (tookCertificate(seen) ? quietMs.decided : quietMs.undecided));
}

/** Until it is enough; rejects when the server ends the connection before. */
function watch(tls: TLSSocket, seen: Observation, isEnough: (waitedMs: number) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const since = performance.now();
    const end = () => {
      clearInterval(timer);
      tls.off('error', over);
      tls.off('end', over);
      tls.off('close', over);
    };
    const look = () => {
      if (!isEnough(performance.now() - since)) return;
      clearInterval(timer);
      // A busy loop runs late timers before it looks at its sockets; between two turns lies a poll, and what it finds counts.
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
    const timer = setInterval(look, 5);
    tls.on('error', over);
    tls.on('end', over);
    tls.on('close', over);
    look();
  });
}
