// Step 1: the name, the route, the port, the accept queue; each with its own code.
import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { privateFolder } from '../../support/program.ts';
import { hasIpv6, serveTcp } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

/** Names of the test's own; everything else goes to the system's resolver. */
const names: Record<string, string[]> = { 'two.example': ['127.255.255.255', '127.0.0.1'] };
const trial = useTrial({
  async lookup(host) {
    return names[host]?.map((address) => ({ address })) ?? (await lookup(host, { all: true }));
  },
});

describe('a name', () => {
  it('that cannot exist is not sent to the resolver', async () => {
    // RFC 6761, section 6.4: no resolver has an answer for it; one without a network says EAI_AGAIN.
    const problem = await trial.fails('name-resolution-failed', 443, { host: 'nothing.invalid' });
    expect(problem.detail).toContain('nothing.invalid');
    expect(problem.evidence).toMatchObject({ host: 'nothing.invalid' });
  });

  it('that the resolver does not answer in time fails with name-resolution-failed', async () => {
    const release = occupyThreadPool();
    try {
      const problem = await trial.fails('name-resolution-failed', 443, {
        host: 'slow.invalid',
        request: { timeoutMs: 200 },
      });
      expect(problem.evidence).toEqual({ timeoutMs: 200, phase: 'resolve' });
    } finally {
      await release();
    }
  });
});

describe('a connection', () => {
  it('is refused if no server listens', async () => {
    const problem = await trial.fails('connection-refused', await closedPort());
    expect(problem.evidence).toEqual({ reason: 'ECONNREFUSED' });
  });

  it.skipIf(!hasIpv6)('is refused if no server listens on the IPv6 address (needs IPv6 on loopback)', async () => {
    await trial.fails('connection-refused', await closedPort(), { host: '::1' });
  });

  it('fails if there is no route to the address', async () => {
    // The broadcast address of the loopback network: Linux connects no TCP to it.
    const problem = await trial.fails('connection-failed', 443, { host: '127.255.255.255' });
    expect(problem.evidence.reason).toMatch(/^E(NETUNREACH|ACCES|HOSTUNREACH|ADDRNOTAVAIL)$/);
  });

  it('is reported as refused, whatever is wrong with another address of the name', async () => {
    const port = await closedPort();
    await trial.fails('connection-refused', port, { host: 'two.example' });
    names['two.example']?.reverse();
    await trial.fails('connection-refused', port, { host: 'two.example' });
  });

  it('times out if the accept queue of the server is full', async () => {
    const queue = await fullQueue();
    const call = { host: '127.0.0.1', request: { timeoutMs: 300 } };
    const problem = await trial.fails('connection-timeout', queue.port, call);
    expect(problem.evidence).toEqual({ timeoutMs: 300, phase: 'connect' });
    expect(problem.retryable).toBe(true);
    queue.close();
  });

  it.skipIf(!hasIpv6)(
    'opens to the address that answers if another address of the name does not (needs IPv6 on loopback)',
    async () => {
      // localhost is 127.0.0.1 and ::1; the handshake that follows shows that a server was reached.
      const server = await serveTcp((socket) => socket.end('no TLS here, but a server'), '::1');
      await trial.fails('server-not-tls', server.port);
      expect(server.connections).toBe(1);
    },
  );
});

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('No port.');
  return address.port;
}

/**
 * getaddrinfo runs on libuv's threads, four by default: each is kept busy by opening a FIFO without a writer.
 * Returns the release.
 */
function occupyThreadPool(): () => Promise<void> {
  const folder = privateFolder();
  const fifos = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => join(folder.path, String(number)));
  execFileSync('mkfifo', fifos);
  const opening = fifos.map((fifo) => open(fifo, 'r'));
  return async () => {
    const handles: Promise<void>[] = [];
    for (const [index, fifo] of fifos.entries()) {
      const writer = await openedForWriting(fifo);
      handles.push(
        (opening[index] as (typeof opening)[number]).then((handle) => handle.close()).finally(() => closeSync(writer)),
      );
    }
    await Promise.all(handles);
  };
}

/** Without blocking: that fails until a thread has come to wait for this FIFO. */
async function openedForWriting(fifo: string): Promise<number> {
  for (;;) {
    try {
      return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

/** A port whose listener never accepts: once its queue is full, Linux drops what comes (listen(2), tcp(7)). */
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
  onTestFinished(async () => {
    await worker.terminate();
  });
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  // One more than the backlog is let in.
  const waiting = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(waiting.map((socket) => once(socket, 'connect')));
  return {
    port,
    close() {
      for (const socket of waiting) socket.destroy();
    },
  };
}
