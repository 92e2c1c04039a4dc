// `npm run bench`: one table from one run; every figure beside the bare call of the same minute.
import { fork } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type Bundle, bundle, type Program, plainScript, programs } from './bundles.ts';
import { type Peers, startPeers } from './peers.ts';
import { median, percentile, printBars, printTable, type Row } from './table.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000' },
    'cold-starts': { type: 'string', default: '21' },
    identities: { type: 'string', default: '10000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(`npm run bench -- [--calls 10000] [--cold-starts 21] [--identities 10000]

Measures Countersign's handler beside a bare node:https call, what tutorials do, and the popular libraries,
against nginx and the local Secrets Manager on loopback. Takes about five minutes. Needs nginx.`);
  process.exit(0);
}

const sdkSettings = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
};

const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
const lines = openSync(join(folder, 'lines'), 'a', 0o600);
let peers: Peers | undefined;
try {
  const bundles = Object.fromEntries(
    await Promise.all(([...programs, 'sdk'] as const).map(async (name) => [name, await bundle(name, folder)] as const)),
  ) as Record<Program | 'sdk', Bundle>;
  peers = await startPeers(folder);
  const secrets = new SecretsManagerClient({ endpoint: peers.secretsUrl, ...sdkSettings });
  const store = (name: string, document: string) =>
    secrets.send(new CreateSecretCommand({ Name: `countersign/identities/${name}`, SecretString: document }));
  await store('platform', peers.document('platform'));

  const [warmScript, coldScript, manyScript] = await Promise.all(
    ['warm', 'cold', 'many-identities'].map((name) => plainScript(name, folder)),
  );
  console.log(`Warm: ${values.calls} calls of each program, taking turns …`);
  const warm = await child<{ ms: Record<Program, number[]>; connections: Record<string, number> }>(
    warmScript,
    [values.calls, peers.url, ...programs.map((name) => `${name}=${bundles[name].path}`)],
    peers,
  );
  console.log(`Cold: ${values['cold-starts']} processes of each program, taking turns …`);
  const cold: Record<Program, number[]> = { bare: [], countersign: [], tutorial: [], popular: [] };
  for (let round = 0; round < Number(values['cold-starts']); round++) {
    for (const name of programs)
      cold[name].push(await child<number>(coldScript, [bundles[name].path, peers.url], peers));
  }
  console.log(`Many identities: storing ${values.identities}, then ${values.calls} calls with one and with all …`);
  for (let n = 0; n < Number(values.identities); n++) await store(`identity-${n}`, peers.document(`identity-${n}`));
  const many = await child<{ one: number[]; all: number[]; bytesEach: number }>(
    manyScript,
    [bundles.countersign.path, peers.url, values.identities, values.calls],
    peers,
  );

  const rows: Row[] = programs.map((name) => ({
    name,
    warmP50: median(warm.ms[name]),
    warmP99: percentile(warm.ms[name], 0.99),
    coldP50: median(cold[name]),
    bytes: bundles[name].bytes,
  }));
  printTable(rows, bundles.sdk.bytes);
  const of = (name: Program) => rows.find((row) => row.name === name) as Row;
  const ours = of('countersign');
  printBars([
    ['warm, times bare', ours.warmP50 / of('bare').warmP50, 'at most', 1.15],
    ['tutorial, times ours', of('tutorial').warmP50 / ours.warmP50, 'at least', 10],
    ['popular, times ours', of('popular').warmP50 / ours.warmP50, 'at least', 1.8],
    ['cold, times popular', ours.coldP50 / of('popular').coldP50, 'at most', 0.75],
    ['bundle, KB beyond the SDK alone', (ours.bytes - bundles.sdk.bytes) / 1000, 'at most', 60],
    [`full handshakes in ${Number(values.calls) + 5_000} calls`, warm.connections.new ?? 0, 'at most', 1],
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

/** The lines of the functions go to a file: a pipe's reader would be a third process on two cores. The outcome comes as a message. */
function child<Outcome>(file = '', args: readonly string[], { secretsUrl }: Peers): Promise<Outcome> {
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
