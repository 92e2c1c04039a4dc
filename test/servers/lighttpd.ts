// lighttpd with mod_openssl: a socket for each listener.
import { existsSync } from 'node:fs';
import { freePort } from '../support/port.ts';
import {
  ciphersOf,
  clientSignaturesOf,
  filesOf,
  type Listener,
  portsOf,
  programOf,
  type RealServer,
  versionOf,
} from './listener.ts';
import { accepting, type Folder } from './resources.ts';

export const lighttpd: RealServer = {
  title: 'lighttpd',
  needs: ['lighttpd'],
  version: () => versionOf('lighttpd', ['-v']),
  conditions: ['clock', 'depth', 'p256Only', 'sha1'],
  missing: () => (existsSync('/usr/lib/lighttpd/mod_openssl.so') ? undefined : 'lighttpd-mod-openssl'),
  async start(listeners, resources) {
    const folder = resources.folder();
    folder.write('index.html', 'granted\n', 0o644);
    const configuration = `
server.modules = ("mod_openssl")
server.document-root = "${folder.path}"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/plain")
server.bind = "127.0.0.1"
server.port = ${await freePort()}
${listeners.map((listener) => socket(listener, folder)).join('\n')}
`;
    const args = ['-D', '-f', folder.write('lighttpd.conf', configuration)];
    const program = resources.start(programOf('lighttpd'), args, { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  },
};

function socket(listener: Listener, folder: Folder): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const { protocol, depth = 3 } = listener;
  const signatures = clientSignaturesOf(listener);
  const commands = [`"MinProtocol" => "${protocol}"`, `"MaxProtocol" => "${protocol}"`];
  commands.push(`"CipherString" => "${ciphersOf(listener)}"`);
  if (signatures) commands.push(`"ClientSignatureAlgorithms" => "${signatures}"`);
  if (listener.p256Only) commands.push('"Groups" => "P-256"');
  const demand = `
    ssl.verifyclient.activate = "enable"
    ssl.verifyclient.enforce = "enable"
    ssl.verifyclient.depth = ${depth}
    ssl.verifyclient.ca-file = "${roots}"`;
  return `$SERVER["socket"] == "127.0.0.1:${listener.port}" {
    ssl.engine = "enable"
    ssl.pemfile = "${chain}"
    ssl.privkey = "${key}"
    ssl.openssl.ssl-conf-cmd = (${commands.join(', ')})
    ${roots ? demand : ''}
    ${revoked ? `ssl.verifyclient.ca-crl-file = "${revoked}"` : ''}
  }`;
}
