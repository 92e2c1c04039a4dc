// `npm install -g` of the packed @countersign/cli without a network, and then what users do with it.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeNpmPackage } from '../../../tools/artefacts/npm-package.ts';
import { buildCliPackage } from '../../../tools/build/cli-package.ts';
import { manifest } from '../../../tools/build/manifest.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';
import { type Folder, privateFolder, startProgram } from '../../support/program.ts';
import { createAuthorities } from '../../support/stage.ts';

const canLoseNetwork = process.getuid?.() === 0 && spawnSync('unshare', ['--net', 'true']).status === 0;

describe.skipIf(!canLoseNetwork || !findPeer('nginx'))('the npm package (needs root, unshare and nginx)', () => {
  it('is installed without a network, and imports, diagnoses and serves', { timeout: 180_000 }, async () => {
    const folder = privateFolder();
    const program = await installed(folder);
    mkdirSync(join(folder.path, 'identities'));
    const run = (...args: string[]) => runCommand(args, { program, cwd: folder.path, environment });
    expect(await run('--version')).toMatchObject({ code: 0, out: `${manifest.version}\n`, error: '' });

    const { platformIssuer, customerRoot } = createAuthorities();
    const client = platformIssuer.issue({ commonName: 'bot-platform', usage: 'client' });
    const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
    const api = await startNginx(server, { clientRoots: client.root, directives: 'ssl_verify_depth 3;' });
    const files = {
      'platform.key': client.privateKey,
      'platform.pem': [client.certificate, client.intermediates, client.root].join('\n'),
      'customer-root.pem': customerRoot.certificate,
    };
    for (const [name, text] of Object.entries(files)) folder.write(name, text);
    const url = `https://localhost:${api.port}`;
    const source = ['--source', `directory:${join(folder.path, 'identities')}`];
    const destination = ['--destination', url, '--network', 'loopback', '--server-roots', 'customer-root.pem'];
    const imported = await run(
      'identity',
      'import',
      'platform',
      'platform.key',
      'platform.pem',
      ...source,
      ...destination,
    );
    expect(imported, imported.error + imported.out).toMatchObject({ code: 0 });
    const diagnosed = await run('diagnose', url, ...source);
    expect(diagnosed.out, diagnosed.error).toContain('access-granted  Access is granted.');
    // Reads the page that the package contains.
    const pack = await run('identity', 'trust-pack', 'platform', ...source, '--out', 'pack');
    expect(pack, pack.error).toMatchObject({ code: 0 });

    const port = await freePort();
    const serving = startProgram(program, ['serve', '--identities', 'identities', '--port', `${port}`], folder.path);
    await expect.poll(serving.output, { timeout: 30_000 }).toContain('"message":"serving"');
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    expect(await get('/v1/ready')).toBe('{"status":"ready"}');
    expect(await get('/')).toContain('<script type="module" src="/console/main.js">');
    expect(await get('/console/main.js')).toContain("import { ask, Failure, hasToken } from './ask.js';");
    const called = await run('invoke', url, '--api', `http://127.0.0.1:${port}`);
    expect(called.out, called.error).toBe('granted\n');
  });
});

const environment = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };

/** @returns the command */
async function installed(folder: Folder): Promise<string> {
  await buildCliPackage(join(folder.path, 'cli'));
  const scratch = join(folder.path, 'scratch');
  mkdirSync(scratch);
  const name = await writeNpmPackage(folder.path, '@countersign/cli', join(folder.path, 'cli'), scratch, 1_700_000_000);
  const prefix = join(folder.path, 'prefix');
  const args = ['install', '--global', '--offline', '--prefix', prefix, `./${name}`];
  // The npm of this machine, in a network namespace without interfaces, with an empty cache.
  const npm = spawnSync('unshare', ['--net', 'npm', ...args], {
    cwd: folder.path,
    encoding: 'utf8',
    env: { ...process.env, HOME: folder.path, npm_config_cache: join(folder.path, 'cache') },
  });
  expect(npm.status, npm.stderr).toBe(0);
  expect(npm.stdout).toMatch(/^added 1 package/m);
  return join(prefix, 'bin/countersign');
}
