// SIGTERM and SIGINT: no more connections, the calls in flight are answered, up to a deadline; a second signal ends it at once.
import { describe, expect, it } from 'vitest';
import { surroundings } from './installation.ts';
import { canListWorkers, invoke, isRunning, startServing, workersOf } from './serving.ts';

describe.each(['1', '2'])('with --workers %s', (workers) => {
  async function withCallInFlight(shutdownSeconds: string) {
    const { identities, api, target } = await surroundings();
    const arrived = Promise.withResolvers<() => void>();
    api.answerWith((_, response) => arrived.resolve(() => response.end('late')));
    const serving = await startServing({ identities, workers, shutdownSeconds });
    const call = invoke(serving.url, target);
    call.catch(() => {});
    return { serving, target, call, answer: await arrived.promise };
  }

  it.each(['SIGTERM', 'SIGINT'] as const)('%s lets calls in flight end', async (signal) => {
    const { serving, target, call, answer } = await withCallInFlight('30');
    serving.child.kill(signal);
    await serving.line(({ message }) => message === 'stopping');
    await expect.poll(() => invoke(serving.url, target).catch(({ code }) => code)).toBe('ECONNREFUSED');
    answer();
    expect((await call).body.body).toBe('late');
    expect((await call).headers.connection).toBe('close');
    expect(await serving.ended).toBe(0);
    expect(serving.lines().at(-1)).toMatchObject({ level: 'INFO', message: 'stopped', cutOff: 0 });
    expect(serving.errors()).toBe('');
  });

  it('what lasts longer than the deadline is cut off, and told', async () => {
    const { serving, call } = await withCallInFlight('1');
    serving.child.kill('SIGTERM');
    await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await serving.ended).toBe(0);
    expect(serving.lines().at(-1)).toMatchObject({ level: 'WARN', message: 'stopped', cutOff: 1 });
  });

  it.skipIf(!canListWorkers)('a second signal ends it at once (needs /proc)', async () => {
    const { serving, call } = await withCallInFlight('30');
    const children = workersOf(serving);
    serving.child.kill('SIGTERM');
    await serving.line(({ message }) => message === 'stopping');
    serving.child.kill('SIGTERM');
    await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(await serving.ended).toBe(143);
    await expect.poll(() => children.filter(isRunning)).toEqual([]);
  });

  it('a port that is taken is said in one sentence, and nothing is left running', async () => {
    const { serving } = await withCallInFlight('0');
    const { port } = new URL(serving.url);
    const { identities } = await surroundings();
    await expect(startServing({ identities, workers, port })).rejects.toThrow(
      `It ended with 1: Port ${port} is taken, and countersign serve needs it: stop what uses it, or choose another with --port.`,
    );
  });
});
