// Bytes in, findings or a document out: nothing in cli/import/ reads a file, a setting or a prompt, or writes anywhere.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const room = join(import.meta.dirname, '../../../cli/import');
const allowed =
  /^(node:(crypto|stream|tls|util)|node-forge|valibot|\.\/[a-z0-9-]+\.ts|\.\.\/\.\.\/functions\/[a-z-/]+\.ts)$/;

it.each(readdirSync(room))('%s', (file) => {
  const text = readFileSync(join(room, file), 'utf8');
  const imports = [...text.matchAll(/^(?:import|export) .*?from '([^']+)';$/gms)].map((match) => match[1] as string);
  expect(imports.filter((name) => !allowed.test(name))).toEqual([]);
  expect(text).not.toMatch(/process\.|console\.|import\(|fetch\(/);
});
