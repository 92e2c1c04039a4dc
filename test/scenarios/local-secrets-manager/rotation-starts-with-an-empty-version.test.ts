// RotateSecret's own part: the AWSPENDING version without a value, what fills it, how it is described, and what is
// refused.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BatchGetSecretValueCommand,
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  type RotateSecretCommandInput,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { post, startServer } from '../../support/local-secrets-manager/local-server.ts';

const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
/** A function that does nothing: the steps are the test's to take. */
const rotationFunctions = (arn: string) => (arn === functionArn ? async () => {} : undefined);
const SecretId = 'bot';

async function rotating(client: SecretsManagerClient, more: Partial<RotateSecretCommandInput> = {}) {
  const { VersionId: first } = await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'first' }));
  const { VersionId: second } = await client.send(
    new RotateSecretCommand({
      SecretId,
      RotationLambdaARN: functionArn,
      RotationRules: { AutomaticallyAfterDays: 30 },
      ...more,
    }),
  );
  return { first: first as string, second: second as string };
}

describe('RotateSecret', () => {
  it('makes an AWSPENDING version that cannot be read, and answers with its id', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    const { first, second } = await rotating(client);
    const stages = { [first]: ['AWSCURRENT'], [second]: ['AWSPENDING'] };
    const told = { RotationEnabled: true, RotationLambdaARN: functionArn };
    expect(await client.send(new DescribeSecretCommand({ SecretId }))).toMatchObject({
      ...told,
      RotationRules: { AutomaticallyAfterDays: 30 },
      VersionIdsToStages: stages,
    });
    const { SecretList } = await client.send(new ListSecretsCommand({}));
    expect(SecretList).toMatchObject([{ ...told, SecretVersionsToStages: stages }]);
    const { Versions } = await client.send(new ListSecretVersionIdsCommand({ SecretId }));
    expect(Versions?.map(({ VersionId }) => VersionId).sort()).toEqual([first, second].sort());

    const refusals: [object, string][] = [
      [{ VersionStage: 'AWSPENDING' }, 'staging label: AWSPENDING'],
      [{ VersionId: second }, `VersionId: ${second}`],
      [{ VersionId: second, VersionStage: 'AWSPENDING' }, `VersionId: ${second}`],
    ];
    for (const [which, words] of refusals) {
      await expect(client.send(new GetSecretValueCommand({ SecretId, ...which }))).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
        message: `Secrets Manager can't find the specified secret value for ${words}`,
      });
    }
    expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ SecretString: 'first' });
  });

  it('of which PutSecretValue with its id makes a whole one, once', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    const { first, second } = await rotating(client);
    const put = { SecretId, ClientRequestToken: second, VersionStages: ['AWSPENDING'] };
    for (const _ of ['the first time', 'again']) {
      expect(await client.send(new PutSecretValueCommand({ ...put, SecretString: 'second' }))).toMatchObject({
        VersionId: second,
        VersionStages: ['AWSPENDING'],
      });
    }
    await expect(client.send(new PutSecretValueCommand({ ...put, SecretString: 'other' }))).rejects.toMatchObject({
      name: 'ResourceExistsException',
    });
    const pending = await client.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSPENDING' }));
    expect(pending).toMatchObject({ VersionId: second, SecretString: 'second' });

    const move = { SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId: second, RemoveFromVersionId: first };
    await client.send(new UpdateSecretVersionStageCommand(move));
    await client.send(
      new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSPENDING', RemoveFromVersionId: second }),
    );
    const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId }));
    expect(VersionIdsToStages).toEqual({ [first]: ['AWSPREVIOUS'], [second]: ['AWSCURRENT'] });
  });

  it('of a secret that has no value yet makes no current one before the rotation says so', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    await client.send(new CreateSecretCommand({ Name: SecretId }));
    const { VersionId = '' } = await client.send(new RotateSecretCommand({ SecretId, RotationLambdaARN: functionArn }));
    await client.send(
      new PutSecretValueCommand({
        SecretId,
        ClientRequestToken: VersionId,
        SecretString: 'first',
        VersionStages: ['AWSPENDING'],
      }),
    );
    const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId }));
    expect(VersionIdsToStages).toEqual({ [VersionId]: ['AWSPENDING'] });
  });

  it('is kept: a version without a value, and what is rotated with what', async () => {
    const { client, server, folder } = await startServer(undefined, undefined, { rotationFunctions });
    const { second } = await rotating(client);
    await client.send(new CancelRotateSecretCommand({ SecretId }));
    const before = await client.send(new DescribeSecretCommand({ SecretId }));
    await server.close();
    const { client: after } = await startServer(folder, undefined, { rotationFunctions });
    const { $metadata: _, ...described } = await after.send(new DescribeSecretCommand({ SecretId }));
    expect(before).toMatchObject(described);
    expect(described.VersionIdsToStages).toMatchObject({ [second]: ['AWSPENDING'] });
    await expect(after.send(new GetSecretValueCommand({ SecretId, VersionId: second }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.json'));
    expect(JSON.parse(readFileSync(join(folder, file), 'utf8')).versions[1]).not.toHaveProperty('value');
  });

  it('lets the others of a batch be read', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    await client.send(new CreateSecretCommand({ Name: 'empty' }));
    await client.send(new RotateSecretCommand({ SecretId: 'empty', RotationLambdaARN: functionArn }));
    await client.send(new CreateSecretCommand({ Name: 'whole', SecretString: 'v' }));
    const answer = await client.send(new BatchGetSecretValueCommand({ SecretIdList: ['empty', 'whole'] }));
    expect(answer.SecretValues).toMatchObject([{ Name: 'whole' }]);
    expect(answer.Errors).toMatchObject([{ SecretId: 'empty', ErrorCode: 'ResourceNotFoundException' }]);
  });

  it('with the token of a version that exists is the same request again', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    const ClientRequestToken = randomUUID();
    const { second } = await rotating(client, { ClientRequestToken });
    expect(second).toBe(ClientRequestToken);
    expect(await client.send(new RotateSecretCommand({ SecretId, ClientRequestToken }))).toMatchObject({
      VersionId: ClientRequestToken,
    });
  });
});

describe('RotateSecret is refused', () => {
  const incomplete = "A previous rotation isn't complete. That rotation will be reattempted.";

  it('while the one before is not complete', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    const { second } = await rotating(client);
    await expect(client.send(new RotateSecretCommand({ SecretId }))).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: incomplete,
    });
    await client.send(
      new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSPENDING', RemoveFromVersionId: second }),
    );
    await expect(client.send(new RotateSecretCommand({ SecretId }))).resolves.toMatchObject({ Name: SecretId });
  });

  it('without a function, with one that is not there, and for a secret that is not there or deleted', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    const rotate = (input: Partial<RotateSecretCommandInput>) =>
      client.send(new RotateSecretCommand({ SecretId, ...input }));
    await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'v' }));
    await expect(rotate({})).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: 'No Lambda rotation function ARN is associated with this secret.',
    });
    await expect(rotate({ RotationLambdaARN: `${functionArn}-of-another` })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await expect(rotate({ SecretId: 'none', RotationLambdaARN: functionArn })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const described = await client.send(new DescribeSecretCommand({ SecretId }));
    expect(described).not.toHaveProperty('RotationEnabled');
    expect(Object.values(described.VersionIdsToStages ?? {})).toEqual([['AWSCURRENT']]);
    await client.send(new DeleteSecretCommand({ SecretId }));
    await expect(rotate({ RotationLambdaARN: functionArn })).rejects.toMatchObject({ name: 'InvalidRequestException' });
  });

  it.each<[string, object, string]>([
    ['days that are no number', { RotationRules: { AutomaticallyAfterDays: '30' } }, 'SerializationException'],
    ['0 days', { RotationRules: { AutomaticallyAfterDays: 0 } }, 'ValidationException'],
    ['more than 1000 days', { RotationRules: { AutomaticallyAfterDays: 1001 } }, 'ValidationException'],
    ['a window of minutes', { RotationRules: { Duration: '30m' } }, 'ValidationException'],
    ['a token that is too short', { ClientRequestToken: 'short' }, 'ValidationException'],
    ['no token', { ClientRequestToken: undefined }, 'InvalidRequestException'],
  ])('with %s', async (_case, input, name) => {
    const { client, server } = await startServer(undefined, undefined, { rotationFunctions });
    await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'v' }));
    const body = { SecretId, RotationLambdaARN: functionArn, ClientRequestToken: randomUUID(), ...input };
    const response = await post(server.url, 'RotateSecret', body);
    expect(response.status).toBe(400);
    expect(response.headers.get('x-amzn-errortype')).toBe(name);
  });
});

describe('CancelRotateSecret', () => {
  it('turns rotation off, names the version that was begun, and leaves it; RotateSecret turns it on again', async () => {
    const { client } = await startServer(undefined, undefined, { rotationFunctions });
    await rotating(client);
    expect(await client.send(new CancelRotateSecretCommand({ SecretId }))).toMatchObject({ Name: SecretId });
    const { RotationEnabled, RotationLambdaARN, NextRotationDate } = await client.send(
      new DescribeSecretCommand({ SecretId }),
    );
    expect({ RotationEnabled, RotationLambdaARN, NextRotationDate }).toEqual({
      RotationEnabled: false,
      RotationLambdaARN: functionArn,
      NextRotationDate: undefined,
    });
  });

  it('of a secret that was never set up to rotate is refused', async () => {
    const { client } = await startServer();
    await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'v' }));
    await expect(client.send(new CancelRotateSecretCommand({ SecretId }))).rejects.toMatchObject({
      name: 'InvalidRequestException',
    });
  });
});
