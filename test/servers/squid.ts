// Squid as a reverse proxy: an https_port for each listener, in front of an HTTP server without TLS.
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
import { plainApi } from './plain-api.ts';
import { accepting, type Folder, type Program, type Resources } from './resources.ts';

export const squid: RealServer = {
  title: 'Squid',
  needs: ['squid'],
  version: () => versionOf('squid', ['-v']),
  conditions: ['clock', 'misdirected', 'p256Only', 'sha1'],
  // Debian builds it with GnuTLS as well, which cannot ask for client certificates.
  missing: () => (versionOf('squid', ['-v'], /--with-openssl/) === 'unknown' ? 'squid-openssl' : undefined),
  async start(listeners, resources) {
    const behind = await plainApi(resources);
    const groups = groupsOf(listeners, (listener) => clientSignaturesOf(listener) ?? '');
    await Promise.all(groups.map((group) => startOne(group, behind, resources)));
  },
};

async function startOne(listeners: readonly Listener[], behind: number, resources: Resources): Promise<void> {
  const folder = resources.folder();
  const env = opensslSettings(folder, limitsOf(listeners[0]));
  const configuration = `
${listeners.map((listener) => port(listener, folder)).join('\n')}
cache_peer 127.0.0.1 parent ${behind} 0 no-query originserver
http_access allow all
cache deny all
cache_mem 1 MB
access_log none
cache_log /dev/null
pid_filename none
netdb_filename none
pinger_enable off
visible_hostname localhost
coredump_dir none
shutdown_lifetime 0 seconds
`;
  // Its shared memory has the name of its service, and it removes that only if it is asked to end.
  const args = ['-N', '-d', '1', '-n', `matrix${listeners[0]?.port}`, '-f', folder.write('squid.conf', configuration)];
  const program = resources.start(programOf('squid'), args, { cwd: folder.path, env });
  resources.onEnd(() => terminate(program));
  await accepting(program, portsOf(listeners));
}

function terminate({ child }: Program): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

const versions = ['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

function port(listener: Listener, folder: Folder): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const others = versions.filter((version) => version !== listener.protocol);
  const options = ['NO_SSLv3', 'NO_TLSv1', ...others.map((version) => `NO_${version.replace('.', '_')}`)];
  return [
    `https_port 127.0.0.1:${listener.port} accel defaultsite=localhost no-vhost`,
    `tls-cert=${chain} tls-key=${key} options=${options.join(',')} cipher=${ciphersOf(listener)}`,
    roots ? `clientca=${roots}` : '',
    revoked ? `crlfile=${revoked} sslflags=VERIFY_CRL_ALL` : '',
  ].join(' ');
}
