// CreateSecret, GetSecretValue, PutSecretValue, UpdateSecret, DescribeSecret with the real SDK.
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { day, errorOf, post, startOfTime, startServer } from '../../support/local-secrets-manager/local-server.ts';

const token = '00000000-0000-4000-8000-000000000001';

describe('a secret', () => {
  it('is created with its first version as the current one', async () => {
    const { client } = await startServer();
    const created = await client.send(
      new CreateSecretCommand({
        Name: 'prod/App_1+2=3.4@5-6',
        Description: 'words',
        KmsKeyId: 'alias/k',
        SecretString: 'S1',
        ClientRequestToken: token,
        Tags: [{ Key: 'team', Value: 'egress' }],
      }),
    );
    expect(created.ARN).toMatch(
      /^arn:aws:secretsmanager:us-east-1:000000000000:secret:prod\/App_1\+2=3\.4@5-6-[A-Za-z0-9]{6}$/,
    );
    expect(created.Name).toBe('prod/App_1+2=3.4@5-6');
    expect(created.VersionId).toBe(token);

    const read = await client.send(new GetSecretValueCommand({ SecretId: 'prod/App_1+2=3.4@5-6' }));
    expect(read).toMatchObject({
      ARN: created.ARN,
      VersionId: token,
      SecretString: 'S1',
      VersionStages: ['AWSCURRENT'],
      CreatedDate: new Date(startOfTime),
    });
    expect(read.SecretBinary).toBeUndefined();

    const { $metadata, ...described } = await client.send(
      new DescribeSecretCommand({ SecretId: 'prod/App_1+2=3.4@5-6' }),
    );
    expect($metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(described).toEqual({
      ARN: created.ARN,
      Name: 'prod/App_1+2=3.4@5-6',
      Description: 'words',
      KmsKeyId: 'alias/k',
      Tags: [{ Key: 'team', Value: 'egress' }],
      CreatedDate: new Date(startOfTime),
      LastChangedDate: new Date(startOfTime),
      LastAccessedDate: new Date(Date.UTC(2026, 0, 15)),
      VersionIdsToStages: { [token]: ['AWSCURRENT'] },
    });
  });

  it('may have no value yet, and then takes its first one as the current one whatever its labels', async () => {
    const { client } = await startServer();
    const created = await client.send(new CreateSecretCommand({ Name: 'empty' }));
    expect(created.VersionId).toBeUndefined();
    await expect(client.send(new GetSecretValueCommand({ SecretId: 'empty' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    });
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'empty' }));
    expect(described.VersionIdsToStages).toBeUndefined();
    const put = await client.send(
      new PutSecretValueCommand({ SecretId: 'empty', SecretString: 'S1', VersionStages: ['MINE'] }),
    );
    expect(put.VersionStages).toEqual(['AWSCURRENT', 'MINE']);
  });

  it('keeps bytes and every Unicode text as they were', async () => {
    const { client } = await startServer();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await client.send(new CreateSecretCommand({ Name: 'bytes', SecretBinary: bytes }));
    const binary = await client.send(new GetSecretValueCommand({ SecretId: 'bytes' }));
    expect(Buffer.from(binary.SecretBinary ?? [])).toEqual(Buffer.from(bytes));
    expect(binary.SecretString).toBeUndefined();

    const text = 'é \u0000 \u2028 😀 "\\\n';
    await client.send(new PutSecretValueCommand({ SecretId: 'bytes', SecretString: text }));
    const string = await client.send(new GetSecretValueCommand({ SecretId: 'bytes' }));
    expect(string.SecretString).toBe(text);
    expect(string.SecretBinary).toBeUndefined();
  });

  it('is updated in its description, key and value, each alone or together', async () => {
    const { client, clock } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1', KmsKeyId: 'alias/k' }));
    clock.now += 1000;
    const words = await client.send(new UpdateSecretCommand({ SecretId: 'a', Description: 'new words', KmsKeyId: '' }));
    expect(words.VersionId).toBeUndefined();
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'a' }));
    expect(described).toMatchObject({ Description: 'new words', LastChangedDate: new Date(startOfTime + 1000) });
    expect(described.KmsKeyId).toBeUndefined();

    const value = await client.send(new UpdateSecretCommand({ SecretId: 'a', SecretString: 'S2' }));
    const read = await client.send(new GetSecretValueCommand({ SecretId: 'a' }));
    expect(read).toMatchObject({ SecretString: 'S2', VersionId: value.VersionId });
    const before = await client.send(new GetSecretValueCommand({ SecretId: 'a', VersionStage: 'AWSPREVIOUS' }));
    expect(before.SecretString).toBe('S1');
  });

  it('notes the day of its last reading, for itself and its version', async () => {
    const { client, clock } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    expect((await client.send(new DescribeSecretCommand({ SecretId: 'a' }))).LastAccessedDate).toBeUndefined();
    clock.now += 3 * day;
    await client.send(new GetSecretValueCommand({ SecretId: 'a' }));
    const described = await client.send(new DescribeSecretCommand({ SecretId: 'a' }));
    expect(described.LastAccessedDate).toEqual(new Date(Date.UTC(2026, 0, 18)));
    expect(described.LastChangedDate).toEqual(new Date(startOfTime));
  });

  it('holds up to 65,536 bytes', async () => {
    const { client } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'full', SecretString: 'é'.repeat(32_768) }));
    const read = await client.send(new GetSecretValueCommand({ SecretId: 'full' }));
    expect(read.SecretString).toBe('é'.repeat(32_768));
    await client.send(new PutSecretValueCommand({ SecretId: 'full', SecretBinary: new Uint8Array(65_536) }));
    for (const value of [{ SecretString: `${'é'.repeat(32_768)}.` }, { SecretBinary: new Uint8Array(65_537) }]) {
      await expect(client.send(new PutSecretValueCommand({ SecretId: 'full', ...value }))).rejects.toMatchObject({
        name: 'ValidationException',
        message: expect.stringMatching(
          /'secret(String|Binary)' .* Member must have length less than or equal to 65536$/,
        ),
      });
    }
  });

  it('takes a text or bytes, never both and not neither', async () => {
    const { client, server } = await startServer();
    const both = { SecretString: 'S1', SecretBinary: Uint8Array.of(1) };
    await expect(client.send(new CreateSecretCommand({ Name: 'a', ...both }))).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: "You can't specify both a binary secret value and a string secret value in the same secret.",
    });
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    await expect(client.send(new PutSecretValueCommand({ SecretId: 'a' }))).rejects.toMatchObject({
      name: 'InvalidRequestException',
      message: 'You must provide either SecretString or SecretBinary.',
    });
    const body = { SecretId: 'a', ClientRequestToken: token, SecretBinary: 'not base64!' };
    expect(await errorOf(await post(server.url, 'PutSecretValue', body))).toMatchObject({
      name: 'SerializationException',
    });
  });
});

describe('fields', () => {
  it.each([
    ['CreateSecret', { Name: 'a b', ClientRequestToken: token }, /^Invalid name\. Must be a valid name/],
    ['CreateSecret', { Name: '', ClientRequestToken: token }, /at 'name' .* length greater than or equal to 1$/],
    ['CreateSecret', { Name: 'a'.repeat(513), ClientRequestToken: token }, /at 'name' .* less than or equal to 512$/],
    [
      'CreateSecret',
      { Name: 'a', ClientRequestToken: 'short' },
      /'clientRequestToken' .* greater than or equal to 32$/,
    ],
    ['CreateSecret', { Name: 'a', ClientRequestToken: 'a'.repeat(65) }, /'clientRequestToken' .* equal to 64$/],
    ['CreateSecret', { Name: 'a', ClientRequestToken: token, SecretString: '' }, /'secretString' .* equal to 1$/],
    ['GetSecretValue', {}, /^1 validation error detected: Value null at 'secretId' .* Member must not be null$/],
    ['GetSecretValue', { SecretId: null }, /'secretId' .* Member must not be null$/],
    ['GetSecretValue', { SecretId: 'a:b' }, /^Invalid name/],
    ['GetSecretValue', { SecretId: 'arn:aws:s3:::bucket' }, /^Invalid name/],
    ['GetSecretValue', { SecretId: 'a', VersionId: '1' }, /'versionId' .* greater than or equal to 32$/],
    ['PutSecretValue', { SecretId: 'a', VersionStages: [] }, /'versionStages' .* greater than or equal to 1$/],
    ['PutSecretValue', { SecretId: 'a', VersionStages: Array(21).fill('x') }, /'versionStages' .* equal to 20$/],
    ['PutSecretValue', { SecretId: 'a', VersionStages: ['ok', ''] }, /'versionStages\.2\.member' /],
    ['TagResource', { SecretId: 'a', Tags: [{ Value: 'x' }] }, /'tags\.1\.member\.key' .* not be null$/],
    ['ListSecrets', { MaxResults: 101 }, /'maxResults' .* value less than or equal to 100$/],
    ['ListSecrets', { Filters: [{ Key: 'colour', Values: ['x'] }] }, /'filters\.1\.member\.key' .* enum value set/],
    [
      'ListSecrets',
      { Filters: [{ Key: 'name', Values: ['*'] }] },
      /'filters\.1\.member\.values\.1\.member' .* pattern/,
    ],
    [
      'ListSecrets',
      { SortBy: 'colour', SortOrder: 'up' },
      /^2 validation errors detected: .*'sortOrder'.*; .*'sortBy'/,
    ],
  ])('%s refuses %j', async (action, body, message) => {
    const { server } = await startServer();
    expect(await errorOf(await post(server.url, action, body))).toEqual({
      status: 400,
      name: 'ValidationException',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    ['GetSecretValue', { SecretId: 5 }],
    ['ListSecrets', { MaxResults: 1.5 }],
    ['ListSecrets', { IncludePlannedDeletion: 'yes' }],
    ['TagResource', { SecretId: 'a', Tags: { Key: 'a' } }],
  ])('%s does not take %j for what it is not', async (action, body) => {
    const { server } = await startServer();
    expect(await errorOf(await post(server.url, action, body))).toMatchObject({
      status: 400,
      name: 'SerializationException',
    });
  });

  it('never come back in an error', async () => {
    const { server } = await startServer();
    const secret = 'hunter2';
    const bodies = [
      { Name: 'a', ClientRequestToken: secret },
      { Name: `${secret} `, ClientRequestToken: token },
      { Name: 'a', ClientRequestToken: token, SecretString: [secret] },
      { Name: 'a', ClientRequestToken: token, SecretBinary: secret },
      `{"Name": ${secret}`,
    ];
    for (const body of bodies) {
      const response = await post(server.url, 'CreateSecret', body);
      expect(response.status).toBe(400);
      expect(await response.text()).not.toContain(secret);
    }
  });
});
