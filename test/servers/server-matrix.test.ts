// The truth, measured: every cell of every real server must come to what was written down by hand, diagnosis and call
// alike.
import { describe, expect, it } from 'vitest';
import { expectations, type ServerName } from './expectations.ts';
import { missingFor } from './listener.ts';
import { cellsOf, measure } from './measure.ts';
import { type CellOutcome, expectedOf } from './outcomes.ts';
import { servers } from './servers.ts';

describe.each(Object.keys(expectations) as ServerName[])('%s', (name) => {
  const server = servers[name];
  const missing = missingFor(server);

  it.skipIf(missing)(
    `${server.title} is outcome right in every cell${missing ? ` (needs ${missing})` : ''}`,
    async () => {
      const measured = await measure(server);
      const isKnown = server.version().startsWith(expectations[name].version);
      const words = (outcome: CellOutcome | undefined) => {
        if (!outcome) return 'unknown';
        // For a version that was not measured, only the verdict and the step must match.
        return (isKnown ? Object.values(outcome) : [outcome.verdict, outcome.step]).join(' · ');
      };
      const lines = (all: { cell: string; version: string; outcome: CellOutcome | undefined }[]) =>
        all.map(({ cell, version, outcome }) => `${version} ${cell}: ${words(outcome)}`);
      const expected = cellsOf(server).map(({ cell, version }) => ({
        cell,
        version,
        outcome: expectedOf(expectations[name], cell, version),
      }));
      expect(lines(measured)).toEqual(lines(expected));
    },
    60_000,
  );
});
