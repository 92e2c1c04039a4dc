// docs/servers.md is what would be written if every server that it names came to what was written down by hand.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defective, refusedBeforehand } from './beforehand.ts';
import { type ServerName, truths } from './expected.ts';
import { cellsOf } from './measure.ts';
import { type PageContent, pageOf } from './page.ts';
import { servers } from './servers.ts';
import { expectedOf, type Told } from './told.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/servers.md'), 'utf8');
const names = Object.keys(truths) as ServerName[];

describe('docs/servers.md', () => {
  it.each(names)('has a truth for each cell of %s', (name) => {
    const untold = cellsOf(servers[name]).filter(({ cell, version }) => !expectedOf(truths[name], cell, version));
    expect(untold).toEqual([]);
  });

  it('holds the tables that the expectations make, and every server', async () => {
    const machine = /^Measured on (.*), over loopback\.$/m.exec(page)?.[1] ?? 'no machine, or not all servers';
    const results: PageContent['results'] = {};
    for (const name of names) {
      const { title } = servers[name];
      const row = page.split('\n').find((line) => line.startsWith(`| [${title}](`));
      const measured = cellsOf(servers[name]).map(({ cell, version }) => {
        return { cell, version, told: expectedOf(truths[name], cell, version) as Told };
      });
      results[name] = { version: row?.split(' | ')[1] ?? 'unknown', measured };
    }
    expect(page).toBe(pageOf({ machine, beforehand: await refusedBeforehand(), results }));
  });

  it('a defective identity never gets as far as a server', async () => {
    const refusals = await refusedBeforehand();
    expect(refusals).toEqual({
      expired: { verdict: 'identity-unusable', reason: 'expired', invocation: 'identity-unusable' },
      notYetValid: { verdict: 'identity-unusable', reason: 'not-yet-valid', invocation: 'identity-unusable' },
      serverUsage: { verdict: 'identity-unusable', reason: 'extended-key-usage', invocation: 'identity-unusable' },
      withoutIntermediate: {
        verdict: 'identity-unusable',
        reason: 'chain-incomplete',
        invocation: 'identity-unusable',
      },
    });
    expect(Object.keys(refusals)).toEqual([...defective]);
  });
});
