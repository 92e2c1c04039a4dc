// Every cell of every real server must come to what its configuration leads one to expect, diagnosis and call alike.
import { describe, expect, it } from 'vitest';
import { expectations, type ServerName } from './expectations.ts';
import { judge } from './judgement.ts';
import { missingFor } from './listener.ts';
import { cellsOf, measure } from './measure.ts';
import { expectedOf, type ServerExpectation } from './outcomes.ts';
import { servers } from './servers.ts';

describe.each(Object.keys(expectations) as ServerName[])('%s', (name) => {
  const server = servers[name];
  const missing = missingFor(server);

  it.skipIf(missing)(
    `${server.title} comes out right in every cell${missing ? ` (needs ${missing})` : ''}`,
    async () => {
      const measured = await measure(server);
      expect(measured.map(({ cell, version }) => `${version} ${cell}`)).toEqual(
        cellsOf(server).map(({ cell, version }) => `${version} ${cell}`),
      );
      const expectation: ServerExpectation = expectations[name];
      if (server.version().startsWith(expectation.version)) {
        const { lines, isAcceptable } = judge(expectation, measured);
        expect(isAcceptable, lines.join('\n')).toBe(true);
        return;
      }
      // For a version that was not measured, only the verdict and the step must match.
      const shown = measured.map(
        ({ cell, version, outcome }) => `${version} ${cell}: ${outcome.verdict} ${outcome.step}`,
      );
      const expected = measured.map(({ cell, version }) => {
        const outcome = expectedOf(expectation, cell, version);
        return `${version} ${cell}: ${outcome?.verdict} ${outcome?.step}`;
      });
      expect(shown).toEqual(expected);
      expect(measured.filter(({ contradiction }) => contradiction)).toEqual([]);
    },
    60_000,
  );
});
