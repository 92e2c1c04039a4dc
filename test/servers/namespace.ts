// For servers that listen on every interface: a network namespace with nothing but its own loopback.
import { spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { programOf } from './listener.ts';
import type { Folder, Resources } from './resources.ts';

export function missingNamespace(): string | undefined {
  const { status } = spawnSync(programOf('unshare'), ['--map-root-user', '--net', 'true']);
  return status === 0 ? undefined : 'the right to make a network namespace';
}

export async function startInside(
  commands: readonly { readonly port: number; readonly command: readonly string[] }[],
  folder: Folder,
  resources: Resources,
): Promise<void> {
  const inside = commands.map(({ port, command }) => ({
    port,
    // A Unix socket is reached by its path, whatever the namespace.
    socket: join(folder.path, String(port)),
    command,
  }));
  const file = folder.write('inside.json', JSON.stringify({ ip: programOf('ip'), commands: inside }));
  const program = resources.start(
    programOf('unshare'),
    ['--map-root-user', '--net', process.execPath, join(import.meta.dirname, 'programs', 'inside.ts'), file],
    { cwd: folder.path },
  );
  for (const { port, socket } of inside) await relay(port, socket, resources);
  await ready(program, inside.length);
}

function ready({ child, output }: ReturnType<Resources['start']>, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (output().includes(`listening ${count}\n`)) resolve();
    };
    child.stdout?.on('data', look);
    child.once('close', () => reject(new Error(`The namespace ended: ${output()}`)));
  });
}

function relay(port: number, path: string, resources: Resources): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (outside) => {
    const inside = connect({ path, allowHalfOpen: true });
    pipeline(outside, inside, () => {});
    pipeline(inside, outside, () => {});
  });
  resources.onEnd(() => void server.close());
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}
