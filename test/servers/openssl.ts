// `openssl s_server`: a process for each listener.
import {
  ciphersOf,
  clientSignaturesOf,
  filesOf,
  type Listener,
  programOf,
  type RealServer,
  versionOf,
} from './listener.ts';
import { accepting, type Resources } from './resources.ts';

export const openssl: RealServer = {
  title: 'OpenSSL s_server',
  needs: ['openssl'],
  version: () => versionOf('openssl', ['version']),
  conditions: ['clock', 'depth', 'h2Only', 'p256Only', 'sha1', 'strictName'],
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
  const { depth = 3, strictName } = listener;
  if (ciphersOf(listener) !== 'DEFAULT') args.push('-cipher', ciphersOf(listener));
  if (roots) args.push('-Verify', '3', '-verify_depth', String(depth), '-CAfile', roots);
  // It reads one list, so the client's own certificate alone is looked up.
  if (revoked) args.push('-CRL', revoked, '-crl_check');
  const signatures = clientSignaturesOf(listener);
  if (signatures) args.push('-client_sigalgs', signatures);
  if (listener.p256Only) args.push('-groups', 'P-256');
  if (listener.h2Only) args.push('-alpn', 'h2');
  if (strictName) args.push('-servername', strictName, '-servername_fatal', '-cert2', chain, '-key2', key);
  const program = resources.start(programOf('openssl'), args, { cwd: folder.path });
  await accepting(program, [listener.port]);
}
