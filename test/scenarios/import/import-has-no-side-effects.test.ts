// cli/import/ takes bytes and returns findings or a document: it reads no file, setting or prompt, and writes nothing.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = join(import.meta.dirname, '../../../cli/import');
const allowed = /^(node:(crypto|util)|node-forge|valibot|\.\/[a-z0-9-]+\.ts|\.\.\/\.\.\/core\/[a-z0-9-/]+\.ts)$/;

it.each(readdirSync(folder))('%s imports no module with side effects', (file) => {
  const text = readFileSync(join(folder, file), 'utf8');
  const imports = [...text.matchAll(/^(?:import|export) .*?from '([^']+)';$/gms)].map((match) => match[1] as string);
  expect(imports.filter((name) => !allowed.test(name))).toEqual([]);
  expect(text).not.toMatch(/process\.|console\.|import\(|fetch\(/);
});
