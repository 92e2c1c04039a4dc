// Node's own https server: one process for all listeners.
import { join } from 'node:path';
import { ciphersOf, filesOf, portsOf, type RealServer, rsaSignatures } from './listener.ts';
import { accepting } from './resources.ts';

export const node: RealServer = {
  title: 'Node',
  needs: [],
  version: () => process.versions.node,
  async start(listeners, resources) {
    const folder = resources.folder();
    const all = listeners.map((listener) => ({
      ...filesOf(folder, listener),
      port: listener.port,
      protocol: listener.protocol,
      ciphers: ciphersOf(listener),
      signatures: listener.rsaClientsOnly ? rsaSignatures : undefined,
    }));
    const file = folder.write('listeners.json', JSON.stringify(all));
    const args = [join(import.meta.dirname, 'programs', 'server.mjs'), file];
    const program = resources.start(process.execPath, args, { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  },
};
