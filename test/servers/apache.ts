// Apache httpd: a virtual host for each listener, asking for the certificate in the handshake or, per location, behind
// it.
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

export const apache = apacheServer('Apache httpd, server-wide', false);
export const apacheLocation = apacheServer('Apache httpd, per location', true);

/** Where Debian's package puts them. */
export const modules = '/usr/lib/apache2/modules';

function apacheServer(title: string, perLocation: boolean): RealServer {
  return {
    title,
    needs: ['apache2'],
    version: () => versionOf('apache2', ['-v']),
    // Per location, the redirection comes before the demand.
    conditions: ['clock', 'depth', 'lookUp', 'p256Only', 'sha1', ...(perLocation ? [] : (['misdirected'] as const))],
    async start(listeners, resources) {
      const folder = resources.folder();
      const configuration = `
        ${settingsIn(folder)}
        ${listeners.map((listener) => virtualHost(listener, folder, perLocation)).join('\n')}`;
      folder.write('granted.txt', 'granted\n', 0o644);
      const args = ['-X', '-f', folder.write('httpd.conf', configuration)];
      const program = resources.start(programOf('apache2'), args, { cwd: folder.path });
      await accepting(program, portsOf(listeners));
    },
  };
}

/** Everything but the virtual hosts. */
export function settingsIn(folder: Folder): string {
  return `
    ServerRoot ${folder.path}
    ServerName localhost
    PidFile httpd.pid
    ErrorLog error.log
    DefaultRuntimeDir ${folder.path}
    Mutex posixsem
    LoadModule mpm_event_module ${modules}/mod_mpm_event.so
    LoadModule authz_core_module ${modules}/mod_authz_core.so
    LoadModule alias_module ${modules}/mod_alias.so
    LoadModule ssl_module ${modules}/mod_ssl.so
    StartServers 1
    ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}`;
}

function virtualHost(listener: Listener, folder: Folder, perLocation: boolean): string {
  const { port, protocol, depth = 3, p256Only, lookUp } = listener;
  const signatures = clientSignaturesOf(listener);
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const demand = `SSLVerifyClient require\nSSLVerifyDepth ${depth}`;
  return `
    Listen 127.0.0.1:${port}
    <VirtualHost 127.0.0.1:${port}>
      ServerName localhost
      SSLEngine on
      SSLProtocol ${protocol}
      SSLCipherSuite ${ciphersOf(listener)}
      SSLCertificateFile ${chain}
      SSLCertificateKeyFile ${key}
      ${roots ? `SSLCACertificateFile ${roots}` : ''}
      ${roots && !perLocation ? demand : ''}
      ${revoked ? `SSLCARevocationFile ${revoked}\nSSLCARevocationCheck chain` : ''}
      ${signatures ? `SSLOpenSSLConfCmd ClientSignatureAlgorithms ${signatures}` : ''}
      ${p256Only ? 'SSLOpenSSLConfCmd Groups P-256' : ''}
      ${lookUp ? `SSLOCSPEnable leaf\nSSLOCSPOverrideResponder on\nSSLOCSPDefaultResponder http://${lookUp}/` : ''}
      Redirect 421 /misdirected
      AliasMatch ^/ ${folder.path}/granted.txt
      <Location />
        Require all granted
        ${roots && perLocation ? demand : ''}
      </Location>
    </VirtualHost>`;
}
