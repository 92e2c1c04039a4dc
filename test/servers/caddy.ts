// Caddy: a process for each listener, with certificates of ours instead of its own.
import { filesOf, type Listener, programOf, type RealServer, versionOf } from './listener.ts';
import { accepting, type Folder, type Resources } from './resources.ts';

export const caddy: RealServer = {
  title: 'Caddy',
  needs: ['caddy'],
  // Its TLS is that of the Go that compiled it.
  version: () =>
    `Go ${versionOf('caddy', ['build-info'], /(?<=^go\tgo)[\d.]+/)}, Caddy ${versionOf('caddy', ['version'])}`,
  conditions: ['misdirected', 'strictName'],
  async start(listeners, resources) {
    await Promise.all(listeners.map((listener) => startOne(listener, resources)));
  },
};

/**
 * One process each: Caddy keeps all certificates in one place and picks by their names, which here are all the same.
 */
async function startOne(listener: Listener, resources: Resources): Promise<void> {
  const folder = resources.folder();
  const configuration = `{
  admin off
  auto_https off
}
${site(listener, folder)}
`;
  const args = ['run', '--adapter', 'caddyfile', '--config', folder.write('Caddyfile', configuration)];
  // It keeps its data below these, and reads no settings of the user.
  const env = { HOME: folder.path, XDG_DATA_HOME: folder.path, XDG_CONFIG_HOME: folder.path };
  await accepting(resources.start(programOf('caddy'), args, { cwd: folder.path, env }), [listener.port]);
}

function site(listener: Listener, folder: Folder): string {
  const { chain, key, roots } = filesOf(folder, listener);
  const version = listener.protocol === 'TLSv1.2' ? 'tls1.2' : 'tls1.3';
  const demand = roots ? `client_auth {\n mode require_and_verify\n trusted_ca_cert_file ${roots}\n }` : '';
  return `https://${listener.strictName ?? 'localhost'}:${listener.port} {
  bind 127.0.0.1
  tls ${chain} ${key} {
    protocols ${version} ${version}
    ${demand}
  }
  respond /misdirected 421
  respond "granted"
}`;
}
