// `npm run release`: the same bytes from two folders, umasks and time zones; and what stops it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, it } from 'vitest';
import { manifest, root } from '../../../tools/build/manifest.ts';
import { missingForRoot } from '../../support/on-premises/debian-root.ts';

const scratch = mkdtempSync(join(tmpdir(), 'countersign-releases-'));
const isDebian = missingForRoot() !== 'package lists of apt' && spawnSync('dpkg-deb', ['--version']).status === 0;

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

interface Place {
  readonly umask: string;
  readonly zone: string;
}

/** A clone of the commit, with the installed packages. */
function clone(name: string, { umask, zone }: Place): { folder: string; release(...args: string[]): Promise<string> } {
  const folder = join(scratch, name);
  // Links, because the packages take 700 MB; copies where /tmp is another file system.
  const script = `umask ${umask} && git clone --quiet '${root}' '${folder}' &&
    { cp -al '${root}/node_modules' '${folder}/' 2> /dev/null || cp -a '${root}/node_modules' '${folder}/'; }`;
  const made = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  expect(made.status, made.stderr).toBe(0);
  const env = { ...process.env, TZ: zone, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  return {
    folder,
    async release(...args) {
      const command = `umask ${umask}; exec node tools/release.ts "$@" 2>&1`;
      const child = spawn('sh', ['-c', command, 'sh', ...args], {
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const output = text(child.stdout);
      const [status] = await once(child, 'close');
      return `${await output}status ${status}`;
    },
  };
}

it.skipIf(!isDebian)(
  'gives the same bytes everywhere (needs dpkg-deb and package lists of apt)',
  { timeout: 1_800_000 },
  async () => {
    const first = clone('first', { umask: '022', zone: 'Asia/Kolkata' });
    const second = clone('second-with-a-longer-name', { umask: '077', zone: 'America/New_York' });
    const sums: string[] = [];
    for (const { folder, release } of [first, second]) {
      const said = await release('--skip-tests', '--output', join(folder, 'release'));
      expect(said).toMatch(/status 0$/);
      sums.push(readFileSync(join(folder, 'release/SHA256SUMS'), 'utf8'));
    }
    expect(sums[1]).toBe(sums[0]);
    const release = join(first.folder, 'release');
    const named = [...(sums[0] ?? '').matchAll(/^[0-9a-f]{64} {2}(.+)$/gm)].map(([, name]) => name);
    const files = readdirSync(release).filter((name) => !['SHA256SUMS', 'NOT-A-RELEASE'].includes(name));
    expect(named).toEqual(files.sort());
    for (const end of ['cli-VERSION.tgz', 'cdk-VERSION.tgz', 'VERSION-linux-x64.tar.gz', 'VERSION-linux-arm64.tar.gz'])
      expect(named).toContain(`countersign-${end.replace('VERSION', manifest.version)}`);
    expect(spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: release }).status).toBe(0);
    expect(existsSync(join(release, 'NOT-A-RELEASE'))).toBe(true);
    expectBill(JSON.parse(readFileSync(join(release, 'sbom.cdx.json'), 'utf8')), named as string[]);
  },
);

interface Bill {
  readonly components: readonly { readonly name: string; readonly version: string; readonly 'bom-ref': string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** Each artefact is there, and what is known to be inside. */
function expectBill({ components, dependencies }: Bill, artefacts: readonly string[]): void {
  const refs = new Set(components.map((component) => component['bom-ref']));
  expect(refs.size).toBe(components.length);
  for (const name of artefacts.filter((one) => one !== 'sbom.cdx.json')) {
    const parts = dependencies.find(({ ref }) => ref === name)?.dependsOn ?? [];
    expect(parts.length, name).toBeGreaterThan(10);
    for (const part of parts) expect(refs, part).toContain(part);
    expect(
      parts.some((part) => part.startsWith('pkg:deb/debian/libc6@')),
      name,
    ).toBe(name.includes('-image-'));
    expect(
      parts.some((part) => part.startsWith('pkg:npm/node-linux-')),
      name,
    ).toBe(!name.endsWith('.tgz'));
  }
}

it('is stopped by a file that is not committed, a version without its section, and a failing test', {
  timeout: 600_000,
}, async () => {
  const { folder, release } = clone('stopped', { umask: '022', zone: 'UTC' });
  const output = join(folder, 'release');
  writeFileSync(join(folder, 'new.ts'), '');
  expect(await release()).toBe('These files are not committed:\n?? new.ts\nstatus 1');
  rmSync(join(folder, 'new.ts'));
  const commit = () => spawnSync('git', ['commit', '--quiet', '--all', '--message', 'change'], { cwd: folder });

  const file = join(folder, 'package.json');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, before.replace(`"version": "${manifest.version}"`, '"version": "99.0.0"'));
  commit();
  expect(await release()).toBe('CHANGELOG.md has no section "## 99.0.0".\nstatus 1');

  // The real suite takes ten minutes: its first stages are replaced by a failure.
  writeFileSync(file, before.replace(/"test": ".*"/, '"test": "exit 1"'));
  commit();
  expect(await release()).toMatch(/A test failed: there is no release\.\nstatus 1$/);
  expect(await release('--skip-tests')).toBe('--skip-tests needs --output.\nstatus 1');
  expect(existsSync(output)).toBe(false);
});
