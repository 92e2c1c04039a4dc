// `npm run bench:rotation`: the effect of rotations on calls in progress.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findingsOf } from './rotation/findings.ts';
import { rotateUnderLoad } from './rotation/rotate-under-load.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '20000' },
    callers: { type: 'string', default: '20' },
    rotations: { type: 'string', default: '10' },
    'answer-ms': { type: 'string', default: '20' },
    'ttl-seconds': { type: 'string', default: '1' },
    'pause-ms': { type: 'string', default: '1000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:rotation -- [--calls 20000] [--callers 20] [--rotations 10] [--answer-ms 20] [--ttl-seconds 1] [--pause-ms 1000]

Calls the invocation function without a pause while its identity is rotated by the rotation function, the local Secrets
Manager and the demo's authority, RSA to EC and back: four processes on loopback. Fails if a call failed or used an old
certificate too late, or if a connection with an old certificate stayed open.`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
try {
  const ttlSeconds = Number(values['ttl-seconds']);
  const load = await rotateUnderLoad({
    calls: Number(values.calls),
    callers: Number(values.callers),
    rotations: Number(values.rotations),
    answerMs: Number(values['answer-ms']),
    ttlSeconds,
    pauseMs: Number(values['pause-ms']),
    folder,
  });
  const found = findingsOf(load, ttlSeconds * 1_000);
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const seconds = load.rotations.map(({ begunAt, switchedAt }) => switchedAt - begunAt);
  console.log(`| ${found.calls} calls by ${values.callers} callers, ${load.rotations.length} rotations | |
| --- | --: |
| failed calls | ${found.failed.length} |
| calls with an old certificate after the switch, the time to live and the read | ${found.late} |
| calls with an old certificate after the next rotation had begun | ${found.behind} |
| calls with an older certificate after an answer with a newer one | ${found.backwards} |
| the last one with an old certificate began, after the switch and the time to live | ${ms(found.latestMs)} |
| connections made with old certificates | ${found.oldConnections} |
| of these, open at the end | ${found.stillOpen} |
| the longest that one was open past its last answer and the change of certificate | ${ms(found.longestOpenMs)} |
| p50, p99 of the ${found.rotating.calls} calls while rotating | ${ms(found.rotating.p50)}, ${ms(found.rotating.p99)} |
| p50, p99 of the ${found.rest.calls} others | ${ms(found.rest.p50)}, ${ms(found.rest.p99)} |
| p99 while rotating, times that of the others (bar: at most 2) | ${(found.rotating.p99 / found.rest.p99).toFixed(2)} |
| RotateSecret to the switch, at most | ${ms(Math.max(...seconds))} |`);
  for (const failure of found.failed.slice(0, 5)) console.error(failure);
  const { late, behind, backwards, stillOpen } = found;
  if ([found.failed.length, late, behind, backwards, stillOpen].some((count) => count > 0)) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
