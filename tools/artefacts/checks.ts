// The conditions of a release.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifest, root } from '../build/manifest.ts';
import type { Commit } from './image.ts';
import { output } from './program.ts';

/** Throws unless the commit is all that goes into the release, and CHANGELOG.md describes the version. */
export async function checkReleasable(): Promise<void> {
  const changed = await output('git', ['status', '--porcelain'], { cwd: root });
  if (changed !== '') throw new Error(`These files are not committed:\n${changed.trimEnd()}`);
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const section = changelog.split(/^## /m).find((text) => text.split(/\s/)[0] === manifest.version);
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "## ${manifest.version}".`);
  checkInstalled();
}

interface Locked {
  readonly integrity?: string;
  readonly link?: boolean;
}

/** What is bundled must be what package-lock.json names. */
function checkInstalled(): void {
  const read = (file: string) =>
    JSON.parse(readFileSync(join(root, file), 'utf8')).packages as Readonly<Record<string, Locked>>;
  const locked = read('package-lock.json');
  const other = Object.entries(read('node_modules/.package-lock.json')).find(
    ([path, { integrity }]) => locked[path]?.integrity !== integrity,
  );
  if (other) throw new Error(`${other[0]} is not the one of package-lock.json: run npm ci.`);
}

export async function currentCommit(): Promise<Commit> {
  const [id = '', seconds = ''] = (await output('git', ['log', '-1', '--format=%H %ct'], { cwd: root }))
    .trim()
    .split(' ');
  return { id, seconds: Number(seconds) };
}

/** `npm test`. Throws if it fails. */
export async function runSuite(): Promise<void> {
  const child = spawn('npm', ['test'], { cwd: root, stdio: 'inherit' });
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error('A test failed: there is no release.');
}
