// docs/local-cloud.md lists each demo host as the demo checks it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { demoHosts } from '../../../local/demo-api/hosts.ts';
import { readOptions } from '../../../local/program.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/local-cloud.md'), 'utf8');

it('the page has each host of the demo API with its port, code and step', () => {
  const rows = page.split('\n').filter((line) => /^\| `[a-z0-9-]+\.demo\.localhost` \|/.test(line));
  expect(rows.length).toBe(demoHosts.length);
  for (const [index, { host, expected, request }] of demoHosts.entries()) {
    expect(rows[index]).toContain(`| \`${host}\` | ${readOptions([]).ports.api + index} |`);
    if (expected) expect(rows[index]).toContain(`\`${expected.code}\`, step ${expected.step} |`);
    expect(rows[index]?.includes('requireMutual')).toBe(request?.requireMutual === true);
  }
});
