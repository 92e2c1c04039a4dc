// stunnel: a service for each listener, in front of an HTTP server without TLS.
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
import { plainApi } from './plain-api.ts';
import { accepting, type Folder } from './resources.ts';

export const stunnel: RealServer = {
  title: 'stunnel',
  needs: ['stunnel4'],
  version: () => versionOf('stunnel4', ['-version']),
  conditions: ['clock', 'lookUp', 'misdirected', 'p256Only', 'sha1'],
  async start(listeners, resources) {
    const folder = resources.folder();
    const behind = await plainApi(resources);
    const configuration = `
foreground = yes
pid =
syslog = no
debug = notice
${listeners.map((listener) => service(listener, folder, behind)).join('\n')}
`;
    const file = folder.write('stunnel.conf', configuration);
    const program = resources.start(programOf('stunnel4'), [file], { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  },
};

function service(listener: Listener, folder: Folder, behind: number): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const signatures = clientSignaturesOf(listener);
  const isWeak = ciphersOf(listener) !== 'DEFAULT';
  return `[listener-${listener.port}]
accept = 127.0.0.1:${listener.port}
connect = 127.0.0.1:${behind}
cert = ${chain}
key = ${key}
sslVersion = ${listener.protocol}
ciphers = ${ciphersOf(listener)}
${isWeak ? 'securityLevel = 0' : ''}
${roots ? `verifyChain = yes\nrequireCert = yes\nCAfile = ${roots}` : ''}
${revoked ? `CRLfile = ${revoked}` : ''}
${signatures ? `config = ClientSignatureAlgorithms:${signatures}` : ''}
${listener.p256Only ? 'curves = prime256v1' : ''}
${listener.lookUp ? `OCSP = http://${listener.lookUp}/` : ''}
`;
}
