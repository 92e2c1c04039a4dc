// ClientRequestToken: the same token with the same value is the same request again, with another value it is refused.
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { errorOf, post, startServer } from '../../support/local-secrets-manager/local-server.ts';

const first = '00000000-0000-4000-8000-000000000001';
const second = '00000000-0000-4000-8000-000000000002';

describe('a request token', () => {
  it('makes creating a secret twice the same as once', async () => {
    const { client } = await startServer();
    const command = { Name: 'a', SecretString: 'S1', ClientRequestToken: first };
    const { $metadata: _, ...once } = await client.send(new CreateSecretCommand(command));
    const { $metadata: __, ...twice } = await client.send(new CreateSecretCommand(command));
    expect(twice).toEqual(once);
    await expect(client.send(new CreateSecretCommand({ ...command, SecretString: 'S2' }))).rejects.toMatchObject({
      name: 'ResourceExistsException',
      message: `You can't use ClientRequestToken ${first} because that value is already in use for a version of secret ${once.ARN}.`,
    });
    await expect(
      client.send(new CreateSecretCommand({ ...command, ClientRequestToken: second })),
    ).rejects.toMatchObject({
      name: 'ResourceExistsException',
      message: 'The operation failed because the secret a already exists.',
    });
  });

  it.each<[string, (client: SecretsManagerClient, value: object, token: string) => Promise<unknown>]>([
    [
      'PutSecretValue',
      (client, value, ClientRequestToken) =>
        client.send(new PutSecretValueCommand({ SecretId: 'a', ...value, ClientRequestToken })),
    ],
    [
      'UpdateSecret',
      (client, value, ClientRequestToken) =>
        client.send(new UpdateSecretCommand({ SecretId: 'a', ...value, ClientRequestToken })),
    ],
  ])('makes %s twice the same as once, also when the labels have moved on', async (_name, write) => {
    const { client } = await startServer();
    const { ARN } = await client.send(
      new CreateSecretCommand({ Name: 'a', SecretString: 'S1', ClientRequestToken: first }),
    );
    await write(client, { SecretString: 'S2' }, second);
    expect(await write(client, { SecretString: 'S1' }, first)).toMatchObject({ VersionId: first });
    expect(await client.send(new GetSecretValueCommand({ SecretId: 'a' }))).toMatchObject({ SecretString: 'S2' });

    for (const value of [{ SecretString: 'S3' }, { SecretBinary: Buffer.from('S2') }]) {
      await expect(write(client, value, second)).rejects.toMatchObject({
        name: 'ResourceExistsException',
        message: `You can't use ClientRequestToken ${second} because that value is already in use for a version of secret ${ARN}.`,
      });
    }
  });

  it('is required without an SDK', async () => {
    const { server, client } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    const bodies = { CreateSecret: { Name: 'b' }, PutSecretValue: { SecretId: 'a' }, UpdateSecret: { SecretId: 'a' } };
    for (const [action, body] of Object.entries(bodies)) {
      const response = await post(server.url, action, { ...body, SecretString: 'S2' });
      expect(await errorOf(response)).toEqual({
        status: 400,
        name: 'InvalidRequestException',
        message: 'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
      });
    }
  });

  it('lets exactly one of many concurrent writers with one token succeed, and all with the same value', async () => {
    const { client } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S0' }));
    const write = (value: string) =>
      client.send(new PutSecretValueCommand({ SecretId: 'a', SecretString: value, ClientRequestToken: first }));
    const same = await Promise.all(Array.from({ length: 10 }, () => write('S1')));
    expect(same.every(({ VersionId }) => VersionId === first)).toBe(true);

    const racing = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        client.send(
          new PutSecretValueCommand({ SecretId: 'a', SecretString: `R${index}`, ClientRequestToken: second }),
        ),
      ),
    );
    expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { Versions } = await client.send(new ListSecretVersionIdsCommand({ SecretId: 'a', IncludeDeprecated: true }));
    expect(Versions).toHaveLength(3);
  });
});
