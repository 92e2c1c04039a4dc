// Staging labels: PutSecretValue and UpdateSecretVersionStage move them, ListSecretVersionIds shows them.
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { day, startServer } from '../../support/local-secrets-manager/local-server.ts';

/** The version id of the nth value. */
function version(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

async function put(client: SecretsManagerClient, n: number, VersionStages?: string[]): Promise<string[] | undefined> {
  const answer = await client.send(
    new PutSecretValueCommand({
      SecretId: 'a',
      SecretString: `S${n}`,
      ClientRequestToken: version(n),
      ...(VersionStages ? { VersionStages } : {}),
    }),
  );
  return answer.VersionStages;
}

async function move(client: SecretsManagerClient, VersionStage: string, from?: number, to?: number): Promise<void> {
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId: 'a',
      VersionStage,
      ...(from === undefined ? {} : { RemoveFromVersionId: version(from) }),
      ...(to === undefined ? {} : { MoveToVersionId: version(to) }),
    }),
  );
}

/** n of the value → its labels. */
async function stages(client: SecretsManagerClient, IncludeDeprecated = false): Promise<Record<number, string[]>> {
  const { Versions = [] } = await client.send(new ListSecretVersionIdsCommand({ SecretId: 'a', IncludeDeprecated }));
  return Object.fromEntries(
    Versions.map(({ VersionId = '', VersionStages = [] }) => [Number(VersionId.slice(-12)), VersionStages]),
  );
}

async function startWithOne() {
  const started = await startServer();
  await started.client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1', ClientRequestToken: version(1) }));
  return started;
}

describe('a new value', () => {
  it('becomes current, the one before it previous, and the one before that deprecated', async () => {
    const { client } = await startWithOne();
    expect(await put(client, 2)).toEqual(['AWSCURRENT']);
    expect(await stages(client)).toEqual({ 1: ['AWSPREVIOUS'], 2: ['AWSCURRENT'] });
    await put(client, 3);
    expect(await stages(client)).toEqual({ 2: ['AWSPREVIOUS'], 3: ['AWSCURRENT'] });
    expect(await stages(client, true)).toEqual({ 1: [], 2: ['AWSPREVIOUS'], 3: ['AWSCURRENT'] });
    const old = await client.send(new GetSecretValueCommand({ SecretId: 'a', VersionId: version(1) }));
    expect(old.SecretString).toBe('S1');
    expect(old.VersionStages).toBeUndefined();
  });

  it('takes its labels from the versions that had them, and leaves AWSCURRENT where it is', async () => {
    const { client } = await startWithOne();
    expect(await put(client, 2, ['two', 'one', 'AWSPENDING'])).toEqual(['AWSPENDING', 'one', 'two']);
    expect(await put(client, 3, ['AWSPENDING', 'one'])).toEqual(['AWSPENDING', 'one']);
    expect(await stages(client)).toEqual({ 1: ['AWSCURRENT'], 2: ['two'], 3: ['AWSPENDING', 'one'] });
    const pending = await client.send(new GetSecretValueCommand({ SecretId: 'a', VersionStage: 'AWSPENDING' }));
    expect(pending.SecretString).toBe('S3');
  });

  it('written by many at once leaves one current and one previous version, and loses none', async () => {
    const { client } = await startWithOne();
    await Promise.all(Array.from({ length: 30 }, (_, index) => put(client, index + 2)));
    const all = await stages(client, true);
    expect(Object.keys(all)).toHaveLength(31);
    expect(Object.values(all).flat().sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  });
});

describe('a rotation', () => {
  it('moves AWSCURRENT to the pending version, AWSPREVIOUS follows, and AWSPENDING stays until it is taken off', async () => {
    const { client } = await startWithOne();
    await put(client, 2, ['AWSPENDING']);
    await move(client, 'AWSCURRENT', 1, 2);
    expect(await stages(client)).toEqual({ 1: ['AWSPREVIOUS'], 2: ['AWSCURRENT', 'AWSPENDING'] });
    await move(client, 'AWSPENDING', 2);
    expect(await stages(client)).toEqual({ 1: ['AWSPREVIOUS'], 2: ['AWSCURRENT'] });
  });

  it('can be taken back: the two labels change places', async () => {
    const { client } = await startWithOne();
    await put(client, 2);
    await move(client, 'AWSCURRENT', 2, 1);
    expect(await stages(client)).toEqual({ 1: ['AWSCURRENT'], 2: ['AWSPREVIOUS'] });
  });
});

describe('a label', () => {
  it('is attached where it is not yet, also to a deprecated version', async () => {
    const { client } = await startWithOne();
    await put(client, 2);
    await put(client, 3);
    await move(client, 'KEEP', undefined, 1);
    expect(await stages(client)).toEqual({ 1: ['KEEP'], 2: ['AWSPREVIOUS'], 3: ['AWSCURRENT'] });
    await move(client, 'KEEP', undefined, 1);
    await move(client, 'KEEP', 1, 2);
    expect(await stages(client)).toEqual({ 2: ['AWSPREVIOUS', 'KEEP'], 3: ['AWSCURRENT'] });
  });

  it.each([
    [
      'without naming its holder',
      'AWSCURRENT',
      undefined,
      1,
      /^The parameter RemoveFromVersionId can't be empty\. Staging label AWSCURRENT is currently attached to version .{36}, so you must explicitly reference/,
    ],
    [
      'from another than its holder',
      'AWSCURRENT',
      1,
      1,
      /^When you move staging label AWSCURRENT, if you specify RemoveFromVersionId/,
    ],
    ['from where it is nowhere', 'NOWHERE', 1, 2, /^When you move staging label NOWHERE/],
    [
      'off a version that has it not',
      'AWSPREVIOUS',
      2,
      undefined,
      /^Staging label AWSPREVIOUS is not attached to version/,
    ],
    [
      'off the current version',
      'AWSCURRENT',
      2,
      undefined,
      /^You can only move staging label AWSCURRENT to a different/,
    ],
    ['nowhere', 'AWSPREVIOUS', undefined, undefined, /^You must provide RemoveFromVersionId, MoveToVersionId, or both/],
  ] as const)('is not moved %s', async (_case, stage, from, to, message) => {
    const { client } = await startWithOne();
    await put(client, 2);
    await expect(move(client, stage, from, to)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringMatching(message),
    });
    expect(await stages(client)).toEqual({ 1: ['AWSPREVIOUS'], 2: ['AWSCURRENT'] });
  });

  it('is not moved to a version that is not there', async () => {
    const { client } = await startWithOne();
    await expect(move(client, 'AWSCURRENT', 1, 9)).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for VersionId: ${version(9)}`,
    });
  });

  it('and an id in one request must mean the same version', async () => {
    const { client } = await startWithOne();
    await put(client, 2);
    const read = (VersionStage: string) =>
      client.send(new GetSecretValueCommand({ SecretId: 'a', VersionId: version(1), VersionStage }));
    expect(await read('AWSPREVIOUS')).toMatchObject({ SecretString: 'S1' });
    await expect(read('AWSCURRENT')).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
    });
  });
});

describe('quotas', () => {
  it('a secret has at most 20 labels across its versions', async () => {
    const { client } = await startWithOne();
    const nineteen = Array.from({ length: 19 }, (_, index) => `L${index}`);
    await put(client, 2, nineteen);
    await expect(move(client, 'ONE-MORE', undefined, 2)).rejects.toMatchObject({ name: 'LimitExceededException' });
    await expect(put(client, 3, ['ONE-MORE'])).rejects.toMatchObject({ name: 'LimitExceededException' });
    await put(client, 3, nineteen);
    expect(Object.keys(await stages(client))).toEqual(['1', '3']);
  });

  it('a secret has at most 100 versions, and those of the last day do not make room', async () => {
    const { client, clock } = await startWithOne();
    await put(client, 2, ['KEEP']);
    clock.now += 1000;
    for (let n = 3; n <= 100; n += 1) await put(client, n);
    await expect(put(client, 101)).rejects.toMatchObject({ name: 'LimitExceededException' });
    // A day after the first two, of which the second has a label: the first one alone may go.
    clock.now += day - 1000;
    await put(client, 101);
    await expect(put(client, 102)).rejects.toMatchObject({ name: 'LimitExceededException' });
    const all = await stages(client, true);
    expect(Object.keys(all)).toHaveLength(100);
    expect(all[1]).toBeUndefined();
    expect(all[2]).toEqual(['KEEP']);
    expect(all[101]).toEqual(['AWSCURRENT']);
  });
});
