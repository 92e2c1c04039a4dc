// Python's http.server over its ssl module: one process for the listeners that take the same signatures.
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

export const python: RealServer = {
  title: 'Python (ssl)',
  needs: ['python3'],
  version: () => versionOf('python3', ['--version']),
  conditions: ['clock', 'misdirected', 'p256Only', 'sha1', 'strictName'],
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
    p256Only: listener.p256Only,
    strictName: listener.strictName,
  }));
  const args = [join(import.meta.dirname, 'programs', 'server.py'), folder.write('listeners', JSON.stringify(all))];
  const program = resources.start(programOf('python3'), args, { cwd: folder.path, env });
  await accepting(program, portsOf(listeners));
}
