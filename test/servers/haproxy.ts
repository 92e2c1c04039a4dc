// HAProxy: a frontend for each listener, which answers without a backend.
import {
  ciphersOf,
  filesOf,
  type Listener,
  portsOf,
  programOf,
  type RealServer,
  rsaSignatures,
  versionOf,
} from './listener.ts';
import { accepting, type Folder, type Resources } from './resources.ts';

export const haproxy: RealServer = {
  title: 'HAProxy',
  needs: ['haproxy'],
  version: () => versionOf('haproxy', ['-v']),
  async start(listeners, resources) {
    await Promise.all([
      startOne(
        listeners.filter(({ rsaClientsOnly }) => !rsaClientsOnly),
        resources,
        {},
      ),
      startOne(
        listeners.filter(({ rsaClientsOnly }) => rsaClientsOnly),
        resources,
        rsaOnly(resources.folder()),
      ),
    ]);
  },
};

async function startOne(
  listeners: readonly Listener[],
  resources: Resources,
  env: Record<string, string>,
): Promise<void> {
  if (listeners.length === 0) return;
  const folder = resources.folder();
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
  const demand = roots ? `verify required ca-file ${roots} ${revoked ? `crl-file ${revoked}` : ''}` : '';
  return `frontend listener-${listener.port}
  bind 127.0.0.1:${listener.port} ssl crt ${bundle} ${versions} ${demand}
  http-request return status 200 content-type text/plain string granted`;
}

/** HAProxy takes client-sigalgs from 2.8 on; OpenSSL's own file serves every version. */
function rsaOnly(folder: Folder): Record<string, string> {
  const configuration = `openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
ClientSignatureAlgorithms = ${rsaSignatures}
`;
  return { OPENSSL_CONF: folder.write('openssl.cnf', configuration) };
}
