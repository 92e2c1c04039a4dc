// uWSGI's HTTPS router in front of a Python application: all settings but the files are settings of a process.
import { findLibrary } from '../support/peers.ts';
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
import { accepting, type Folder, type Resources } from './resources.ts';

export const uwsgi: RealServer = {
  title: 'uWSGI',
  needs: ['uwsgi'],
  version: () => versionOf('uwsgi', ['--version']),
  conditions: ['clock', 'depth', 'misdirected', 'p256Only', 'sha1'],
  missing: () => (findLibrary('uwsgi-plugin-python3') ? undefined : 'uwsgi-plugin-python3'),
  async start(listeners, resources) {
    const groups = groupsOf(listeners, (listener) =>
      [listener.protocol, listener.depth, clientSignaturesOf(listener)].join(' '),
    );
    await Promise.all(groups.map((group) => startOne(group, resources)));
  },
};

const application = `
def application(environ, start_response):
    status = '421 Misdirected Request' if environ['PATH_INFO'] == '/misdirected' else '200 OK'
    start_response(status, [('Content-Type', 'text/plain'), ('Content-Length', '8')])
    return [b'granted\\n']
`;

async function startOne(listeners: readonly Listener[], resources: Resources): Promise<void> {
  const folder = resources.folder();
  const { protocol, depth = 3 } = listeners[0] as Listener;
  const versions = { MinProtocol: protocol, MaxProtocol: protocol };
  const env = opensslSettings(folder, { ...versions, ...limitsOf(listeners[0]) });
  const args = ['--plugins', 'http,python3', '--wsgi-file', folder.write('app.py', application), '--need-app'];
  args.push(
    `--ssl-verify-depth=${depth}`,
    '--disable-logging',
    '--no-orphans',
    ...listeners.flatMap((listener) => router(listener, folder)),
  );
  const program = resources.start(programOf('uwsgi'), args, { cwd: folder.path, env });
  await accepting(program, portsOf(listeners));
}

function router(listener: Listener, folder: Folder): string[] {
  const { chain, key, roots } = filesOf(folder, listener);
  // The exclamation mark makes the certificate mandatory.
  const demand = roots ? [`!${roots}`] : [];
  return ['--https', [`127.0.0.1:${listener.port}`, chain, key, ciphersOf(listener), ...demand].join(',')];
}
