// No page tells a reader to run a line that can fetch a stranger's package: `npx NAME` and `npm exec NAME` download a
// package of that name when the folder has none.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { manifest } from '../../tools/build/manifest.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md') && file !== 'CHANGELOG.md'),
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
  'tools/build/cli-readme.md',
];
const sources = ['cli', 'core', 'serve', 'console', 'infra', 'functions', 'deploy'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
);

/** The peers of the construct, by the names that AWS has. */
const peers: ReadonlySet<string> = new Set(['aws-cdk-lib', 'constructs']);

/** Lines that run a package by its name, or install one that is not a file. */
function fetching(text: string): string[] {
  const runs = text.match(/\b(?:npx|bunx|npm (?:exec|x|init|create)|(?:pnpm|yarn) dlx)\b.*/g) ?? [];
  const installs = [...text.matchAll(/\bnpm (?:install|i|add)\b([^\n`]*)/g)]
    .filter(([, words = '']) => words.split(/\s+/).some((word) => /^[@\w]/.test(word) && !peers.has(word)))
    .map(([line]) => line);
  return [...runs, ...installs];
}

it.each([...pages, ...sources])('%s fetches no package by a name', (file) => {
  expect(fetching(readFileSync(join(root, file), 'utf8'))).toEqual([]);
});

it.each([
  'npx countersign serve',
  'npx cdk deploy',
  'npm exec countersign',
  'npm install -g countersign',
  'npm i @countersign/cli',
])('%s is found', (line) => {
  expect(fetching(`Run \`${line}\` now.`)).toHaveLength(1);
});

it.each(['npm ci', 'npm run cdk -- deploy', 'npm install --global ./countersign-cli-0.2.0.tgz'])(
  '%s is allowed',
  (line) => {
    expect(fetching(`Run \`${line}\` now.`)).toEqual([]);
  },
);

it.each(pages)('%s names no other version than this one in the name of an artefact', (file) => {
  const named = readFileSync(join(root, file), 'utf8').matchAll(/countersign[-_:](?:cli-|cdk-)?(\d+\.\d+\.\d+)/g);
  for (const [name, version] of named) expect(version, name).toBe(manifest.version);
});
