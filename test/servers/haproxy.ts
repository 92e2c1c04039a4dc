// HAProxy: a frontend for each listener, which answers without a backend.
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

export const haproxy: RealServer = {
  title: 'HAProxy',
  needs: ['haproxy'],
  version: () => versionOf('haproxy', ['-v']),
  conditions: ['clock', 'misdirected', 'p256Only', 'sha1', 'strictName'],
  async start(listeners, resources) {
    const groups = groupsOf(listeners, (listener) => clientSignaturesOf(listener) ?? '');
    await Promise.all(groups.map((group) => startOne(group, resources)));
  },
};

async function startOne(listeners: readonly Listener[], resources: Resources): Promise<void> {
  const folder = resources.folder();
  // HAProxy takes client-sigalgs from 2.8 on.
  const env = opensslSettings(folder, limitsOf(listeners[0]));
  const configuration = `
global
  log stderr format raw local0
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
${listeners.map((listener) => frontend(listener, folder)).join('\n')}
`;
  const args = ['-db', '-f', folder.write('haproxy.cfg', configuration)];
  const program = resources.start(programOf('haproxy'), args, { cwd: folder.path, env });
  await accepting(program, portsOf(listeners));
}

function frontend(listener: Listener, folder: Folder): string {
  const { bundle, roots, revoked } = filesOf(folder, listener);
  const versions = `ssl-min-ver ${listener.protocol} ssl-max-ver ${listener.protocol} ciphers ${ciphersOf(listener)}`;
  const { p256Only, strictName } = listener;
  const limits = `${p256Only ? 'curves P-256' : ''} ${strictName ? 'strict-sni' : ''}`;
  const demand = roots ? `verify required ca-file ${roots} ${revoked ? `crl-file ${revoked}` : ''}` : '';
  return `frontend listener-${listener.port}
  bind 127.0.0.1:${listener.port} ssl crt ${bundle} ${versions} ${limits} ${demand}
  http-request return status 421 if { path /misdirected }
  http-request return status 200 content-type text/plain string granted`;
}
