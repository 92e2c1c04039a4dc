// An old Node cannot load TypeScript: npm scripts and the command end with one sentence that says what to do.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';

const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as Record<string, string>;
const command = 'node cli/countersign.cjs --version';

/** Where distributions and NodeSource put Node. */
const oldNode = ['/usr/bin/node', '/usr/bin/nodejs', '/usr/local/bin/node'].find((path) => {
  const { status, stdout } = spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  return status === 0 && Number.parseInt(stdout, 10) < 24;
});

/** A clone with what an installation left in node_modules. */
function cloneWith(installed: readonly string[]): string {
  const clone = privateFolder().path;
  for (const file of ['package.json', 'cli/require-node.cjs', 'cli/countersign.cjs', 'cli/main.ts', 'local/start.ts'])
    cpSync(join(root, file), join(clone, file));
  for (const file of installed) {
    mkdirSync(join(clone, file, '..'), { recursive: true });
    writeFileSync(join(clone, file), '');
  }
  return clone;
}

describe.skipIf(!oldNode)('with an old Node (needs Node before 24 in /usr/bin)', () => {
  const app = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')).app as string;
  const ofNode = Object.entries(scripts).filter(([name, line]) => line.startsWith('node ') && name !== 'postinstall');
  const lines = [...ofNode.map(([, line]) => line), app, command];

  it.each(lines)('%s asks for the installation', async (line) => {
    const ended = await runOld(line, cloneWith([]));
    expect(ended.error).toMatch(
      /^Node 24 or later is required, found v\d+\.\d+\.\d+: run "npm ci", which installs it in node_modules\.\n$/,
    );
    expect(ended).toMatchObject({ code: 1, out: '' });
  });

  it('after --omit=optional the sentence names that option', async () => {
    const { error } = await runOld(command, cloneWith(['node_modules/commander/package.json']));
    expect(error).toContain(': run "npm ci" without --omit=optional on Linux, or install Node 24.\n');
  });

  it('after --ignore-scripts with an old npm the sentence says how to link Node 24', async () => {
    const { error } = await runOld(command, cloneWith([`node_modules/node-linux-${process.arch}/bin/node`]));
    expect(error).toContain(': run "node tools/link-node.cjs", which makes node_modules/.bin/node.\n');
  });

  it('beside an installed Node 24 the sentence says how to use it', async () => {
    const { error } = await runOld(command, cloneWith(['node_modules/.bin/node']));
    expect(error).toContain(': use npm scripts, which run node_modules/.bin/node.\n');
  });
});

it('a package that is not installed is named', async () => {
  const program = process.execPath;
  const { code, error } = await runCommand(['cli/countersign.cjs', '--version'], { program, cwd: cloneWith([]) });
  expect(error).toBe('The package commander is not installed: run "npm ci" first.\n');
  expect(code).toBe(1);
});

function runOld(line: string, cwd: string) {
  const [, ...args] = line.split(' ');
  return runCommand(args, { program: oldNode as string, cwd });
}
