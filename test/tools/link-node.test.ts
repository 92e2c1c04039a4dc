// What `npm ci` leaves with npm 9 and 10: the package of Node without its link.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/cli/run-command.ts';
import { privateFolder } from '../support/program.ts';

const { postinstall } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;

function cloneWith(packages: readonly string[]): string {
  const clone = privateFolder().path;
  mkdirSync(join(clone, 'tools'));
  cpSync(join(root, 'tools/link-node.cjs'), join(clone, 'tools/link-node.cjs'));
  mkdirSync(join(clone, 'node_modules/.bin'), { recursive: true });
  for (const name of packages) {
    mkdirSync(join(clone, 'node_modules', name, 'bin'), { recursive: true });
    writeFileSync(join(clone, 'node_modules', name, 'bin/node'), name);
  }
  return clone;
}

/** @returns the path of the link in the clone */
function installed(clone: string): string {
  const [, ...args] = postinstall.split(' ');
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: clone, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return join(clone, 'node_modules/.bin/node');
}

const ours = `node-linux-${process.arch}`;

it('links the package of Node for this processor', () => {
  const link = installed(cloneWith(['node-linux-other', ours]));
  expect(readFileSync(link, 'utf8')).toBe(ours);
});

it('replaces a link to a package that is gone', () => {
  const clone = cloneWith([ours]);
  symlinkSync('../node-linux-old/bin/node', join(clone, 'node_modules/.bin/node'));
  expect(readFileSync(installed(clone), 'utf8')).toBe(ours);
});

it('leaves a link that npm made', () => {
  const clone = cloneWith([ours, 'other']);
  symlinkSync('../other/bin/node', join(clone, 'node_modules/.bin/node'));
  expect(readFileSync(installed(clone), 'utf8')).toBe('other');
});

it('links nothing without the package, as after --omit=optional', () => {
  const link = installed(cloneWith([]));
  expect(existsSync(link)).toBe(false);
  expect(() => lstatSync(link)).toThrow('ENOENT');
});
