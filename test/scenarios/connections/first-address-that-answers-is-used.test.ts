// A name with several addresses: tried in their order, the next one beside a silent one, the losers closed.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newRequestAttempt } from '../../../core/tls/attempt.ts';
import { dial } from '../../../core/tls/dial.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const at = (...addresses: readonly string[]) => addresses.map((address) => ({ address, family: 4 as const }));

/** Counts what comes. */
async function listen(host: string, port = 0): Promise<{ port: number; sockets: Socket[]; open(): Promise<number> }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket.resume());
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('It does not listen.');
  const open = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  return { port: address.port, sockets, open };
}

/**
 * A port that answers no SYN, as behind a firewall that drops packets: a listener that accepts nothing, its queue full.
 * On Linux; elsewhere a full queue may refuse instead, and is then the refused case again.
 */
async function blackhole(host: string, port: number): Promise<void> {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const server = require('node:net').createServer();
     server.listen({ host: workerData.host, port: workerData.port, backlog: 1 }, () => {
       parentPort.postMessage('listening');
       Atomics.wait(workerData.shared, 0, 0);
     });`,
    { eval: true, workerData: { shared, host, port } },
  );
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    Atomics.store(shared, 0, 1);
    Atomics.notify(shared, 0);
    await worker.terminate();
  });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, host);
    socket.on('error', () => {});
    sockets.push(socket);
    isFull = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), 200);
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
  }
}

async function dialled(addresses: readonly string[], port: number): Promise<Socket> {
  const socket = await dial(at(...addresses), port, newRequestAttempt());
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

describe('dialling', () => {
  it('connects to the first address only, if it answers', async () => {
    const first = await listen('127.0.0.1');
    const second = await listen('127.0.0.2', first.port);
    const socket = await dialled(['127.0.0.1', '127.0.0.2'], first.port);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(second.sockets).toHaveLength(0);
  });

  it('tries the next address at once when one refuses', async () => {
    const good = await listen('127.0.0.4');
    const socket = await dialled(['127.0.0.2', '127.0.0.3', '127.0.0.4'], good.port);
    expect(socket.remoteAddress).toBe('127.0.0.4');
  });

  it('tries the next address beside a silent one, and closes the silent attempt', async () => {
    const good = await listen('127.0.0.3');
    await blackhole('127.0.0.2', good.port);
    const socket = await dialled(['127.0.0.2', '127.0.0.3'], good.port);
    expect(socket.remoteAddress).toBe('127.0.0.3');
    // The one that found the queue full is still at it.
    await expect.poll(connectsUnderWay).toBe(1);
  });

  it('waits for a silent address when the others refuse', async () => {
    const good = await listen('127.0.0.3');
    await blackhole('127.0.0.2', good.port);
    const attempt = newRequestAttempt();
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    dial(at('127.0.0.2', '127.0.0.4'), good.port, attempt).then(settled, settled);
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(isSettled).toBe(false);
    expect(connectsUnderWay()).toBe(2);
    attempt.stop?.();
    await expect.poll(connectsUnderWay).toBe(1);
  });

  it('fails when every address refuses', async () => {
    const { port } = await listen('127.0.0.9');
    const refused = dial(at('127.0.0.2', '127.0.0.3'), port, newRequestAttempt());
    await expect(refused).rejects.toMatchObject({ code: 'connection-refused' });
  });

  it('closes connections that open after the first one', async () => {
    const first = await listen('127.0.0.1');
    const second = await listen('127.0.0.2', first.port);
    const winners = await Promise.all(
      Array.from({ length: 50 }, () => dialled(['127.0.0.1', '127.0.0.2'], first.port)),
    );
    for (const winner of winners) winner.destroy();
    await expect.poll(async () => (await first.open()) + (await second.open())).toBe(0);
  });
});

function connectsUnderWay(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'ConnectWrap').length;
}

describe('a call', () => {
  it('reaches the API at its second address when nothing listens on the first', async () => {
    const api = await startApi(authorities);
    const lookup = async () => [{ address: '127.0.0.2' }, { address: '127.0.0.1' }];
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    expect((await platform.call({ url: `https://api.acme.example:${api.port}/` })).statusCode).toBe(200);
    expect(platform.attempts()).toEqual([1]);
  });

  it('reaches the API at its second address when the first is silent', async () => {
    const api = await startApi(authorities);
    await blackhole('127.0.0.2', api.port);
    const lookup = async () => [{ address: '127.0.0.2' }, { address: '127.0.0.1' }];
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    expect((await platform.call({ url: `https://api.acme.example:${api.port}/` })).statusCode).toBe(200);
  });
});
