// `openssl s_server`: a process for each listener.
import { filesOf, type Listener, programOf, type RealServer, rsaSignatures, versionOf } from './listener.ts';
import { accepting, type Resources } from './resources.ts';

export const openssl: RealServer = {
  title: 'OpenSSL s_server',
  needs: ['openssl'],
  version: () => versionOf('openssl', ['version']),
  async start(listeners, resources) {
    await Promise.all(listeners.map((listener) => startOne(listener, resources)));
  },
};

const versions = { 'TLSv1.1': '-tls1_1', 'TLSv1.2': '-tls1_2', 'TLSv1.3': '-tls1_3' } as const;

async function startOne(listener: Listener, resources: Resources): Promise<void> {
  const folder = resources.folder();
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const args = ['s_server', '-accept', `127.0.0.1:${listener.port}`, '-www', versions[listener.protocol]];
  // It sends its own certificate twice that way, as many a server does whose two files overlap: that must not matter.
  // Without -verify_return_error it accepts any client.
  args.push('-cert', chain, '-cert_chain', chain, '-key', key, '-verify_return_error');
  if (listener.protocol === 'TLSv1.1') args.push('-cipher', 'ALL:@SECLEVEL=0');
  if (roots) args.push('-Verify', '3', '-CAfile', roots);
  // It reads one list, so the client's own certificate alone is looked up.
  if (revoked) args.push('-CRL', revoked, '-crl_check');
  if (listener.rsaClientsOnly) args.push('-client_sigalgs', rsaSignatures);
  const program = resources.start(programOf('openssl'), args, { cwd: folder.path });
  await accepting(program, [listener.port]);
}
