// The truth, measured: every cell of every real server must come to what was written down by hand, diagnosis and call alike.
import { describe, expect, it } from 'vitest';
import { type ServerName, truths } from './expected.ts';
import { missingFor } from './listener.ts';
import { cellsOf, measure } from './measure.ts';
import { servers } from './servers.ts';
import { expectedOf, type Told } from './told.ts';

describe.each(Object.keys(truths) as ServerName[])('%s', (name) => {
  const server = servers[name];
  const missing = missingFor(server);

  it.skipIf(missing)(
    `${server.title} is told right in every cell${missing ? ` (needs ${missing})` : ''}`,
    async () => {
      const measured = await measure(server);
      const isKnown = server.version().startsWith(truths[name].version);
      const words = (told: Told | undefined) => {
        if (!told) return 'unknown';
        // Of a version that nobody has measured the verdict and the step must hold, in whatever words it says it.
        return (isKnown ? Object.values(told) : [told.verdict, told.step]).join(' · ');
      };
      const lines = (all: { cell: string; version: string; told: Told | undefined }[]) =>
        all.map(({ cell, version, told }) => `${version} ${cell}: ${words(told)}`);
      const expected = cellsOf(server).map(({ cell, version }) => ({
        cell,
        version,
        told: expectedOf(truths[name], cell, version),
      }));
      expect(lines(measured)).toEqual(lines(expected));
    },
    60_000,
  );
});
