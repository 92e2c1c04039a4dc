// The short form of `npm run bench:rotation`: every process is real, only nothing of the times is asserted.
import { expect, it } from 'vitest';
import { findingsOf } from '../../../bench/rotation/findings.ts';
import { rotateUnderLoad } from '../../../bench/rotation/rotate-under-load.ts';
import { privateFolder } from '../../support/program.ts';

it('2,000 calls at a concurrency of 20, and three rotations meanwhile, RSA to EC and back', async () => {
  const load = await rotateUnderLoad({
    calls: 2_000,
    callers: 20,
    rotations: 3,
    answerMs: 10,
    ttlSeconds: 1,
    // With the time to live and half a second, what a read may take on a busy machine before the next rotation begins.
    pauseMs: 1_000,
    folder: privateFolder().path,
  });
  const found = findingsOf(load, 1_000);
  expect(found.failed).toEqual([]);
  expect(found.calls).toBeGreaterThanOrEqual(2_000);
  // All four certificates were used, each of them after the one before it.
  expect(new Set(load.calls.map(({ fingerprint256 }) => fingerprint256)).size).toBe(4);
  expect(found.backwards).toBe(0);
  // Past the time to live and the read every call uses the new one: there were such calls, and none with an older.
  expect(found.afterSettling).toBeGreaterThan(100);
  expect(found.behind).toBe(0);
  // Of 20 callers the most each, and those of the rotation function, which tried each of them first.
  expect(found.oldConnections).toBeGreaterThan(3);
  expect(found.stillOpen).toBe(0);
}, 120_000);
