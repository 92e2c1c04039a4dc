// The state folder: private, checked before it is used, and never overwritten when it cannot be read.
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateSecretCommand, GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { startServer, temporaryFolder } from '../../support/local-secrets-manager/local-server.ts';

/** A folder with one secret, its server stopped again. */
async function folderWithOne(): Promise<{ folder: string; path: string; text: string }> {
  const { client, server, folder } = await startServer();
  await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'hunter2', Tags: [{ Key: 'k', Value: 'v' }] }));
  await server.close();
  const path = join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) as string);
  return { folder, path, text: readFileSync(path, 'utf8') };
}

const rotation = { isEnabled: true, functionArn: 'arn:x', rules: {}, configuredAt: 0 };

type Json = Record<string, unknown>;

describe('a state file', () => {
  it.each<[string, (text: string) => string]>([
    ['empty', () => ''],
    ['cut off', (text) => text.slice(0, -20)],
    ['not JSON', (text) => text.replace('"hunter2"', 'hunter2')],
    ['of another form', () => '[]'],
    ['of a later format', (text) => text.replace('"format":1', '"format":2')],
    ...['name', 'arn', 'createdAt', 'changedAt', 'versions'].map((field): [string, (text: string) => string] => [
      `without ${field}`,
      (text) => JSON.stringify({ ...JSON.parse(text), [field]: undefined }),
    ]),
    ['with a version that has no value', (text) => text.replace('"string":', '"number":')],
    ['with an invalid time', (text) => text.replace(/"createdAt":\d+/, '"createdAt":"hunter2"')],
    ...[{}, { ...rotation, isEnabled: 'yes' }, { ...rotation, rules: { ScheduleExpression: 'hunter2' } }].map(
      (broken): [string, (text: string) => string] => [
        `with an invalid rotation: ${Object.keys(broken).length} members`,
        (text) => JSON.stringify({ ...JSON.parse(text), rotation: broken }),
      ],
    ),
    ['with another name in it', (text) => text.replace('"name":"a"', '"name":"b"')],
    [
      'with a version twice',
      (text) => {
        const secret = JSON.parse(text) as Json & { versions: Json[] };
        return JSON.stringify({ ...secret, versions: [...secret.versions, { ...secret.versions[0], stages: [] }] });
      },
    ],
    ['with a label twice', (text) => text.replace('["AWSCURRENT"]', '["AWSCURRENT","AWSCURRENT"]')],
  ])('that is %s stops the start, in a sentence without its content, and is kept', async (_case, breakIt) => {
    const { folder, path, text } = await folderWithOne();
    const broken = breakIt(text);
    expect(broken).not.toBe(text);
    writeFileSync(path, broken);
    const leftover = `${path}.abc123.tmp`;
    writeFileSync(leftover, '{');
    const message = await startSecretsManager({ folder, port: 0 }).then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(message).toMatch(/^The state file .*\.json cannot be used \([^)]+\); restore it or move it away\. Nothing/);
    expect(message).not.toContain('hunter2');
    expect(readFileSync(path, 'utf8')).toBe(broken);
    expect(readdirSync(folder)).toContain(leftover.slice(folder.length + 1));
    // Repaired, it serves again: the failed start holds no lock.
    writeFileSync(path, text);
    const { client } = await startServer(folder);
    expect(await client.send(new GetSecretValueCommand({ SecretId: 'a' }))).toMatchObject({ SecretString: 'hunter2' });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('and its folder are private, also when they were not', async () => {
    const { folder, path } = await folderWithOne();
    chmodSync(folder, 0o755);
    chmodSync(path, 0o644);
    const { client } = await startServer(folder);
    await client.send(new CreateSecretCommand({ Name: 'b', SecretString: 'S1' }));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
  });

  it('of another program in the folder is left unchanged', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'notes.json'), 'mine');
    const { server } = await startServer(folder);
    await server.close();
    expect(readFileSync(join(folder, 'notes.json'), 'utf8')).toBe('mine');
  });
});

describe('a folder', () => {
  it('is made with its parents, and holds everything after a restart', async () => {
    const folder = join(temporaryFolder(), 'state', 'secrets');
    const first = await startServer(folder);
    await first.client.send(new CreateSecretCommand({ Name: 'a/b', SecretString: 'S1' }));
    await first.client.send(new PutSecretValueCommand({ SecretId: 'a/b', SecretBinary: Buffer.from('S2') }));
    await first.server.close();
    const { client } = await startServer(folder);
    const read = await client.send(new GetSecretValueCommand({ SecretId: 'a/b' }));
    expect(Buffer.from(read.SecretBinary ?? []).toString()).toBe('S2');
    const previous = await client.send(new GetSecretValueCommand({ SecretId: 'a/b', VersionStage: 'AWSPREVIOUS' }));
    expect(previous.SecretString).toBe('S1');
  });

  it('that is a file is refused', async () => {
    const path = join(temporaryFolder(), 'file');
    writeFileSync(path, '');
    for (const folder of [path, join(path, 'below')]) {
      await expect(startSecretsManager({ folder, port: 0 })).rejects.toThrow(
        /^The folder .* cannot be used for secrets \(E[A-Z]+\)\.$/,
      );
    }
  });

  it.each([
    ['a folder', (lock: string) => mkdirSync(lock)],
    ['a file of something else', (lock: string) => writeFileSync(lock, 'hunter2'.repeat(1000))],
  ])('whose lock is %s is refused', async (_what, make) => {
    const folder = temporaryFolder();
    const lock = join(folder, 'lock');
    make(lock);
    await expect(startSecretsManager({ folder, port: 0 })).rejects.toThrow(
      `The file ${lock} is not a lock: delete it.`,
    );
  });

  it('that cannot be written to makes writes fail, while reads go on with what was acknowledged', async () => {
    const { client, folder } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    const path = join(folder, readdirSync(folder).find((name) => name.endsWith('.json')) as string);
    // A folder in the file's place cannot be replaced by a file, by any user.
    rmSync(path);
    mkdirSync(join(path, 'in-the-way'), { recursive: true });
    await expect(client.send(new PutSecretValueCommand({ SecretId: 'a', SecretString: 'S2' }))).rejects.toMatchObject({
      name: 'InternalServiceError',
      message: expect.stringMatching(/^The state could not be written \(E/),
    });
    expect(await client.send(new GetSecretValueCommand({ SecretId: 'a' }))).toMatchObject({ SecretString: 'S1' });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
