// DeleteSecret and RestoreSecret: the recovery window, and deletion without one.
import { readdirSync } from 'node:fs';
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { day, startOfTime, startServer } from '../../support/local-secrets-manager/local-server.ts';

const marked = {
  name: 'InvalidRequestException',
  message: "You can't perform this operation on the secret because it was marked for deletion.",
};

function stateFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.json'));
}

async function startWithOne() {
  const started = await startServer();
  const created = await started.client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
  return { ...started, created };
}

describe('a secret scheduled for deletion', () => {
  it('has 30 days unless told otherwise, and says when', async () => {
    const { client, created } = await startWithOne();
    const deleted = await client.send(new DeleteSecretCommand({ SecretId: 'a' }));
    const date = new Date(startOfTime + 30 * day);
    expect(deleted).toMatchObject({ ARN: created.ARN, Name: 'a', DeletionDate: date });
    expect(await client.send(new DescribeSecretCommand({ SecretId: 'a' }))).toMatchObject({ DeletedDate: date });
  });

  it('is neither read, written nor listed', async () => {
    const { client, created } = await startWithOne();
    await client.send(new DeleteSecretCommand({ SecretId: 'a', RecoveryWindowInDays: 7 }));
    const id = { SecretId: 'a' };
    const refused = [
      client.send(new GetSecretValueCommand(id)),
      client.send(new PutSecretValueCommand({ ...id, SecretString: 'S2' })),
      client.send(new UpdateSecretCommand({ ...id, Description: 'x' })),
      client.send(
        new UpdateSecretVersionStageCommand({ ...id, VersionStage: 'X', MoveToVersionId: created.VersionId ?? '' }),
      ),
      client.send(new TagResourceCommand({ ...id, Tags: [{ Key: 'k', Value: 'v' }] })),
      client.send(new UntagResourceCommand({ ...id, TagKeys: ['k'] })),
    ];
    for (const call of refused) await expect(call).rejects.toMatchObject(marked);
    await expect(client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S2' }))).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: "You can't create this secret because a secret with this name is already scheduled for deletion.",
    });
    await expect(client.send(new DeleteSecretCommand(id))).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: "You tried to perform the operation on a secret that's currently marked deleted.",
    });
    expect((await client.send(new ListSecretVersionIdsCommand(id))).Versions).toHaveLength(1);
    expect((await client.send(new ListSecretsCommand({}))).SecretList).toEqual([]);
    const { SecretList } = await client.send(new ListSecretsCommand({ IncludePlannedDeletion: true }));
    expect(SecretList).toMatchObject([{ Name: 'a', DeletedDate: new Date(startOfTime + 7 * day) }]);
    const batch = await client.send(new BatchGetSecretValueCommand({ SecretIdList: ['a'] }));
    expect(batch.Errors).toMatchObject([{ SecretId: 'a', ErrorCode: marked.name, Message: marked.message }]);
  });

  it('is as before once it is restored; restoring one that is not deleted does nothing', async () => {
    const { client, created } = await startWithOne();
    await client.send(new DeleteSecretCommand({ SecretId: 'a' }));
    expect(await client.send(new RestoreSecretCommand({ SecretId: 'a' }))).toMatchObject({
      ARN: created.ARN,
      Name: 'a',
    });
    await client.send(new RestoreSecretCommand({ SecretId: 'a' }));
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'a' }));
    expect(described.DeletedDate).toBeUndefined();
    expect(await client.send(new GetSecretValueCommand({ SecretId: 'a' }))).toMatchObject({ SecretString: 'S1' });
  });

  it('is gone when the window has closed, from the disk too, and its name is free', async () => {
    const { client, clock, folder, created } = await startWithOne();
    await client.send(new DeleteSecretCommand({ SecretId: 'a', RecoveryWindowInDays: 7 }));
    clock.now += 7 * day - 1;
    await client.send(new DescribeSecretCommand({ SecretId: 'a' }));
    expect(stateFiles(folder)).toHaveLength(1);
    clock.now += 1;
    await expect(client.send(new RestoreSecretCommand({ SecretId: 'a' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret.",
    });
    clock.now += day;
    expect((await client.send(new ListSecretsCommand({ IncludePlannedDeletion: true }))).SecretList).toEqual([]);
    expect(stateFiles(folder)).toEqual([]);
    const again = await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S2' }));
    expect(again.ARN).not.toBe(created.ARN);
  });

  it.each([
    [{ RecoveryWindowInDays: 6 }, 'The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).'],
    [{ RecoveryWindowInDays: 31 }, 'The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).'],
    [
      { RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true },
      "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    ],
  ])('is not made with %j', async (options, message) => {
    const { client } = await startWithOne();
    await expect(client.send(new DeleteSecretCommand({ SecretId: 'a', ...options }))).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message,
    });
    await client.send(new GetSecretValueCommand({ SecretId: 'a' }));
  });
});

describe('deletion without recovery', () => {
  it('takes the secret off the disk at once, scheduled or not, and frees its name', async () => {
    const { client, folder, created } = await startWithOne();
    await client.send(new DeleteSecretCommand({ SecretId: 'a' }));
    const deleted = await client.send(new DeleteSecretCommand({ SecretId: 'a', ForceDeleteWithoutRecovery: true }));
    expect(deleted).toMatchObject({ ARN: created.ARN, Name: 'a', DeletionDate: new Date(startOfTime) });
    expect(stateFiles(folder)).toEqual([]);
    await expect(client.send(new GetSecretValueCommand({ SecretId: 'a' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S2' }));
  });

  it('is no error where there is nothing; an ordinary deletion is', async () => {
    const { client } = await startServer();
    const forced = await client.send(new DeleteSecretCommand({ SecretId: 'none', ForceDeleteWithoutRecovery: true }));
    expect(forced).toMatchObject({ Name: 'none', ARN: expect.stringContaining(':secret:none-') });
    await expect(client.send(new DeleteSecretCommand({ SecretId: 'none' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret.",
    });
  });
});
