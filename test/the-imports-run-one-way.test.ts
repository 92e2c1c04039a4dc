// The layout's promise: doors import stories, stories import rooms, rooms import rooms below them, errors and config.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** From the bottom up: a room may import the rooms to its left. */
const rooms = [
  'aws',
  'der',
  'telemetry',
  'destination',
  'identity',
  'message',
  'flight',
  'connection',
  'diagnosis',
  'issuer',
  'versions',
  'announcement',
];

/** The folders of the repository, the same way; bench/ and test/ stand on all of them and on each other. */
const folders = ['functions', 'gateway', 'console', 'server', 'command', 'infra', 'local'];

const door = rooms.length + 2;

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(root, resolve(root, dirname(file), match[1] as string)),
  );
}

/** `functions/errors.ts` → 0, rooms → 1 and up, then stories, then doors. */
function level(file: string): number {
  const [, folder = ''] = file.split('/');
  if (folder.endsWith('.ts')) return 0;
  if (rooms.includes(folder)) return 1 + rooms.indexOf(folder);
  return file.endsWith('/handler.ts') ? door : door - 1;
}

describe('imports run one way', () => {
  const files = sources('functions');

  it.each(files)('%s imports only what is below it', (file) => {
    for (const imported of importsOf(file)) {
      expect(imported, `${file} leaves functions/`).toMatch(/^functions\//);
      const inside = dirname(imported) === dirname(file) && level(file) !== door && level(imported) !== door;
      if (!inside) expect(level(imported), `${file} imports ${imported}`).toBeLessThan(level(file));
    }
  });

  it.each(folders)('%s/ imports only the folders that are below it', (folder) => {
    const below = folders.slice(0, folders.indexOf(folder) + 1);
    for (const file of sources(folder)) {
      for (const imported of importsOf(file)) {
        const [there] = imported.split('/');
        if (imported === 'package.json') continue;
        expect(below, `${file} imports ${imported}`).toContain(there);
      }
    }
  });

  it('the stack knows the functions by their settings alone', () => {
    const reached = sources('infra')
      .flatMap(importsOf)
      .filter((file) => file.startsWith('functions/'));
    expect(new Set(reached)).toEqual(new Set(reached.length ? ['functions/config.ts'] : []));
  });

  it('settings are read in one place', () => {
    const readers = files.filter((file) => /process\.env/.test(readFileSync(join(root, file), 'utf8')));
    for (const file of readers) expect(file).toMatch(/(config|handler)\.ts$/);
  });
});
