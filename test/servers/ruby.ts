// Ruby's WEBrick over its openssl module: one process for the listeners that take the same signatures.
import { join } from 'node:path';
import {
  ciphersOf,
  clientSignaturesOf,
  filesOf,
  groupsOf,
  type Listener,
  limitsOf,
  opensslSettings,
  portsOf,
  programOf,
  type RealServer,
  versionOf,
} from './listener.ts';
import { accepting, type Resources } from './resources.ts';

export const ruby: RealServer = {
  title: 'Ruby (WEBrick)',
  needs: ['ruby'],
  version: () => versionOf('ruby', ['--version'], /\d+(?:\.\d+)+/),
  conditions: ['clock', 'misdirected', 'p256Only', 'sha1'],
  missing: () =>
    versionOf('ruby', ['-rwebrick', '-e', 'puts WEBrick::VERSION']) === 'unknown' ? 'WEBrick' : undefined,
  async start(listeners, resources) {
    const groups = groupsOf(listeners, (listener) => clientSignaturesOf(listener) ?? '');
    await Promise.all(groups.map((group) => startOne(group, resources)));
  },
};

async function startOne(listeners: readonly Listener[], resources: Resources): Promise<void> {
  const folder = resources.folder();
  const env = opensslSettings(folder, limitsOf(listeners[0]));
  const all = listeners.map((listener) => ({
    ...filesOf(folder, listener),
    port: listener.port,
    protocol: listener.protocol,
    ciphers: ciphersOf(listener),
  }));
  const args = [join(import.meta.dirname, 'programs', 'server.rb'), folder.write('listeners', JSON.stringify(all))];
  const program = resources.start(programOf('ruby'), args, { cwd: folder.path, env });
  await accepting(program, portsOf(listeners));
}
