// A customer's API with an event loop of its own: it goes on, and closes connections, while the platform stands still.
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';

export interface ThreadApiOptions {
  readonly server: IssuedCertificate;
  readonly clientRoot: string;
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
}

export interface ThreadApi {
  readonly port: number;
  /** Requests that reached it. */
  readonly requests: number;
  /** Stands still, as a frozen function does, until the server has closed every connection. */
  freezeWhileItCloses(how: 'end' | 'reset'): void;
  /** From its next request on, it closes the connection instead of answering. */
  hangUp(): void;
}

const closed = 0;
const requests = 1;
const hangsUp = 2;

if (!isMainThread && workerData?.isApiInAThread) serve();

function serve(): void {
  const { server, clientRoot, maxVersion, shared } = workerData as ThreadApiOptions & { shared: Int32Array };
  const sockets = new Set<Socket>();
  const api = createServer(
    {
      cert: server.certificate + server.intermediates,
      key: server.privateKey,
      ca: clientRoot,
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion,
      keepAliveTimeout: 0,
    },
    (request, response) => {
      Atomics.add(shared, requests, 1);
      if (shared[hangsUp]) request.socket.destroy();
      else request.resume().on('end', () => response.end('answered'));
    },
  );
  api.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  parentPort?.on('message', async (how: 'end' | 'reset') => {
    const gone = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of sockets) (how === 'end' ? socket : socket.resetAndDestroy()).destroy();
    await Promise.all(gone);
    Atomics.store(shared, closed, 1);
    Atomics.notify(shared, closed);
  });
  api.listen(0, '127.0.0.1', () => parentPort?.postMessage((api.address() as AddressInfo).port));
}

export async function startApiInAThread(options: ThreadApiOptions): Promise<ThreadApi> {
  const shared = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(new URL(import.meta.url), { workerData: { ...options, shared, isApiInAThread: true } });
  onTestFinished(async () => {
    await worker.terminate();
  });
  const port = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return {
    port,
    get requests() {
      return Atomics.load(shared, requests);
    },
    freezeWhileItCloses(how) {
      Atomics.store(shared, closed, 0);
      worker.postMessage(how);
      if (Atomics.wait(shared, closed, 0, 10_000) === 'timed-out') throw new Error('The server did not close.');
    },
    hangUp() {
      Atomics.store(shared, hangsUp, 1);
    },
  };
}
