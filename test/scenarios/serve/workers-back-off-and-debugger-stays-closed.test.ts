// Signals and crashes of real processes: the debugger stays closed, and workers that crash are replaced ever later.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { renameSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { mainFile } from '../../support/cli/run-command.ts';
import { surroundings } from '../../support/serve/installation.ts';
import { canListWorkers, startServing, workersOf } from '../../support/serve/serving.ts';

const crashes = 4;

it.skipIf(!canListWorkers)(
  'replaces a worker that crashes again and again after 0, 500, 1,000, 2,000 ms (needs /proc)',
  async () => {
    const { identities } = await surroundings();
    const serving = await startServing({ identities, workers: '2' });
    // No worker can start without the folder.
    renameSync(identities, `${identities}-away`);
    process.kill(workersOf(serving)[0] as number, 'SIGKILL');
    const died = () => serving.lines().filter(({ message }) => message === 'worker died');
    await serving.line(() => died().length >= crashes);
    expect(died().map(({ replacedInMs }) => replacedInMs)).toEqual([0, 500, 1_000, 2_000]);
  },
);

it.skipIf(!canListWorkers)('SIGUSR1 opens no debugger in serve and its workers (needs /proc)', async () => {
  const { identities } = await surroundings();
  const child = spawn(process.execPath, [
    mainFile,
    'serve',
    '--identities',
    identities,
    '--port',
    '0',
    '--workers',
    '2',
  ]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  await once(child.stdout, 'data');
  const workers = workersOf({ child });
  expect(workers).toHaveLength(2);
  for (const pid of [child.pid as number, ...workers]) process.kill(pid, 'SIGUSR1');
  child.kill('SIGTERM');
  expect((await once(child, 'close'))[0]).toBe(0);
  expect(errors).not.toContain('Debugger');
});
