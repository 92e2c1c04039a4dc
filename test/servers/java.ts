// Java's TLS (JSSE) behind a socket and behind the HTTPS server it comes with, and Bouncy Castle's in its place.
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { findLibrary } from '../support/peers.ts';
import { filesOf, groupsOf, type Listener, portsOf, programOf, type RealServer, versionOf } from './listener.ts';
import { accepting, type Folder, type Resources } from './resources.ts';

export const javaSocket = javaServer('Java (SSLServerSocket)', 'socket');
export const javaHttps = javaServer('Java (HttpsServer)', 'https');

const bouncyCastle = '/usr/share/java/bctls.jar:/usr/share/java/bcutil.jar:/usr/share/java/bcprov.jar';

/** Its TLS in place of Java's own, by configuration. */
export const bouncyCastleSocket: RealServer = {
  title: 'Java (Bouncy Castle)',
  needs: ['java', 'javac'],
  version: () => /bctls-([\d.]+)\.jar/.exec(realpathSync('/usr/share/java/bctls.jar'))?.[1] ?? 'unknown',
  missing: () => (findLibrary('bctls') ? undefined : 'libbctls-java'),
  conditions: ['misdirected', 'strictName'],
  async start(listeners, resources) {
    const folder = resources.folder();
    const providers = [
      'org.bouncycastle.jsse.provider.BouncyCastleJsseProvider',
      'org.bouncycastle.jce.provider.BouncyCastleProvider',
      'SUN',
      'SunRsaSign',
      'SunEC',
      'SunJCE',
      'XMLDSig',
    ];
    const lines = providers.map((name, index) => `security.provider.${index + 1}=${name}\n`);
    const security = folder.write('java.security', `${lines.join('')}ssl.KeyManagerFactory.algorithm=PKIX\n`);
    const properties = [`-Djava.security.properties=${security}`];
    await startBySignatures('socket', listeners, resources, bouncyCastle, properties);
  },
};

function javaServer(title: string, kind: 'socket' | 'https'): RealServer {
  return {
    title,
    needs: ['java', 'javac'],
    version: () => versionOf('java', ['--version']),
    conditions: ['lookUp', 'misdirected', 'strictName', ...(kind === 'socket' ? (['h2Only'] as const) : [])],
    start: (listeners, resources) => startBySignatures(kind, listeners, resources),
  };
}

/** Which signatures are taken is a property of the process. */
async function startBySignatures(
  kind: string,
  listeners: readonly Listener[],
  resources: Resources,
  libraries = '',
  properties: readonly string[] = [],
): Promise<void> {
  const classPath = ['-cp', `${compile(resources.folder())}:${libraries}`];
  const rsaOnly = '-Djdk.tls.server.SignatureSchemes=rsa_pss_rsae_sha256,rsa_pkcs1_sha256';
  const groups = groupsOf(listeners, ({ rsaClientsOnly }) => String(rsaClientsOnly));
  await Promise.all(
    groups.map((group) => {
      const signatures = group[0]?.rsaClientsOnly ? [rsaOnly] : [];
      return startOne(kind, group, resources, [...classPath, ...properties, ...signatures]);
    }),
  );
}

/** Once for both processes. */
function compile({ path }: Folder): string {
  const source = join(import.meta.dirname, 'programs', 'Server.java');
  execFileSync(programOf('javac'), ['-d', path, source], { stdio: 'pipe' });
  return path;
}

async function startOne(
  kind: string,
  listeners: readonly Listener[],
  resources: Resources,
  properties: readonly string[],
) {
  const folder = resources.folder();
  const lines = listeners.map((listener) => {
    const { chain, key, roots = '-', revoked = '-' } = filesOf(folder, listener);
    const { port, protocol, strictName = '-', h2Only, lookUp } = listener;
    const flags = [h2Only ? 'h2' : '-', lookUp ? 'hangs' : '-'];
    return [port, protocol, chain, key, roots, revoked, strictName, ...flags].join(' ');
  });
  const file = folder.write('listeners', lines.join('\n'));
  const args = [...properties, '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', 'Server', kind, file];
  const program = resources.start(programOf('java'), args, { cwd: folder.path });
  await accepting(program, portsOf(listeners));
}
