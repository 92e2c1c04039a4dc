// Killed in the middle of writes, again and again: what was acknowledged is there, whole, and the folder is free.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { clientOf, startServer, temporaryFolder } from '../../support/local-secrets-manager/local-server.ts';

const rounds = 12;
const writers = 4;

async function startProcess(folder: string): Promise<{ child: ChildProcess; line: string }> {
  const script = join(import.meta.dirname, '../../support/local-secrets-manager/server-process.ts');
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, line };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Large, so that a write takes its time, and recognisable. */
function longValue(name: string, n: number): string {
  return `${name} ${n} `.padEnd(20_000, `${n}.`);
}

function tokenOf(n: number): string {
  return String(n).padStart(32, '0');
}

/** Writes one value after the other until the server is gone; returns the number of the last one acknowledged. */
async function hammer(client: SecretsManagerClient, name: string, onWritten: () => void): Promise<number> {
  let acknowledged = -1;
  try {
    const first = { SecretString: longValue(name, 0), ClientRequestToken: tokenOf(0) };
    await client.send(new CreateSecretCommand({ Name: name, ...first }));
    for (let n = 1; ; n += 1) {
      acknowledged = n - 1;
      onWritten();
      const next = { SecretString: longValue(name, n), ClientRequestToken: tokenOf(n) };
      await client.send(new PutSecretValueCommand({ SecretId: name, ...next }));
    }
  } catch {
    return acknowledged;
  }
}

async function expectWhole(client: SecretsManagerClient, name: string, acknowledged: number): Promise<void> {
  const versions = await client
    .send(new ListSecretVersionIdsCommand({ SecretId: name, IncludeDeprecated: true }))
    .then(({ Versions = [] }) => Versions.map(({ VersionId = '' }) => Number(VersionId)).sort((a, b) => a - b))
    .catch(() => []);
  // The write that was under way when the server died can be stored or not; it was not acknowledged.
  expect([acknowledged + 1, acknowledged + 2], name).toContain(versions.length);
  expect(versions).toEqual(versions.map((_, index) => index));
  for (const n of versions) {
    const read = await client.send(new GetSecretValueCommand({ SecretId: name, VersionId: tokenOf(n) }));
    expect(read.SecretString === longValue(name, n), `${name}, value ${n}`).toBe(true);
  }
  if (versions.length === 0) return;
  const current = await client.send(new GetSecretValueCommand({ SecretId: name }));
  expect(Number(current.VersionId)).toBe(versions.at(-1));
}

describe('kill -9', () => {
  it(`takes no acknowledged write away, ${rounds} times in a row`, { timeout: 180_000 }, async () => {
    const folder = temporaryFolder();
    const written: [string, number][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { child, line: url } = await startProcess(folder);
      const client = clientOf(url);
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      for (const [name, last] of written.slice(-writers)) await expectWhole(client, name, last);

      // Somewhere between the first write and the sixtieth, another moment each round.
      let left = 1 + round * 5;
      const names = Array.from({ length: writers }, (_, n) => `round-${round}/writer-${n}`);
      const acknowledged = await Promise.all(
        names.map((name) =>
          hammer(client, name, () => {
            left -= 1;
            if (left === 0) setImmediate(() => child.kill('SIGKILL'));
          }),
        ),
      );
      await kill(child);
      names.forEach((name, n) => {
        written.push([name, acknowledged[n] as number]);
      });
    }
    const { client } = await startServer(folder);
    for (const [name, last] of written) await expectWhole(client, name, last);
    expect(written.reduce((sum, [, last]) => sum + last + 1, 0)).toBeGreaterThan(10 * rounds);
  });

  it('leaves at most a temporary file, which the next start deletes', async () => {
    const { client, server, folder } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    await server.close();
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.json'));
    writeFileSync(join(folder, `${file}.0123456789ab.tmp`), '{"format":1,"name":"a","ar');
    writeFileSync(join(folder, `${'0'.repeat(64)}.json.0123456789ab.tmp`), '');
    const { client: later } = await startServer(folder);
    expect(readdirSync(folder).sort()).toEqual([file, 'lock'].sort());
    expect(await later.send(new GetSecretValueCommand({ SecretId: 'a' }))).toMatchObject({ SecretString: 'S1' });
  });

  it('frees the folder, which no other process can use before', async () => {
    const folder = temporaryFolder();
    const inUse = `The folder ${folder} is in use by another Secrets Manager; stop that one first.`;
    const { child, line } = await startProcess(folder);
    expect(line).toMatch(/^http:/);
    await expect(startSecretsManager({ folder, port: 0 })).rejects.toThrow(inUse);
    // A start that failed must not have loosened the lock of the one that runs.
    await expect(startSecretsManager({ folder, port: 0 })).rejects.toThrow(inUse);
    await kill(child);
    const { server } = await startServer(folder);
    await expect(startSecretsManager({ folder, port: 0 })).rejects.toThrow(inUse);
    const { child: refused, line: words } = await startProcess(folder);
    expect(words).toBe(inUse);
    if (refused.exitCode === null) await once(refused, 'exit');
    expect(refused.exitCode).toBe(1);
    await server.close();
    await startServer(folder);
  });
});
