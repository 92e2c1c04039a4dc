// A response in front of a reset that a write meets first. The server runs in a thread, so that the reset is there
// before this thread reads.
import { connect } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { readBeforeWriteErrors } from '../../../core/tls/endpoint-agent.ts';
import { createAuthorities } from '../../support/stage.ts';

/** Responds to the first bytes and closes with unread ones, which makes the kernel send a reset; then wakes us. */
const serverCode = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { createServer } = require('node:tls');
  const server = createServer(workerData.tls, (socket) => {
    socket.on('error', () => {});
    socket.once('readable', () => {
      Atomics.wait(workerData.shared, 0, 0, 10_000);
      socket.write('413', () => {
        socket.destroy();
        socket.once('close', () => {
          Atomics.store(workerData.shared, 1, 1);
          Atomics.notify(workerData.shared, 1);
        });
      });
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'the response is read before the failed write is reported (%s)',
  async (maxVersion) => {
    const { customerRoot } = createAuthorities();
    const { certificate, privateKey } = customerRoot.issue({
      commonName: 'api',
      names: ['localhost'],
      usage: 'server',
    });
    // Whether this thread has stopped reading, and whether the server has closed.
    const shared = new Int32Array(new SharedArrayBuffer(8));
    const workerData = { tls: { cert: certificate, key: privateKey, maxVersion }, shared };
    const worker = new Worker(serverCode, { eval: true, workerData });
    onTestFinished(() => void worker.terminate());
    const port = await new Promise<number>((resolve) => worker.once('message', resolve));

    const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ca: customerRoot.certificate });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    readBeforeWriteErrors(socket);
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk;
    });
    const ended = new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve));
    // More than the server reads at once: the rest is unread when it closes.
    await new Promise<unknown>((resolve) => socket.write(Buffer.alloc(300_000), resolve));
    Atomics.store(shared, 0, 1);
    Atomics.notify(shared, 0);
    Atomics.wait(shared, 1, 0, 10_000);
    socket.write('more');
    expect((await ended).code).toMatch(/^(ECONNRESET|EPIPE)$/);
    expect(received).toBe('413');
  },
);
