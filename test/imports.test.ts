// The layout: imports run one way, between the top-level folders and inside core/, and unit tests mirror the sources.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Top-level folders, from the bottom up: a folder can import the folders before it. bench/ and test/ import all. */
const folders = ['core', 'listener', 'console', 'serve', 'cli', 'infra', 'functions', 'local'];

/** The floors of core/, from the bottom up: a module can import the modules of the floors below. */
const floors = [
  [
    'bounded-map',
    'json-text',
    'byte-collector',
    'errors',
    'escape-for-terminal',
    'open-files-limit',
    'package-folder',
    'settings',
  ],
  ['x509'],
  ['files', 'file-lock', 'aws', 'api', 'json-request', 'destination', 'telemetry'],
  ['identity'],
  ['tls', 'versions'],
  ['http', 'publication', 'issuers', 'inspection'],
  ['invocation'],
  ['diagnosis'],
  ['events'],
  ['rotation'],
];

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

function filesWith(pattern: RegExp, within: readonly string[]): string[] {
  return within.flatMap(sources).filter((file) => pattern.test(readFileSync(join(root, file), 'utf8')));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(root, resolve(root, dirname(file), match[1] as string)),
  );
}

/** Each circle as `a.ts → b.ts → a.ts`. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file].join(' → '));
    if (start >= 0 || done.has(file)) return;
    for (const imported of imports.get(file) ?? []) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

/** `core/tls/dial.ts` → `tls`, `core/errors.ts` → `errors` */
function moduleOf(file: string): string {
  return (file.split('/')[1] as string).replace(/\.ts$/, '');
}

function floorOf(file: string): number {
  const floor = floors.findIndex((modules) => modules.includes(moduleOf(file)));
  if (floor < 0) throw new Error(`${file} belongs to no floor: add its module to test/imports.test.ts.`);
  return floor;
}

describe('imports run one way', () => {
  it.each(folders)('%s/ imports only the folders below it', (folder) => {
    const below = folders.slice(0, folders.indexOf(folder) + 1);
    for (const file of sources(folder)) {
      for (const imported of importsOf(file)) {
        const [there] = imported.split('/');
        if (imported === 'package.json') continue;
        expect(below, `${file} imports ${imported}`).toContain(there);
      }
    }
  });

  it.each(sources('core'))('%s imports only modules of lower floors', (file) => {
    for (const imported of importsOf(file)) {
      if (moduleOf(imported) === moduleOf(file)) continue;
      expect(floorOf(imported), `${file} imports ${imported}`).toBeLessThan(floorOf(file));
    }
  });

  it('no files import each other in a circle, not even for types', () => {
    const all = [...folders, 'bench', 'tools', 'test'].flatMap(sources);
    const imports = new Map(all.map((file) => [file, importsOf(file)]));
    expect(circles(imports)).toEqual([]);
  });

  it('the stack imports outside infra/ only the settings and the rules of a rotation schedule', () => {
    const reached = sources('infra')
      .flatMap(importsOf)
      .filter((file) => !file.startsWith('infra/') && file !== 'package.json');
    expect(new Set(reached)).toEqual(new Set(['core/settings.ts', 'core/versions/rotation-schedule.ts']));
  });

  it('functions/ imports core/ only', () => {
    const others = sources('functions')
      .flatMap(importsOf)
      .filter((file) => !/^(core|functions)\//.test(file));
    expect(others).toEqual([]);
  });

  it('only functions/ and the local gateway know Lambda types, middy and the events of API Gateway', () => {
    const users = filesWith(/['"](aws-lambda|@middy\/)|requestContext|awsRequestId/, folders).filter(
      (file) => !file.startsWith('functions/') && !file.startsWith('local/gateway/'),
    );
    expect(users).toEqual([]);
  });

  it('core/ reads no environment variable', () => {
    expect(filesWith(/process\.env/, ['core'])).toEqual([]);
  });

  it('core/ has no HTTP server and no terminal', () => {
    expect(filesWith(/import (?!type )[^;]*'node:(http|http2|readline|tty)'/, ['core'])).toEqual([]);
    // The log sink of the functions, which callers can replace.
    expect(filesWith(/process\.(std|argv|exit)/, ['core'])).toEqual(['core/telemetry/telemetry.ts']);
  });

  it('no module has a variable of its own: what changes is passed in', () => {
    expect(filesWith(/^(export )?(let|var) /m, folders)).toEqual([]);
  });
});

describe('a unit test has the path of its source', () => {
  it.each(sources('test').filter((file) => folders.includes(moduleOf(file)) && file.endsWith('.test.ts')))(
    '%s',
    (file) => {
      // `callers.test.ts`, and `callers.constant-time.test.ts` for a part of it.
      const source = file.replace(/^test\/(.*\/[^/.]+)(\.[\w-]+)?\.test\.ts$/, '$1.ts');
      expect(existsSync(join(root, source)), `${source} does not exist`).toBe(true);
    },
  );
});
