// Workers share the connections; none waits for a dead or full worker; connections above the limit are closed and
// logged.
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { surroundings } from '../../support/serve/installation.ts';
import {
  ask,
  canListWorkers,
  invoke,
  type Serving,
  socketsOf,
  startServing,
  workersOf,
} from '../../support/serve/serving.ts';

const health = 'GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n';

/** Opens connections and sends one request on each. `closed` counts those that the server ended. */
function flood({ url }: Serving, count: number) {
  let closed = 0;
  let answered = 0;
  const sockets = Array.from({ length: count }, (): Socket => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => {
      closed += 1;
    });
    socket.once('data', () => {
      answered += 1;
    });
    socket.write(health);
    return socket;
  });
  const end = async () => {
    const open = sockets.filter((socket) => !socket.closed);
    await Promise.all(open.map((socket) => once(socket.destroy(), 'close')));
  };
  onTestFinished(end);
  return { closed: () => closed, answered: () => answered, end };
}

describe.skipIf(!canListWorkers)('two workers (needs /proc)', () => {
  it('share kept-alive connections, and connections of one call each', async () => {
    const { identities, target } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const [one = 0, other = 0] = workersOf(serving);
    const before = [one, other].map(socketsOf);
    for (let n = 0; n < 32; n++) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      expect((await ask(serving.url, '/v1/health', { agent })).status).toBe(200);
    }
    const shares = [one, other].map((pid, index) => socketsOf(pid) - (before[index] as number));
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(4);
    expect(shares.reduce((sum, share) => sum + share)).toBe(32);

    // Each worker has its own connection to the customer's API.
    const kinds = await Promise.all(Array.from({ length: 64 }, () => invoke(serving.url, target)));
    expect(kinds.every(({ status }) => status === 200)).toBe(true);
    const after = [one, other].map(socketsOf);
    for (const [index, count] of after.entries()) {
      expect(count).toBeGreaterThan((before[index] as number) + (shares[index] as number));
    }
  });

  it('share simultaneous connections', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const workers = workersOf(serving);
    const larger: number[] = [];
    for (let round = 0; round < 20; round++) {
      const before = workers.map(socketsOf);
      const { answered, end } = flood(serving, 32);
      await expect.poll(answered, { interval: 5 }).toBe(32);
      larger.push(Math.max(...workers.map((pid, index) => socketsOf(pid) - (before[index] as number))));
      await end();
      await expect.poll(() => workers.map(socketsOf), { interval: 5 }).toEqual(before);
    }
    expect(larger.reduce((sum, share) => sum + share) / larger.length).toBeLessThan(21);
  });

  it('do not block each other: while one is stopped and then killed, every call is answered', async () => {
    const { identities, target } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const [still = 0] = workersOf(serving);
    process.kill(still, 'SIGSTOP');
    const calls = Array.from({ length: 12 }, () => invoke(serving.url, target));
    await calls[0];
    process.kill(still, 'SIGKILL');
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(12).fill(200));
  });

  it('recover after a flood has used every file descriptor', { timeout: 60_000 }, async () => {
    const { identities, target } = await surroundings();
    const serving = await startServing({ identities, workers: '2' }, {}, 100);
    expect(serving.lines()[0]).toMatchObject({ level: 'WARN', message: 'limits lowered' });
    const workers = workersOf(serving);
    for (let wave = 0; wave < 4; wave++) {
      const { end, closed } = flood(serving, 400);
      await expect.poll(closed, { timeout: 10_000 }).toBeGreaterThan(300);
      await end();
      // The server is still closing the last connections.
      await expect.poll(() => ask(serving.url, '/v1/health').then(({ status }) => status, String)).toBe(200);
    }
    for (let n = 0; n < 10; n++) expect((await invoke(serving.url, target)).status).toBe(200);
    expect(workersOf(serving)).toEqual(workers);
    expect(serving.errors()).toBe('');
  });

  it('close connections above the limit, count them, and log few lines', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '2', maxConnections: '2' });
    const { closed, end } = flood(serving, 40);
    await expect.poll(closed).toBeGreaterThanOrEqual(36);
    await end();
    await serving.line(({ message }) => message === 'connections refused');
    const counted = async () =>
      ask(serving.url, '/metrics').then(
        ({ text }) => Number(/^countersign_refused_connections_total (\d+)$/m.exec(text)?.[1]),
        () => 0,
      );
    await expect.poll(counted).toBeGreaterThanOrEqual(36);
    const lines = serving.lines().filter(({ message }) => message === 'connections refused');
    expect(lines[0]).toMatchObject({ level: 'WARN', maxConnections: 2 });
    expect(lines.length).toBeLessThan(10);
  });

  it('answer concurrent requests for metrics', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const replies = await Promise.all(Array.from({ length: 40 }, () => ask(serving.url, '/metrics')));
    for (const { text } of replies) expect(text).toContain('\ncountersign_workers 2\n');
    serving.child.kill('SIGTERM');
    expect(await serving.ended).toBe(0);
    expect(serving.errors()).toBe('');
  });
});
