// nghttpx: a process for each listener, in front of an HTTP server without TLS.
import {
  ciphersOf,
  filesOf,
  type Listener,
  limitsOf,
  opensslSettings,
  programOf,
  type RealServer,
  versionOf,
} from './listener.ts';
import { plainApi } from './plain-api.ts';
import { accepting, type Resources } from './resources.ts';

export const nghttpx: RealServer = {
  title: 'nghttpx',
  needs: ['nghttpx'],
  version: () => versionOf('nghttpx', ['--version'], /(?<=nghttp2\/)[\d.]+/),
  // Under libfaketime it does not start.
  conditions: ['misdirected', 'p256Only', 'sha1'],
  async start(listeners, resources) {
    const behind = await plainApi(resources);
    await Promise.all(listeners.map((listener) => startOne(listener, behind, resources)));
  },
};

async function startOne(listener: Listener, behind: number, resources: Resources): Promise<void> {
  const folder = resources.folder();
  const { chain, key, roots } = filesOf(folder, listener);
  const env = opensslSettings(folder, limitsOf(listener));
  const args = [`--frontend=127.0.0.1,${listener.port}`, `--backend=127.0.0.1,${behind}`, '--single-process'];
  args.push('--conf=/dev/null', '--accesslog-file=/dev/null', '--workers=1');
  args.push(`--tls-min-proto-version=${listener.protocol}`, `--tls-max-proto-version=${listener.protocol}`);
  args.push(`--ciphers=${ciphersOf(listener)}`);
  if (listener.p256Only) args.push('--ecdh-curves=P-256');
  if (roots) args.push('--verify-client', `--verify-client-cacert=${roots}`);
  const program = resources.start(programOf('nghttpx'), [...args, key, chain], { cwd: folder.path, env });
  await accepting(program, [listener.port]);
}
