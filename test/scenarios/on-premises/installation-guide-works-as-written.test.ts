// docs/on-premises.md, "Install": runs each shell block in order, in an empty folder, with nginx as the API and OpenSSL
// as CA.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { assembleInstallation } from '../../../tools/artefacts/archive.ts';
import { buildCliPackage } from '../../../tools/build/cli-package.ts';
import { manifest, root } from '../../../tools/build/manifest.ts';
import { startNginx } from '../../support/nginx.ts';
import { authority, guide, serviceBlocks as service, startedAsUnit, steps } from '../../support/on-premises/guide.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';
import { privateFolder } from '../../support/program.ts';
import { createAuthorities } from '../../support/stage.ts';

/** User and group of the service, which need no names here. */
const other = 54_321;
const canBeOther = process.getuid?.() === 0 && spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;
const asOther = `setpriv --reuid ${other} --regid ${other} --clear-groups --`;
const asService = 'runuser -u countersign --';
const started = startedAsUnit(asOther);

/** Root changes files that the service uses. */
const changed = `
  countersign identity destinations platform add https://other.customer.example --no-reach --source directory:/etc/countersign/identities
  countersign identity rollback platform --yes --source directory:/etc/countersign/identities
  sleep 10
  countersign invoke https://api.customer.example/ --api https://countersign.acme.example:8443 --cacert root.pem --token-file token
  ${asOther} cat identities/platform/private-key.pem > /dev/null
  for mine in 'cat token' 'touch identities/mine' 'touch identities/platform/mine' 'ls identities/.countersign'
  do if ${asOther} $mine 2> /dev/null; then exit 1; fi
  done
  kill $server && wait $server
  if grep refresh.failed service.log; then exit 1; fi`;

/** The archive of the release, with the Node that runs the tests, and as fast as gzip can. */
let archive = '';

beforeAll(async () => {
  const scratch = mkdtempSync(join(root, 'node_modules/.cache/countersign-archive-'));
  const name = `countersign-${manifest.version}-linux-x64`;
  await buildCliPackage(join(scratch, 'cli'));
  assembleInstallation(join(scratch, name), join(scratch, 'cli'), {
    binary: process.execPath,
    license: join(root, 'LICENSE'),
  });
  archive = join(scratch, `${name}.tar.gz`);
  const { status } = spawnSync('tar', ['-c', '-I', 'gzip -1', '-f', archive, '-C', scratch, name]);
  expect(status).toBe(0);
  return () => rmSync(scratch, { recursive: true });
});

const missing = (['nginx', 'openssl', 'curl'] as const).filter((peer) => !findPeer(peer));

describe.skipIf(missing.length > 0)('the installation guide (needs nginx, openssl and curl)', () => {
  it('works as written', { timeout: 150_000 }, async () => {
    const { output, here, blocks } = await follow([]);
    expect(blocks).toBeGreaterThan(10);
    const said = (text: string | RegExp) => output.match(new RegExp(text, 'gm'))?.length ?? 0;
    expect(said(/^\d+\.\d+\.\d+$/), 'the version').toBeGreaterThan(0);
    expect(said('access-granted  Access is granted.')).toBe(3);
    expect(said('Nothing is wrong.')).toBe(1);
    // With --api, doctor sees no destinations and tries none.
    expect(said(/^No failure was found\. No destination was tried: /)).toBe(1);
    expect(said(/^granted$/)).toBe(2);
    expect(output).toContain('"status":200');
    // The two diagnoses of the server presented two certificates.
    const versions = new Set([...output.matchAll(/ as platform, version (\w+)/g)].map(([, version]) => version));
    expect(versions.size, output).toBe(2);
    // The outputs that the guide shows, apart from numbers.
    const [checked, diagnosed] = [...guide.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
      .filter(([, language]) => language === '')
      .map(([, , block]) => block as string);
    const ours = numberless(output);
    for (const line of [...(checked ?? '').split('\n'), ...(diagnosed ?? '').split('\n')]) {
      const [shown = ''] = line
        .replaceAll('api.customer.example:443', 'api.customer.example')
        .split(/ 10\.20\.0\.7| {2}CN=| {2}issued by/);
      // Only root gets this hint.
      if (process.getuid?.() !== 0 && /user of the service|as that user/.test(line)) continue;
      expect(ours).toContain(numberless(here(shown).replace(asOther, asService)));
    }
  });

  it.skipIf(!canBeOther)(
    'sets up a service for another user, whose files root can change (needs root and setpriv)',
    { timeout: 150_000 },
    async () => {
      const [user, files, systemd, tried, ...more] = service;
      expect([user, systemd, more]).toEqual([
        expect.stringContaining('useradd'),
        expect.stringContaining('deploy/countersign.service'),
        [],
      ]);
      const { output, blocks } = await follow([files ?? '', started, tried ?? '', changed]);
      const own = output.split(`== block ${blocks - 3}\n`)[1] ?? '';
      expect(own.match(/Nothing is wrong\./g)).toHaveLength(1);
      expect(own).toContain('{"status":"ready"}');
      expect(own).toContain('access-granted  Access is granted.');
      expect(own).not.toContain('cannot read');
      expect(own).toMatch(/^granted$/m);
    },
  );

  it('counts its steps', () => {
    const numbers = steps.map(({ title }) => /^(\d+)\. /.exec(title)?.[1]).filter(Boolean);
    expect(numbers).toEqual(numbers.map((_, index) => String(index + 1)));
  });
});

/** Runs the guide without the service, then the blocks of `last`. */
async function follow(last: readonly string[]) {
  const all = steps.flatMap(({ blocks }) => blocks);
  const others = [...all.filter((block) => !service.includes(block)), ...last];

  const folder = privateFolder();
  const etc = join(folder.path, 'etc/countersign');
  const bin = join(folder.path, 'bin');
  const opt = join(folder.path, 'opt');
  for (const path of [etc, bin, opt]) mkdirSync(path, { recursive: true });
  symlinkSync(archive, join(bin, basename(archive)));
  // nginx needs the root before the guide creates it.
  const signing = `( cd ${etc}\n${authority} ) 2>&1`;
  await run(signing, bin);
  const customer = createAuthorities().customerRoot;
  const { port } = await startNginx(customer.issue({ commonName: 'api', names: ['localhost'], usage: 'server' }), {
    clientRoots: readFileSync(join(etc, 'root.pem'), 'utf8'),
    // The chain has an intermediate.
    directives: 'ssl_verify_depth 3;',
  });
  folder.write('etc/countersign/customer-root.pem', customer.certificate);
  const [plain, secure] = [await freePort(), await freePort()];

  /** Replaced here: paths, names and ports. Each must occur in the guide. */
  const places: readonly (readonly [string, string])[] = [
    ['/opt', opt],
    ['/usr/local/bin', bin],
    ['/etc/countersign', etc],
    ['countersign.acme.example:8443', `localhost:${secure}`],
    ['api.customer.example', `localhost:${port}`],
    ['--network private', '--network loopback'],
    ['127.0.0.1:8080', `127.0.0.1:${plain}`],
    ['--callers callers.json > serve.log', `--callers callers.json --port ${plain} > serve.log`],
    ['--host 0.0.0.0 --port 8443', `--host 127.0.0.1 --port ${secure}`],
    ['chgrp countersign', `chgrp ${other}`],
    ['chgrp -R countersign', `chgrp -R ${other}`],
    [asService, asOther],
  ];
  const here = (block: string) => places.reduce((text, [there, instead]) => text.replaceAll(there, instead), block);
  for (const [there] of places) expect(all.join(''), there).toContain(there);

  const script = others.map((block, index) => `echo "== block ${index + 1}"\n${here(block)}\n${signing}`);
  const { code, output } = await run(script.join('\n'), bin);
  expect(output, output).toContain(`== block ${others.length}`);
  expect(code, output).toBe(0);
  expect(secretsIn(output)).toEqual([]);
  return { output, here, blocks: others.length };
}

function numberless(text: string): string {
  return text.replaceAll(/\d+/g, '0').replaceAll(/ +/g, ' ');
}

function secretsIn(output: string): string[] {
  return output.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----/g) ?? [];
}

/** Stops at the first command that fails, and ends every process that the script started. */
async function run(script: string, bin: string): Promise<{ code: number | null; output: string }> {
  const file = join(bin, 'script.sh');
  writeFileSync(file, script);
  const child = spawn('bash', ['-eu', '-o', 'pipefail', file], {
    // Outside the repository: the guide must work from any folder.
    cwd: bin,
    env: { PATH: `${bin}:${process.env.PATH}`, HOME: bin },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = () => {
    try {
      // The process group: the shell and its children.
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // The group has already ended.
    }
  };
  onTestFinished(end);
  const late = setTimeout(end, 120_000);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  const closed = once(child, 'close');
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  clearTimeout(late);
  end();
  await closed;
  return { code, output };
}
