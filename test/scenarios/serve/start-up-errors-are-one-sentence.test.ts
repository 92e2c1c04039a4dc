// `countersign serve` that cannot start: one sentence on standard error that names the option, and exit code 1.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listen } from '../../../listener/listen.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';
import { writeIdentity } from '../../support/serve/serving.ts';
import { createAuthorities } from '../../support/stage.ts';

const { customerRoot, platformIssuer } = createAuthorities();

function installation() {
  const folder = privateFolder();
  writeIdentity(folder.path, 'platform', platformIssuer.issue({ commonName: 'platform', usage: 'client' }), []);
  const { certificate, privateKey } = customerRoot.issue({ commonName: 'x', names: ['localhost'], usage: 'server' });
  const files = privateFolder();
  return { path: folder.path, cert: files.write('cert.pem', certificate), key: files.write('key.pem', privateKey) };
}

it.each([
  ['1', '--host', '192.0.2.1', '192.0.2.1 is not an address of this machine, so countersign serve cannot listen there'],
  ['2', '--host', '192.0.2.1', '192.0.2.1 is not an address of this machine'],
])('an address of another machine, with %s workers', async (workers, option, host, sentence) => {
  const { path, cert, key } = installation();
  const callers = privateFolder().write(
    'callers.json',
    JSON.stringify([{ name: 'a', tokenSha256: '0'.repeat(64), identities: ['platform'] }]),
  );
  const secure = ['--tls-cert', cert, '--tls-key', key, '--callers', callers];
  const words = ['serve', '--identities', path, '--workers', workers, '--port', '18443', option, host, ...secure];
  const { code, out, error } = await runCommand(words);
  expect([code, out]).toEqual([1, '']);
  expect(error).toContain(sentence);
  expect(error).toContain('choose another with --host.');
  expect(error.trimEnd().split('\n')).toHaveLength(1);
});

it('swapped or wrong files', async () => {
  const { path, cert, key } = installation();
  const start = (...files: string[]) =>
    runCommand([
      'serve',
      '--identities',
      path,
      '--workers',
      '2',
      '--port',
      '0',
      '--tls-cert',
      files[0] ?? '',
      '--tls-key',
      files[1] ?? '',
    ]);
  expect(await start(key, cert)).toMatchObject({
    code: 1,
    out: '',
    error: 'The file of --tls-cert contains no certificate (PEM), but a private key: use --tls-key for it.\n',
  });
  expect(await start(cert, cert)).toMatchObject({
    code: 1,
    out: '',
    error: 'The file of --tls-key contains no private key (PEM).\n',
  });
  const other = installation();
  expect((await start(cert, other.key)).error).toMatch(
    /^The files of --tls-cert and --tls-key cannot be used together/,
  );
});

it('a folder that is an identity itself', async () => {
  const { path } = installation();
  const { code, out, error } = await runCommand(['serve', '--identities', join(path, 'platform'), '--port', '0']);
  expect([code, out, error]).toEqual([
    1,
    '',
    `The folder of --identities is an identity itself: name its parent, ${path}.\n`,
  ]);
});

it('a port that needs a capability', async () => {
  const server = createServer();
  server.listen = () => server.emit('error', Object.assign(new Error(), { code: 'EACCES' })) as never;
  await expect(listen(server, { port: 443, what: 'countersign serve', option: '--port' })).rejects.toThrow(
    'ports below 1024 need CAP_NET_BIND_SERVICE, which this user does not have; choose another with --port.',
  );
});
