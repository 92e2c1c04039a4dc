// Erlang's ssl application: a process for the listeners with the same revocation lists.
import { join } from 'node:path';
import { filesOf, groupsOf, type Listener, portsOf, programOf, type RealServer, versionOf } from './listener.ts';
import { accepting, type Resources } from './resources.ts';

const sslVersion = 'application:load(ssl), {ok, V} = application:get_key(ssl, vsn), io:put_chars(V), halt().';

const compileAndRun = `
  [Source, Listeners] = init:get_plain_arguments(),
  {ok, Module, Code} = compile:file(Source, [binary]),
  {module, Module} = code:load_binary(Module, Source, Code),
  Module:main(Listeners).`;

export const erlang: RealServer = {
  title: 'Erlang (ssl)',
  needs: ['erl'],
  version: erlangVersion,
  conditions: ['clock', 'depth', 'misdirected'],
  missing: () => (erlangVersion() === 'unknown' ? 'erlang-ssl' : undefined),
  async start(listeners, resources) {
    // A process has one cache of revocation lists.
    await Promise.all(groupsOf(listeners, ({ revoked = '' }) => revoked).map((group) => startOne(group, resources)));
  },
};

async function startOne(listeners: readonly Listener[], resources: Resources): Promise<void> {
  const folder = resources.folder();
  const terms = listeners.map((listener) => {
    const { chain, key, roots = '', revoked = '' } = filesOf(folder, listener);
    const { port, protocol, rsaClientsOnly, depth = 3 } = listener;
    const files = [chain, key, roots, revoked].map((file) => `"${file}"`).join(', ');
    return `{${port}, '${protocol.toLowerCase()}', ${files}, ${rsaClientsOnly ? 'rsa' : 'any'}, ${depth}}.\n`;
  });
  const source = join(import.meta.dirname, 'programs', 'server.erl');
  const args = ['-noshell', '-eval', compileAndRun, '-extra', source, folder.write('listeners', terms.join(''))];
  const program = resources.start(programOf('erl'), args, { cwd: folder.path });
  await accepting(program, portsOf(listeners));
}

/** Of the application, not of Erlang. */
function erlangVersion(): string {
  return versionOf('erl', ['-noshell', '-eval', sslVersion]);
}
