// gnutls-serv: a process for each listener.
import { filesOf, type Listener, programOf, type RealServer, versionOf } from './listener.ts';
import { missingNamespace, startInside } from './namespace.ts';
import type { Folder } from './resources.ts';

export const gnutls: RealServer = {
  title: 'GnuTLS (gnutls-serv)',
  needs: ['gnutls-serv', 'unshare', 'ip'],
  version: () => versionOf('gnutls-serv', ['--version']),
  conditions: ['clock', 'h2Only', 'strictName'],
  missing: missingNamespace,
  async start(listeners, resources) {
    const folder = resources.folder();
    const commands = listeners.map((listener) => ({
      port: listener.port,
      command: [programOf('gnutls-serv'), ...argumentsOf(listener, folder)],
    }));
    await startInside(commands, folder, resources);
  },
};

function argumentsOf(listener: Listener, folder: Folder): string[] {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const version = listener.protocol.replace('TLSv', 'TLS');
  const signatures = listener.rsaClientsOnly ? ':-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256' : '';
  const level = listener.protocol === 'TLSv1.1' ? 'LEGACY' : 'NORMAL';
  const args = ['--http', '--port', String(listener.port), '--x509certfile', chain, '--x509keyfile', key];
  args.push('--priority', `${level}:-VERS-ALL:+VERS-${version}${signatures}`);
  if (roots) args.push('--require-client-cert', '--verify-client-cert', '--x509cafile', roots);
  else args.push('--disable-client-cert');
  if (revoked) args.push('--x509crlfile', revoked);
  if (listener.h2Only) args.push('--alpn', 'h2', '--alpn-fatal');
  if (listener.strictName) args.push('--sni-hostname', listener.strictName, '--sni-hostname-fatal');
  return args;
}
