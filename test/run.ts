// `npm test`: peers, format and lint, types, tests, synth. With --long or --release, `npm run test:long` or
// `test:release`: peers and the tests that are too long for `npm test`. The last line counts what passed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type Counted, countedIn } from './support/tests-counted.ts';

const scratch = mkdtempSync(join(tmpdir(), 'countersign-test-'));
const report = join(scratch, 'vitest.json');

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
  readonly count?: () => Counted;
  readonly isPreparation?: boolean;
}

const peersStage: Stage = {
  name: 'peers of the tests: openssl, nginx, Apache, HAProxy, Caddy, stunnel, lighttpd, GnuTLS, Java, Go, Tomcat, util-linux, iproute2, strongSwan, smallstep, skopeo, qemu, the AWS CLI',
  command: ['node', 'test/support/install-peers.ts'],
  // A peer that cannot be installed skips its suites and is not a failure.
  isPreparation: true,
};

const longStages: readonly Stage[] = [peersStage, testsStage('long tests', 'long')];

const releaseStages: readonly Stage[] = [peersStage, testsStage('tests of a release', 'release')];

const allStages: readonly Stage[] = [
  peersStage,
  { name: 'format and lint', command: ['biome', 'check', '.'] },
  { name: 'types', command: ['tsc'] },
  { name: 'unused exports and dependencies', command: ['knip'] },
  { name: 'prose: width and plain English', command: ['node', 'tools/prose.ts'] },
  testsStage('tests', '!long', '!release'),
  {
    name: 'synth, with the checks of cdk-nag',
    command: ['cdk', 'synth', '--quiet', '--output', join(scratch, 'cdk.out')],
  },
];

const nothing: Counted = { passed: 0, failed: 0, skipped: new Map(), slowest: [] };
let passed = 0;
let failed = 0;
const skipped = new Map<string, number>();
try {
  const option = process.argv[2];
  for (const stage of option === '--long' ? longStages : option === '--release' ? releaseStages : allStages) {
    console.log(`\n── ${stage.name}`);
    const status = await run(stage.command);
    if (stage.isPreparation) continue;
    const count = stage.count?.() ?? { ...nothing, ...(status === 0 ? { passed: 1 } : { failed: 1 }) };
    passed += count.passed;
    for (const [name, tests] of count.skipped) skipped.set(name, tests);
    if (count.slowest.length > 0) console.log('\nSlowest files:');
    for (const { file, seconds } of count.slowest)
      console.log(`  ${seconds.toFixed(1).padStart(5)} s  ${relative(process.cwd(), file)}`);
    // A runner that fails without a failed test (a file that does not load, an unhandled rejection) is a failure too.
    failed += count.failed === 0 && status !== 0 ? 1 : count.failed;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (skipped.size > 0) console.log('\nSkipped:');
for (const [name, tests] of skipped) console.log(`  ${name}${tests > 1 ? `: ${tests} tests` : ''}`);
const skippedTests = [...skipped.values()].reduce((sum, tests) => sum + tests, 0);
console.log(`\n${passed} passed, ${failed} failed${skippedTests > 0 ? `, ${skippedTests} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;

function testsStage(name: string, ...projects: string[]): Stage {
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
  return {
    name,
    command: ['vitest', 'run', ...projects.flatMap((project) => ['--project', project]), ...reporters],
    count: countTests,
  };
}

function run(command: readonly string[]): Promise<number> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(join('node_modules', '.bin', program), args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', (error) => {
      console.error(`${program} cannot be started (${error.message}); has "npm ci" been run?`);
      resolve(1);
    });
    child.once('close', (status) => resolve(status ?? 1));
  });
}

function countTests(): Counted {
  try {
    return countedIn(readFileSync(report, 'utf8'));
  } catch {
    return { ...nothing, failed: 1 };
  }
}
