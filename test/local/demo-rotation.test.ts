// `npm run demo:rotation` as a process: its output as in docs/local-cloud.md, its exit codes, and when it fails.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { painter } from '../../cli/output.ts';
import { type DemoResult, isSuccess, resultLines } from '../../local/demo-rotation/demo.ts';

const root = resolve(import.meta.dirname, '../..');

function start(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-demo-rotation-'));
  const child = spawn(process.execPath, ['local/demo-rotation.ts', ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  return { child, folder, ended, out: text(child.stdout), error: text(child.stderr) };
}

function timeless(printed: string): string {
  return printed
    .replaceAll(/\d{4}-\d\d-\d\d/g, 'date')
    .replaceAll(/SHA-256 [0-9A-F:]+…/g, 'SHA-256 AB…')
    .replaceAll(/ +\d+ ms/g, ' 0 ms')
    .replaceAll(/\d+ → 0$/gm, '1 → 0')
    .replaceAll(/[\d,]+ calls/g, '1 calls');
}

describe('npm run demo:rotation', () => {
  it('ends with 0 and prints the output of the docs page: no call failed', { timeout: 90_000 }, async () => {
    const run = start();
    expect([await run.error, (await run.ended)[0]]).toEqual(['', 0]);
    const out = await run.out;
    const page = readFileSync(join(root, 'docs/local-cloud.md'), 'utf8');
    expect(timeless(page)).toContain(timeless(out.trim()));
    const fingerprints = [...out.matchAll(/SHA-256 ([0-9A-F:]+)…/g)].map((match) => match[1]);
    expect(new Set(fingerprints).size).toBe(2);
    expect(readdirSync(run.folder)).toEqual([]);
  });

  it('ends with 130 after Ctrl-C and leaves no files', { timeout: 60_000 }, async () => {
    const run = start();
    await once(run.child.stdout, 'data');
    run.child.kill('SIGINT');
    expect([(await run.ended)[0], await run.error]).toEqual([130, '']);
    expect(readdirSync(run.folder)).toEqual([]);
  });

  it('has --help and no other option', async () => {
    const help = start('--help');
    expect([(await help.ended)[0], await help.out]).toEqual([
      0,
      expect.stringMatching(/^Usage: npm run demo:rotation/),
    ]);
    const wrong = start('--prot');
    expect([(await wrong.ended)[0], await wrong.out]).toEqual([2, '']);
    expect(await wrong.error).toBe('The only option is --help.\n');
  });
});

describe('the demo fails', () => {
  const good: DemoResult = {
    before: { fingerprint256: 'A', validTo: '2027', stage: 'AWSCURRENT' },
    after: { fingerprint256: 'B', validTo: '2027', stage: 'AWSCURRENT' },
    pinning: { fingerprint256: 'A', validTo: '2027', stage: 'AWSPREVIOUS' },
    open: { before: 3, after: 0 },
    calls: 10,
    failed: 0,
    firstFailure: undefined,
    events: ['Certificate Pending', 'Certificate Rejected', 'Certificate Activated'],
  };
  const hosts = { healthy: 'a', pinning: 'b' };

  it.each<[string, Partial<DemoResult>]>([
    ['one call failed', { failed: 1, firstFailure: 'a: server-certificate-expired' }],
    ['there were no calls', { calls: 0 }],
    ['the certificate is the same', { after: { ...good.after, fingerprint256: 'A' } }],
    ['the new one is not the current one', { after: { ...good.after, stage: 'AWSPREVIOUS' } }],
    ['the customer that pins got another certificate', { pinning: { ...good.pinning, fingerprint256: 'B' } }],
    ['the customer that pins was not served with AWSPREVIOUS', { pinning: { ...good.pinning, stage: 'AWSCURRENT' } }],
    ['a connection with the old certificate stays open', { open: { before: 3, after: 1 } }],
    ['there was no old connection at the start', { open: { before: 0, after: 0 } }],
    ['an event is missing', { events: ['Certificate Pending', 'Certificate Activated'] }],
  ])('when %s', (_case, change) => {
    expect(isSuccess(good)).toBe(true);
    const result = { ...good, ...change };
    expect(isSuccess(result)).toBe(false);
    const lines = resultLines(result, hosts, painter(false)).join('\n');
    expect(lines).toContain('✗');
    if (result.firstFailure) expect(lines).toContain(result.firstFailure);
  });
});
