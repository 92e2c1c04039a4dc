// hitch: a frontend for each listener, in front of an HTTP server without TLS.
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
import { accepting, type Folder, type Resources } from './resources.ts';

export const hitch: RealServer = {
  title: 'hitch',
  needs: ['hitch'],
  version: () => versionOf('hitch', ['--version']),
  conditions: ['clock', 'misdirected', 'p256Only', 'sha1', 'strictName'],
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
backend = "[127.0.0.1]:${behind}"
workers = 1
ocsp-dir = ""
log-level = 1
${listeners[0]?.p256Only ? 'ecdh-curve = "prime256v1"' : ''}
${process.getuid?.() === 0 ? 'user = "daemon"\ngroup = "daemon"' : ''}
${listeners.map((listener) => frontend(listener, folder)).join('\n')}
`;
  const args = ['--config', folder.write('hitch.conf', configuration)];
  const program = resources.start(programOf('hitch'), args, { cwd: folder.path, env });
  await accepting(program, portsOf(listeners));
}

function frontend(listener: Listener, folder: Folder): string {
  const { bundle, roots } = filesOf(folder, listener);
  return `frontend = {
  host = "127.0.0.1"
  port = "${listener.port}"
  pem-file = "${bundle}"
  tls-protos = ${listener.protocol}
  ciphers = "${ciphersOf(listener)}"
  ${listener.strictName ? 'sni-nomatch-abort = on' : ''}
  ${roots ? `client-verify = required\n  client-verify-ca = "${roots}"` : ''}
}`;
}
