// `npm run bench`: one table from one run; every figure beside the bare call of the same minute.
import { fork } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type Bundle, bundle, type Program, plainScript, programs } from './bundles.ts';
import { type Peers, startPeers } from './peers.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000' },
    'cold-starts': { type: 'string', default: '21' },
    identities: { type: 'string', default: '10000' },
    'discard-lines': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench -- [--calls 10000] [--cold-starts 21] [--identities 10000] [--discard-lines]

Measures Countersign's handler beside a bare node:https call, what tutorials do, and the popular libraries,
against nginx and the local Secrets Manager on loopback. Takes about four minutes. Needs nginx.
--discard-lines sends the lines of the functions nowhere, to see what writing them costs.`);
  process.exit(0);
}

const sdkSettings = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
};

const rivals = ['bare', 'tutorial', 'popular'] as const;

interface WarmPair {
  /** Milliseconds of each call. */
  readonly ms: Readonly<Record<string, number[]>>;
  /** Countersign's connections by kind. */
  readonly connections: Readonly<Record<string, number>>;
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
const lines = openSync(values['discard-lines'] ? '/dev/null' : join(folder, 'lines'), 'a', 0o600);
let peers: Peers | undefined;
try {
  const bundles = Object.fromEntries(
    await Promise.all(
      ([...programs, 'sdk', 'sdkTrimmed'] as const).map(async (name) => [name, await bundle(name, folder)] as const),
    ),
  ) as Record<Program | 'sdk' | 'sdkTrimmed', Bundle>;
  peers = await startPeers(folder);
  const secrets = new SecretsManagerClient({ endpoint: peers.secretsUrl, ...sdkSettings });
  const store = (name: string, document: string) =>
    secrets.send(new CreateSecretCommand({ Name: `countersign/identities/${name}`, SecretString: document }));
  await store('platform', peers.document('platform'));

  const script = await plainScript('callers', folder);
  // Two at a time, in a process of their own: four in one process would share V8's profile of Node's HTTP client and
  // each other's garbage, as no two functions on Lambda do.
  const warm: Record<string, WarmPair> = {};
  for (const name of rivals) {
    const slow = name === 'tutorial' ? 10 : 1;
    const rounds = Number(values.calls) / slow;
    console.log(`Warm: ${rounds} calls of ${name} and of countersign, taking turns …`);
    const pair = [name, 'countersign'] as const;
    const args = [`${5_000 / slow}`, `${rounds}`, peers.url, ...pair.map((one) => `${one}=${bundles[one].path}`)];
    warm[name] = await child<WarmPair>(script, ['warm', ...args], peers);
  }
  console.log(`Cold: ${values['cold-starts']} processes of each program, taking turns …`);
  const cold: Record<Program, number[]> = { bare: [], countersign: [], tutorial: [], popular: [] };
  for (let round = 0; round < Number(values['cold-starts']); round++) {
    for (const name of programs)
      cold[name].push(await child<number>(script, ['cold', bundles[name].path, peers.url], peers));
  }
  console.log(`Many identities: storing ${values.identities}, then ${values.calls} calls with one and with all …`);
  for (let n = 0; n < Number(values.identities); n++) await store(`identity-${n}`, peers.document(`identity-${n}`));
  const many = await child<{ one: number[]; all: number[]; bytesEach: number }>(
    script,
    ['identities', bundles.countersign.path, peers.url, values.identities, values.calls],
    peers,
  );

  printWarm(
    rivals.map((name) => ({ name, theirs: warm[name]?.ms[name] ?? [], ours: warm[name]?.ms.countersign ?? [] })),
  );
  printCold(
    programs.map((name) => ({ name, coldMs: cold[name], bytes: bundles[name].bytes })),
    { plain: bundles.sdk.bytes, trimmed: bundles.sdkTrimmed.bytes },
  );
  const p50 = (rival: Program, of: Program) => median(warm[rival]?.ms[of] ?? []);
  printBars([
    ['warm, times bare', p50('bare', 'countersign') / p50('bare', 'bare'), 'at most', 1.15],
    ['tutorial, times ours', p50('tutorial', 'tutorial') / p50('tutorial', 'countersign'), 'at least', 10],
    ['popular, times ours', p50('popular', 'popular') / p50('popular', 'countersign'), 'at least', 1.8],
    ['cold, times popular', median(cold.countersign) / median(cold.popular), 'at most', 0.75],
    ['bundle, KB beyond the SDK alone', (bundles.countersign.bytes - bundles.sdk.bytes) / 1000, 'at most', 60],
    [
      'the same, the SDK alone trimmed as ours',
      (bundles.countersign.bytes - bundles.sdkTrimmed.bytes) / 1000,
      'at most',
      60,
    ],
    [`full handshakes in ${Number(values.calls) + 5_000} calls`, warm.bare?.connections.new ?? 0, 'at most', 1],
    [
      `p50 with ${values.identities} identities, times that with one`,
      median(many.all) / median(many.one),
      'at most',
      1.2,
    ],
  ]);
  console.log(`\nMemory: ${(many.bytesEach / 1000).toFixed(0)} KB for each identity in use, its connection included.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await peers?.close();
  rmSync(folder, { recursive: true, force: true });
}

/**
 * The lines of the functions go to a file: a pipe's reader would be a third process on two cores. The outcome comes as
 * a message.
 */
function child<Outcome>(file: string, args: readonly string[], { secretsUrl }: Peers): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const running = fork(file, args, {
      stdio: ['ignore', lines, 'inherit', 'ipc'],
      env: {
        PATH: process.env.PATH,
        AWS_REGION: sdkSettings.region,
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsUrl,
      },
    });
    running.once('message', (outcome) => resolve(outcome as Outcome));
    running.once('exit', (code) => reject(new Error(`${file} ended with code ${code} before it was done.`)));
    running.once('error', reject);
  });
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Milliseconds of each call; both lists come from one process in which the calls took turns. */
export interface WarmRow {
  readonly name: string;
  readonly theirs: readonly number[];
  readonly ours: readonly number[];
}

export function printWarm(rows: readonly WarmRow[]): void {
  console.log('\n| warm, beside | its p50 | ours | ours / its | its p99 | ours | ours / its |');
  console.log('| --- | --: | --: | --: | --: | --: | --: |');
  for (const { name, theirs, ours } of rows) {
    const cells = [0.5, 0.99].flatMap((share) => {
      const [its, our] = [percentile(theirs, share), percentile(ours, share)];
      return [`${its.toFixed(3)} ms`, `${our.toFixed(3)} ms`, (our / its).toFixed(2)];
    });
    console.log(`| ${[name, ...cells].join(' | ')} |`);
  }
}

export interface ColdRow {
  readonly name: string;
  /** Milliseconds of each process. */
  readonly coldMs: readonly number[];
  readonly bytes: number;
}

export function printCold(
  rows: readonly ColdRow[],
  sdkBytes: { readonly plain: number; readonly trimmed: number },
): void {
  const first = rows[0];
  if (!first) return;
  console.log('\n| cold | p50 | ratio | p99 | ratio | bundle |\n| --- | --: | --: | --: | --: | --: |');
  for (const { name, coldMs, bytes } of rows) {
    const cells = [0.5, 0.99].flatMap((share) => {
      const ms = percentile(coldMs, share);
      return [`${ms.toFixed(0)} ms`, (ms / percentile(first.coldMs, share)).toFixed(2)];
    });
    console.log(`| ${[name, ...cells, kilobytes(bytes)].join(' | ')} |`);
  }
  const { plain, trimmed } = sdkBytes;
  console.log(`\nThe SDK alone: ${kilobytes(plain)}; with the replacements of infra/bundle/: ${kilobytes(trimmed)}.`);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(0)} KB`;
}

export type Bar = readonly [name: string, reached: number, relation: 'at most' | 'at least', bar: number];

export function printBars(bars: readonly Bar[]): void {
  console.log('\n| bar | asked | reached | |\n| --- | --: | --: | --- |');
  for (const [name, reached, relation, bar] of bars) {
    const isMet = relation === 'at most' ? reached <= bar : reached >= bar;
    console.log(`| ${name} | ${relation} ${bar} | ${reached.toFixed(2)} | ${isMet ? 'yes' : 'no'} |`);
  }
}
