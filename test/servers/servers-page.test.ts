// docs/servers.md equals the page that the expectations produce.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectations, type ServerName } from './expectations.ts';
import { cellsOf } from './measure.ts';
import { type CellOutcome, expectedOf, knownOutcomeOf } from './outcomes.ts';
import { type PageContent, pageOf } from './page.ts';
import { defective, rejectIdentities } from './rejected-identities.ts';
import { servers } from './servers.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/servers.md'), 'utf8');
const names = Object.keys(expectations) as ServerName[];

describe('docs/servers.md', () => {
  it.each(names)('has a expectation for each cell of %s', (name) => {
    const missing = cellsOf(servers[name]).filter(
      ({ cell, version }) => !expectedOf(expectations[name], cell, version),
    );
    expect(missing).toEqual([]);
  });

  it('contains the tables of the expectations, and every server', async () => {
    const machine = /Measured on (.*), over loopback\.$/m.exec(page)?.[1] ?? 'no machine, or not all servers';
    const results: PageContent['results'] = {};
    for (const name of names) {
      const { title } = servers[name];
      const row = page.split('\n').find((line) => line.startsWith(`| [${title}](`));
      const measured = cellsOf(servers[name]).map(({ cell, version }) => {
        return { cell, version, outcome: knownOutcomeOf(expectations[name], cell, version) as CellOutcome };
      });
      results[name] = { version: row?.split(' | ')[1] ?? 'unknown', measured };
    }
    expect(page).toBe(pageOf({ machine, rejections: await rejectIdentities(), results }));
  });

  it('a defective identity is refused before a server is called', async () => {
    const refusals = await rejectIdentities();
    expect(refusals).toEqual({
      expired: { verdict: 'identity-unusable', reason: 'expired', invocation: 'identity-unusable' },
      notYetValid: { verdict: 'identity-unusable', reason: 'not-yet-valid', invocation: 'identity-unusable' },
      serverUsage: { verdict: 'identity-unusable', reason: 'extended-key-usage', invocation: 'identity-unusable' },
      withoutIntermediate: {
        verdict: 'identity-unusable',
        reason: 'chain-incomplete',
        invocation: 'identity-unusable',
      },
      keyUsage: { verdict: 'identity-unusable', reason: 'key-usage', invocation: 'identity-unusable' },
    });
    expect(Object.keys(refusals)).toEqual([...defective]);
  });
});
