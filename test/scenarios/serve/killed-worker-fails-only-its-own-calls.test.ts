// A killed worker: its calls in flight fail, all others continue, a new worker replaces it, and no counter falls.
import { describe, expect, it } from 'vitest';
import { surroundings } from '../../support/serve/installation.ts';
import { ask, canListWorkers, invoke, isRunning, startServing, workersOf } from '../../support/serve/serving.ts';

async function answered(url: string): Promise<number> {
  const metrics = (await ask(url, '/metrics')).text;
  return Number(/^countersign_calls_total\{outcome="answered"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

describe.skipIf(!canListWorkers)('a killed worker (needs /proc)', () => {
  it('fails only its own calls in flight, and is replaced', async () => {
    const { identities, api, target } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    for (let n = 0; n < 10; n++) expect((await invoke(serving.url, target)).status).toBe(200);
    expect(await answered(serving.url)).toBe(10);

    const releases: (() => void)[] = [];
    const allArrived = Promise.withResolvers<void>();
    api.answerWith((_, response) => {
      releases.push(() => response.end('late'));
      if (releases.length === 24) allArrived.resolve();
    });
    const calls = Array.from({ length: 24 }, () =>
      invoke(serving.url, target).then(
        ({ body }) => body.body,
        (error) => error.code,
      ),
    );
    await allArrived.promise;
    const [victim = 0, survivor = 0] = workersOf(serving);
    process.kill(victim, 'SIGKILL');
    const death = await serving.line(({ message }) => message === 'worker died');
    expect(death).toMatchObject({ level: 'ERROR', pid: victim, how: 'SIGKILL' });
    for (const release of releases) release();
    const outcomes = (await Promise.all(calls)).sort();
    // Each worker accepts some of 24 connections.
    expect(new Set(outcomes)).toEqual(new Set(['ECONNRESET', 'late']));

    api.answerWith((_, response) => response.end('now'));
    for (let n = 0; n < 10; n++) expect((await invoke(serving.url, target)).body.body).toBe('now');
    await expect.poll(() => workersOf(serving).filter(isRunning).length, { timeout: 10_000 }).toBe(2);
    expect(isRunning(survivor)).toBe(true);
    const late = outcomes.filter((outcome) => outcome === 'late').length;
    // Counters of the dead worker, as of its last snapshot.
    await expect.poll(() => answered(serving.url)).toBe(10 + late + 10);
    const metrics = (await ask(serving.url, '/metrics')).text;
    expect(metrics).toContain('\ncountersign_worker_deaths_total 1\n');
    await expect
      .poll(async () => (await ask(serving.url, '/metrics')).text, { timeout: 10_000 })
      .toContain('\ncountersign_workers 2\n');
  });

  it('that was the last one refuses no connection: it waits for the next worker', async () => {
    const { identities, target } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    for (const pid of workersOf(serving)) process.kill(pid, 'SIGKILL');
    await serving.line(() => serving.lines().filter(({ message }) => message === 'worker died').length === 2);
    expect((await invoke(serving.url, target)).status).toBe(200);
    serving.child.kill('SIGTERM');
    expect(await serving.ended).toBe(0);
    await expect(ask(serving.url, '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('ends with the first process', async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    const workers = workersOf(serving);
    serving.child.kill('SIGKILL');
    await serving.ended;
    await expect.poll(() => workers.filter(isRunning), { timeout: 10_000 }).toEqual([]);
  });
});
