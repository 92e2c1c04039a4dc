// gnutls-serv: it listens on every interface, so it runs in a network namespace with nothing but its own loopback.
import { spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { filesOf, type Listener, programOf, type RealServer, versionOf } from './listener.ts';
import type { Folder, Resources } from './resources.ts';

export const gnutls: RealServer = {
  title: 'GnuTLS (gnutls-serv)',
  needs: ['gnutls-serv', 'unshare', 'ip'],
  version: () => versionOf('gnutls-serv', ['--version']),
  conditions: ['clock', 'h2Only', 'strictName'],
  missing() {
    const { status } = spawnSync(programOf('unshare'), ['--map-root-user', '--net', 'true']);
    return status === 0 ? undefined : 'the right to make a network namespace';
  },
  async start(listeners, resources) {
    const folder = resources.folder();
    const commands = listeners.map((listener) => ({ port: listener.port, args: argumentsOf(listener, folder) }));
    await startInside(commands, folder, resources);
  },
};

export async function startInside(
  commands: readonly { readonly port: number; readonly args: readonly string[] }[],
  folder: Folder,
  resources: Resources,
): Promise<void> {
  const inside = commands.map(({ port, args }) => ({
    port,
    // A Unix socket is reached by its path, whatever the namespace.
    socket: join(folder.path, String(port)),
    command: [programOf('gnutls-serv'), ...args],
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

function argumentsOf(listener: Listener, folder: Folder): string[] {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const version = listener.protocol.replace('TLSv', 'TLS');
  const signatures = listener.rsaClientsOnly ? ':-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256' : '';
  const level = listener.protocol === 'TLSv1.1' ? 'LEGACY' : 'NORMAL';
  const args = ['--http', '--port', String(listener.port), '--x509certfile', chain, '--x509keyfile', key];
  args.push('--priority', `${level}:-VERS-ALL:+VERS-${version}${signatures}`);
  if (roots) args.push('--require-client-cert', '--verify-client-cert', '--x509cafile', roots);
  else args.push('--disable-client-cert');
  if (revoked) args.push('--x509crlfile', revoked);
  if (listener.h2Only) args.push('--alpn', 'h2', '--alpn-fatal');
  if (listener.strictName) args.push('--sni-hostname', listener.strictName, '--sni-hostname-fatal');
  return args;
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
