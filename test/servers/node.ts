// Node's own https server: one process for all listeners.
import { join } from 'node:path';
import { ciphersOf, clientSignaturesOf, filesOf, portsOf, type RealServer } from './listener.ts';
import { accepting } from './resources.ts';

export const node: RealServer = {
  title: 'Node',
  needs: [],
  version: () => process.versions.node,
  conditions: ['clock', 'h2Only', 'misdirected', 'p256Only', 'strictName'],
  async start(listeners, resources) {
    const folder = resources.folder();
    const all = listeners.map((listener) => ({
      ...filesOf(folder, listener),
      port: listener.port,
      protocol: listener.protocol,
      ciphers: ciphersOf(listener),
      signatures: clientSignaturesOf(listener),
      h2Only: listener.h2Only,
      strictName: listener.strictName,
      p256Only: listener.p256Only,
    }));
    const file = folder.write('listeners.json', JSON.stringify(all));
    const args = [join(import.meta.dirname, 'programs', 'server.mjs'), file];
    const program = resources.start(process.execPath, args, { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  },
};
