// Keep-alive connections stay with their worker; after a worker was replaced, the others release some of them.
import { Agent } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { connectionsToRelease } from '../../../serve/http/connection-share.ts';
import { surroundings } from '../../support/serve/installation.ts';
import { ask, canListWorkers, isRunning, socketsOf, startServing, workersOf } from '../../support/serve/serving.ts';

it.each([
  [
    [25, 25],
    [0, 0],
  ],
  [
    [31, 19],
    [0, 0],
  ],
  [
    [32, 18],
    [7, 0],
  ],
  [
    [50, 0],
    [25, 0],
  ],
  [
    [4, 4, 1],
    [1, 1, 0],
  ],
  [
    [5, 1, 0],
    [3, 0, 0],
  ],
  [
    [0, 0],
    [0, 0],
  ],
  [[7], [0]],
  [[], []],
])('of %j active connections, the workers release %j', (counts, released) => {
  expect(connectionsToRelease(counts)).toEqual(released);
});

it.skipIf(!canListWorkers)(
  'a replaced worker gets its share of kept-alive connections, and no call fails for it (needs /proc)',
  async () => {
    const callers = 24;
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const idle = Math.max(...workersOf(serving).map(socketsOf));
    let isOver = false;
    let failures = 0;
    const calling = Array.from({ length: callers }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      onTestFinished(() => agent.destroy());
      while (!isOver) {
        const isAnswered = await ask(serving.url, '/v1/health', { agent }).then(
          ({ status }) => status === 200,
          () => false,
        );
        if (!isAnswered) failures += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    const [victim = 0] = workersOf(serving);
    process.kill(victim, 'SIGKILL');
    await expect.poll(() => workersOf(serving).filter(isRunning).length, { timeout: 10_000 }).toBe(2);
    const lostWithTheWorker = failures;
    expect(lostWithTheWorker).toBeLessThanOrEqual(callers);
    const smaller = () => Math.min(...workersOf(serving).map(socketsOf)) - idle;
    await expect.poll(smaller, { timeout: 15_000 }).toBeGreaterThanOrEqual(callers / 4);
    isOver = true;
    await Promise.all(calling);
    expect(failures).toBe(lostWithTheWorker);
  },
);
