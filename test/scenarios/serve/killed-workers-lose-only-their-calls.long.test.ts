// A short `npm run bench:kills`.
import { expect, it } from 'vitest';
import { killUnderLoad } from '../../../bench/kills/kill-under-load.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { canListWorkers } from '../../support/serve/serving.ts';

it.skipIf(!findPeer('nginx') || !canListWorkers)(
  '2,000 calls during kills, restarts and replaced identities: lost only in killed workers (needs nginx and /proc)',
  { timeout: 300_000 },
  async () => {
    const found = await killUnderLoad({
      calls: 2_000,
      callers: 50,
      workers: 4,
      killEveryMs: 1_500,
      restartEveryMs: 1_000,
      replaceEveryMs: 500,
      folder: privateFolder().path,
    });
    expect(found).toMatchObject({ calls: 2_000, crossed: 0, twice: 0, lostElsewhere: 0 });
    expect(found.kills.length).toBeGreaterThan(0);
    // Each caller has one call in flight.
    for (const { lost } of found.kills) expect(lost).toBeLessThanOrEqual(50);
    expect(found.answered).toBeGreaterThan(1_000);
  },
);
