// Java's TLS (JSSE) behind a socket and behind the HTTPS server it comes with.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { filesOf, type Listener, portsOf, programOf, type RealServer, versionOf } from './listener.ts';
import { accepting, type Folder, type Resources } from './resources.ts';

export const javaSocket = javaServer('Java (SSLServerSocket)', 'socket');
export const javaHttps = javaServer('Java (HttpsServer)', 'https');

function javaServer(title: string, kind: 'socket' | 'https'): RealServer {
  return {
    title,
    needs: ['java', 'javac'],
    version: () => versionOf('java', ['--version']),
    conditions: ['lookUp', 'misdirected', 'strictName', ...(kind === 'socket' ? (['h2Only'] as const) : [])],
    async start(listeners, resources) {
      const rsaOnly = (listener: Listener) => listener.rsaClientsOnly === true;
      const classes = compile(resources.folder());
      const property = '-Djdk.tls.server.SignatureSchemes=rsa_pss_rsae_sha256,rsa_pkcs1_sha256';
      // Which signatures are taken is a property of the process.
      await Promise.all([
        startOne(
          kind,
          listeners.filter((listener) => !rsaOnly(listener)),
          resources,
          ['-cp', classes],
        ),
        startOne(kind, listeners.filter(rsaOnly), resources, [property, '-cp', classes]),
      ]);
    },
  };
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
  if (listeners.length === 0) return;
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
