// docs/on-premises.md and deploy/ match the code: options, metrics, log lines, routes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCallers } from '../../../serve/auth/callers.ts';
import { serveRoutes } from '../../../serve/http/serve-routes.ts';
import { fitConnections, readServeOptions, serveFlags } from '../../../serve/options.ts';
import { imageCommand, user } from '../../../tools/artefacts/image.ts';
import { manifest as packageManifest } from '../../../tools/build/manifest.ts';
import { privateFolder } from '../../support/program.ts';

const root = resolve(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const page = read('docs/on-premises.md');

const serverFiles = reached(['serve/serve.ts', 'serve/workers/worker.ts']);

/** The files, and everything that they import: paths from the root, and package names. */
function reached(files: readonly string[], seen = new Set<string>()): Set<string> {
  for (const file of files) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (!file.endsWith('.ts')) continue;
    const imports = [...read(file).matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'|import\('([^']+)'\)/gms)];
    const paths = imports.map((match) => (match[1] ?? match[2]) as string).filter((path) => !path.startsWith('node:'));
    reached(
      paths.map((path) => (path.startsWith('.') ? relative(root, resolve(root, dirname(file), path)) : path)),
      seen,
    );
  }
  return seen;
}

describe('docs/on-premises.md', () => {
  it('has each option with its default', () => {
    const rows = [...page.matchAll(/^\| `(--[^`]+)` \| (.+?) \| (.+) \|$/gm)].map(([, flags, value, means]) => [
      flags,
      value,
      means,
    ]);
    expect(rows).toEqual(Object.values(serveFlags).map((flag) => [flag.flags, flag.default ?? '–', flag.means]));
  });

  it('has each metric', () => {
    const source = ['metrics', 'identity-inspection'].map((file) => read(`serve/metrics/${file}.ts`)).join('');
    const metrics = [...source.matchAll(/name: '(\w+)'/g)].map(([, name]) => name as string);
    expect(metrics.length).toBe(15);
    for (const name of metrics) expect(page, name).toMatch(new RegExp(`\`${name}[{\`]`));
  });

  it('has each line of the server', () => {
    const source = [...serverFiles]
      .filter((file) => file.startsWith('serve/'))
      .map(read)
      .join('');
    const messages = new Set([...source.matchAll(/message: '([a-z ]+)'/g)].map(([, message]) => message));
    expect(messages.size).toBe(11);
    for (const message of messages) expect(page, message).toContain(`\`${message}\``);
  });

  it('has each route that is not on AWS', () => {
    for (const route of Object.values(serveRoutes)) expect(page).toContain(`\`${route}\``);
  });

  it('shows a valid callers file', () => {
    const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    expect(parseCallers(example, 'callers.json').needsClientCa).toBe(true);
  });
});

describe('deploy/', () => {
  const flags = new Map(Object.entries(serveFlags).map(([name, { flags: text }]) => [text.split(' ')[0], name]));

  it('uses valid options', () => {
    const given = [...read('deploy/kubernetes.yaml').matchAll(/^ +- (--[a-z-]+)=(.+)$/gm)];
    const raw = Object.fromEntries(given.map(([, flag = '', value]) => [flags.get(flag), value]));
    expect(readServeOptions(raw)).toMatchObject({ host: '0.0.0.0', port: 8443 });
    const named = [...read('deploy/countersign.service').matchAll(/serve.*?(--[a-z-]+)/g)].map(([, flag]) => flag);
    expect(named.length).toBeGreaterThan(0);
    for (const flag of named) expect(flags.has(flag), flag).toBe(true);
  });

  it('builds an image that listens on the exposed port', () => {
    const raw = Object.fromEntries(
      imageCommand.slice(1).map((one) => [flags.get(one.split('=')[0] ?? ''), one.split('=')[1]]),
    );
    const { host, port } = readServeOptions(raw);
    expect([host, port]).toEqual(['0.0.0.0', 8443]);
    // The same paths as in the manifest.
    for (const one of imageCommand) expect(read('deploy/kubernetes.yaml')).toContain(one);
    expect(read('deploy/kubernetes.yaml')).toContain(`runAsUser: ${user}\n`);
    expect(read('deploy/kubernetes.yaml')).toContain(`image: countersign:${packageManifest.version}\n`);
  });

  it('has limits that fit the memory and the file descriptors', () => {
    const manifest = read('deploy/kubernetes.yaml');
    const given = [...manifest.matchAll(/^ +- (--[a-z-]+)=(.+)$/gm)];
    const raw = Object.fromEntries(given.map(([, flag = '', value]) => [flags.get(flag), value]));
    const { workers, limits } = readServeOptions(raw);
    const memory = Number(/limits: \{ memory: (\d+)Gi \}/.exec(manifest)?.[1]) * 2 ** 30;
    const most = workers * (limits.maxCalls * 30e6 + 3 * limits.maxBufferedBytes) + (workers + 1) * 120e6;
    expect(most).toBeLessThan(memory);
    const unit = read('deploy/countersign.service');
    const files = Number(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1]);
    expect(fitConnections(readServeOptions({ identities: '/' }).limits, files)[1]).toBeUndefined();
    expect(unit).toMatch(/^LimitCORE=0$/m);
  });

  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))(
    'has a unit that systemd accepts and finds hardened (needs systemd-analyze)',
    () => {
      const folder = privateFolder();
      const bin = join(folder.path, 'bin');
      mkdirSync(bin, { recursive: true });
      symlinkSync(process.execPath, join(bin, 'countersign'));
      const unit = folder.write(
        'countersign.service',
        read('deploy/countersign.service').replaceAll('/opt/countersign', folder.path),
      );
      const analyze = (...args: string[]) =>
        spawnSync('/usr/bin/systemd-analyze', [...args, unit], { encoding: 'utf8' });
      const verified = analyze('verify', '--man=no');
      expect(verified.stderr.split('\n').filter((line) => line.includes('countersign'))).toEqual([]);
      const security = analyze('security', '--offline=true', '--no-pager').stdout;
      const exposure = /Overall exposure level for countersign.service: (\d+\.\d+)/.exec(security)?.[1];
      expect(Number(exposure)).toBeLessThan(2);
    },
  );
});
