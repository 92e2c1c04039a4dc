// `npm run bench:kills`: what is lost when workers of `countersign serve` are killed under load.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killUnderLoad } from './kills/kill-under-load.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '30000' },
    callers: { type: 'string', default: '50' },
    workers: { type: 'string', default: '12' },
    'kill-ms': { type: 'string', default: '2500' },
    'restart-ms': { type: 'string', default: '1000' },
    'replace-ms': { type: 'string', default: '500' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:kills -- [--calls 30000] [--callers 50] [--workers 12] [--kill-ms 2500] [--restart-ms 1000] [--replace-ms 500]

Calls an API through "countersign serve" without a pause while a worker is killed (SIGKILL) every 2.5 s, the API restarts every
second and an identity is replaced every half second. Half of the calls are POST. Fails if an answer belongs to another call or
identity, if a POST was processed twice, if a call was lost outside a killed worker, or if a kill lost 5 calls
on average. Needs nginx and /proc.`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-kills-'));
try {
  const found = await killUnderLoad({
    calls: Number(values.calls),
    callers: Number(values.callers),
    workers: Number(values.workers),
    killEveryMs: Number(values['kill-ms']),
    restartEveryMs: Number(values['restart-ms']),
    replaceEveryMs: Number(values['replace-ms']),
    folder,
  });
  const { kills, failed } = found;
  const perKill = kills.length === 0 ? 0 : found.lost / kills.length;
  console.log(`| ${found.calls} calls by ${values.callers} callers, ${values.workers} workers, ${found.seconds.toFixed(1)} s | |
| --- | --: |
| kills, restarts of the API, replaced identities | ${kills.length}, ${found.restarts}, ${found.replacements} |
| answers of another call or identity | ${found.crossed} |
| POST processed twice | ${found.twice} |
| lost calls | ${found.lost} |
| of these, not in a killed worker | ${found.lostElsewhere} |
| lost calls for each kill | ${perKill.toFixed(1)} (${kills.map(({ lost }) => lost).join(', ')}) |
| calls that failed with a problem | ${JSON.stringify(failed)} |
| memory of all processes of serve | ${(found.residentBytes / 1e6).toFixed(0)} MB |`);
  if (found.crossed + found.twice + found.lostElsewhere > 0 || perKill >= 5) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
