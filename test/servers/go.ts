// Go's net/http over crypto/tls: a program of a page, built with what Debian installs and nothing downloaded.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { filesOf, portsOf, programOf, type RealServer, versionOf } from './listener.ts';
import { accepting, type Folder } from './resources.ts';

export const go: RealServer = {
  title: 'Go (crypto/tls)',
  needs: ['go'],
  version: () => versionOf('go', ['version']),
  conditions: ['lookUp', 'misdirected', 'strictName'],
  async start(listeners, resources) {
    const folder = resources.folder();
    const lines = listeners.map((listener) => {
      const { chain, key, roots = '-' } = filesOf(folder, listener);
      const { port, protocol, strictName = '-', lookUp } = listener;
      return [port, protocol, chain, key, roots, strictName, lookUp ? 'hangs' : '-'].join(' ');
    });
    const program = resources.start(
      buildGo(join(import.meta.dirname, 'programs', 'main.go'), folder),
      [folder.write('listeners', lines.join('\n'))],
      { cwd: folder.path },
    );
    await accepting(program, portsOf(listeners));
  },
};

export function buildGo(source: string, folder: Pick<Folder, 'path'>): string {
  const built = join(folder.path, 'server');
  const env = {
    ...process.env,
    GOFLAGS: '-mod=mod',
    GOPROXY: 'off',
    GOPATH: folder.path,
    GO111MODULE: 'off',
  };
  const { status, stderr } = spawnSync(programOf('go'), ['build', '-o', built, source], {
    cwd: folder.path,
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
  return built;
}
