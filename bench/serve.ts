// `npm run bench:serve`: calls through `countersign serve` beside a bare Node hop, a bare Node client and nginx, taking
// turns.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Api, type Hop, startBare, startNginxHop, startOurs, writeIdentity } from './hops.ts';
import { startPeers } from './peers.ts';
import { median, percentile, printBars } from './run.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench:serve -- [--rounds 7] [--seconds 3] [--connections 32]

Measures calls through "countersign serve", a bare Node program of the same hop and nginx as a proxy, and of a bare Node client
that calls the API itself: to the same nginx that demands a client certificate, on loopback, with 1 and with 2 processes each,
taking turns. Takes about five minutes. Needs nginx.`);
  process.exit(0);
}

interface Round {
  readonly callsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU time of the hop's processes for one call, in microseconds. */
  readonly cpuUs: number;
}

interface LoadFigures {
  readonly latencies: number[];
  readonly failures: number;
  readonly cpuMs?: number;
}

const scratch = mkdtempSync(join(tmpdir(), 'countersign-bench-serve-'));
const peers = await startPeers(scratch);
const target = new URL(peers.url);
const api: Api = { port: Number(target.port), path: target.pathname + target.search };
const files = writeIdentity(join(scratch, 'identities'), peers.document('platform'));
const seconds = Number(values.seconds);

try {
  for (const processes of [1, 2]) await compare(processes);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await peers.close();
  rmSync(scratch, { recursive: true, force: true });
}

async function compare(processes: number): Promise<void> {
  const hops = [
    await startOurs(processes, api, files, scratch),
    await startBare(processes, api, files),
    await startNginxHop(processes, api, files, scratch),
  ];
  const names = [...hops.map(({ name }) => name), 'bare Node client'];
  const loaded = new Map<string, Round[]>(names.map((name) => [name, []]));
  const alone = new Map<string, Round[]>(names.map((name) => [name, []]));
  try {
    // V8 compiles what runs often step by step; a server that serves has long been through it.
    for (const hop of hops) await measureHop(hop, 32, 8);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const hop of hops) {
        loaded.get(hop.name)?.push(await measureHop(hop, Number(values.connections), seconds));
        alone.get(hop.name)?.push(await measureHop(hop, 1, 1));
      }
      loaded.get('bare Node client')?.push(await measureClient(processes, Number(values.connections), seconds));
      alone.get('bare Node client')?.push(await measureClient(1, 1, 1));
    }
  } finally {
    for (const hop of hops) await hop.stop();
  }
  print(processes, names, loaded, alone);
}

async function measureHop(hop: Hop, connections: number, forSeconds: number): Promise<Round> {
  const cpuBefore = hop.cpuMs();
  const args = [hop.port, connections, forSeconds, hop.request.toString('base64')].map(String);
  const load = await run('load.ts', args);
  return roundOf([load], forSeconds, hop.cpuMs() - cpuBefore);
}

/** Its warm-up is in its time: it is a process of its own each round, so a longer one. */
async function measureClient(processes: number, connections: number, forSeconds: number): Promise<Round> {
  const args = [peers.url, Math.ceil(connections / processes), forSeconds, files.folder].map(String);
  const loads = await Promise.all(Array.from({ length: processes }, () => run('serve-direct.ts', args)));
  return roundOf(
    loads,
    forSeconds,
    loads.reduce((sum, { cpuMs = 0 }) => sum + cpuMs, 0),
  );
}

function roundOf(loads: readonly LoadFigures[], forSeconds: number, cpuMs: number): Round {
  const latencies = loads.flatMap((load) => load.latencies);
  const failures = loads.reduce((sum, load) => sum + load.failures, 0);
  if (failures > 0) throw new Error(`${failures} calls failed.`);
  return {
    callsPerSecond: latencies.length / forSeconds,
    p50: median(latencies),
    p99: percentile(latencies, 0.99),
    cpuUs: (cpuMs * 1000) / latencies.length,
  };
}

function run(program: string, args: readonly string[]): Promise<LoadFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'programs', program), args);
    child.once('message', (load) => resolve(load as LoadFigures));
    child.once('exit', (code) => reject(new Error(`${program} ended with code ${code} before it was done.`)));
  });
}

function print(
  processes: number,
  names: readonly string[],
  loaded: Map<string, Round[]>,
  alone: Map<string, Round[]>,
): void {
  const of = (rounds: Map<string, Round[]>, name: string, key: keyof Round) =>
    median(rounds.get(name)?.map((round) => round[key]) ?? []);
  const [ours = '', bare = '', nginx = '', client = ''] = names;
  console.log(
    `\n| ${processes} process${processes > 1 ? 'es' : ''} each | calls a second | p50 | p99 | CPU a call | one at a time, p50 | p99 |`,
  );
  console.log('| --- | --: | --: | --: | --: | --: | --: |');
  for (const name of names) {
    const cells = [
      of(loaded, name, 'callsPerSecond').toFixed(0),
      `${of(loaded, name, 'p50').toFixed(2)} ms`,
      `${of(loaded, name, 'p99').toFixed(2)} ms`,
      `${of(loaded, name, 'cpuUs').toFixed(0)} µs`,
      `${of(alone, name, 'p50').toFixed(2)} ms`,
      `${of(alone, name, 'p99').toFixed(2)} ms`,
    ];
    console.log(`| ${[name, ...cells].join(' | ')} |`);
  }
  const ratio = (other: string, key: keyof Round) => of(loaded, ours, key) / of(loaded, other, key);
  // Of pairs that were measured one after the other: what slows the machine down slows both.
  const paired = median(
    (loaded.get(ours) ?? []).map((round, at) => round.callsPerSecond / (loaded.get(bare)?.[at]?.callsPerSecond ?? 0)),
  );
  printBars([
    [`calls a second, times ${bare}`, paired, 'at least', 0.8],
    [`the same, by CPU a call`, 1 / ratio(bare, 'cpuUs'), 'at least', 0.8],
    [`calls a second, times ${client}`, ratio(client, 'callsPerSecond'), 'at least', 0.8],
    [`calls a second, times ${nginx}`, ratio(nginx, 'callsPerSecond'), 'at least', 0],
  ]);
}
