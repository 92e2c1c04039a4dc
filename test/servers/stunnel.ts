// stunnel: a service for each listener, in front of an HTTP server without TLS.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import { accepting, type Folder, type Scope } from './scope.ts';

export const stunnel: RealServer = {
  title: 'stunnel',
  needs: ['stunnel4'],
  version: () => versionOf('stunnel4', ['-version']),
  async start(listeners, scope) {
    const folder = scope.folder();
    const behind = await plainApi(scope);
    const configuration = `
foreground = yes
pid =
syslog = no
debug = notice
${listeners.map((listener) => service(listener, folder, behind)).join('\n')}
`;
    const file = folder.write('stunnel.conf', configuration);
    const program = scope.start(programOf('stunnel4'), [file], { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  },
};

function service(listener: Listener, folder: Folder, behind: number): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  return `[listener-${listener.port}]
accept = 127.0.0.1:${listener.port}
connect = 127.0.0.1:${behind}
cert = ${chain}
key = ${key}
sslVersion = ${listener.protocol}
ciphers = ${ciphersOf(listener)}
${listener.protocol === 'TLSv1.1' ? 'securityLevel = 0' : ''}
${roots ? `verifyChain = yes\nrequireCert = yes\nCAfile = ${roots}` : ''}
${revoked ? `CRLfile = ${revoked}` : ''}
${listener.rsaClientsOnly ? `config = ClientSignatureAlgorithms:${rsaSignatures}` : ''}
`;
}

export async function plainApi(scope: Scope): Promise<number> {
  const server = createServer((_request, response) => response.end('granted\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
