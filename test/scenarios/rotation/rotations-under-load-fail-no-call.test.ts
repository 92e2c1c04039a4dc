// A short `npm run bench:rotation`, without assertions about times.
import { expect, it } from 'vitest';
import { findingsOf } from '../../../bench/rotation/findings.ts';
import { rotateUnderLoad } from '../../../bench/rotation/rotate-under-load.ts';
import { privateFolder } from '../../support/program.ts';

it('2,000 calls by 20 callers succeed during three rotations, RSA to EC and back', async () => {
  const load = await rotateUnderLoad({
    calls: 2_000,
    callers: 20,
    rotations: 3,
    answerMs: 10,
    ttlSeconds: 1,
    // Time for a read on a busy machine before the next rotation begins.
    pauseMs: 1_000,
    folder: privateFolder().path,
  });
  const found = findingsOf(load, 1_000);
  expect(found.failed).toEqual([]);
  expect(found.calls).toBeGreaterThanOrEqual(2_000);
  // All four certificates were used, in order.
  expect(new Set(load.calls.map(({ fingerprint256 }) => fingerprint256)).size).toBe(4);
  expect(found.backwards).toBe(0);
  // After the time to live and the read, every call uses the new certificate.
  expect(found.afterSettling).toBeGreaterThan(100);
  expect(found.behind).toBe(0);
  // At least those of the rotation function, which tested each certificate.
  expect(found.oldConnections).toBeGreaterThan(3);
  expect(found.stillOpen).toBe(0);
}, 120_000);
