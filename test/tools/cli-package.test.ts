// dist/cli, the package @countersign/cli.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, transform } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BundledPackage } from '../../tools/build/bundled-packages.ts';
import { buildCliPackage } from '../../tools/build/cli-package.ts';
import { manifest } from '../../tools/build/manifest.ts';

const scratch = mkdtempSync(join(tmpdir(), 'countersign-package-'));
const folder = join(scratch, 'cli');
let packages: readonly BundledPackage[] = [];

beforeAll(async () => {
  packages = await buildCliPackage(folder);
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

it('has no dependency and no install script', () => {
  const { name, version, engines, ...rest } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  expect({ name, version, engines }).toEqual({
    name: '@countersign/cli',
    version: manifest.version,
    engines: { node: '>=24' },
  });
  expect(Object.keys(rest).filter((key) => /dependencies|scripts/i.test(key))).toEqual([]);
  expect(rest.bin).toEqual({ countersign: 'bin/countersign.cjs' });
});

it('has at most 3 MB when it is packed', () => {
  const { stdout, status } = spawnSync('tar', ['-cz', '-C', folder, '.'], { maxBuffer: 2 ** 26 });
  expect(status).toBe(0);
  expect(stdout.length).toBeLessThan(3_000_000);
});

it('has the licence of each bundled package', () => {
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['commander', 'node-forge', 'prom-client']));
  const licenses = readFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
  for (const { name, version, license } of packages) expect(licenses).toContain(`${name} ${version} (${license})\n`);
  expect(licenses).toContain('Permission is hereby granted, free of charge');
});

it('imports nothing that is neither in it nor a module of Node', async () => {
  const { metafile } = await build({
    entryPoints: ['main', 'worker'].map((name) => join(folder, `lib/${name}.js`)),
    outdir: scratch,
    bundle: true,
    write: false,
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  expect(imported.length).toBeGreaterThan(10);
  expect(imported.filter((path) => !isBuiltin(path))).toEqual([]);
});

it('starts with a file that old versions of Node can parse', async () => {
  const file = join(folder, 'bin/countersign.cjs');
  expect(statSync(file).mode & 0o111).toBe(0o111);
  const text = readFileSync(file, 'utf8');
  const [old, current] = await Promise.all(
    ['es5', 'esnext'].map((target) => transform(text, { target, minifyWhitespace: true })),
  );
  expect(old?.code).toBe(current?.code);
});

it('prints one sentence on an older Node', () => {
  const file = join(folder, 'bin/countersign.cjs');
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '18.20.4' }); require(${JSON.stringify(file)});`;
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--eval', pretend], { encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toBe(
    'Countersign needs Node 24 or later and this is Node 18.20.4: install Node 24, or install the archive of the release, which contains it.\n',
  );
});

it('prints its version', () => {
  const { stdout } = spawnSync(process.execPath, [join(folder, 'bin/countersign.cjs'), '--version'], {
    encoding: 'utf8',
    cwd: '/',
  });
  expect(stdout).toBe(`${manifest.version}\n`);
});
