// ListSecrets, ListSecretVersionIds and BatchGetSecretValue: filters, order, pages.
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  type Filter,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  paginateListSecrets,
  paginateListSecretVersionIds,
  type SecretsManagerClient,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { day, startServer } from '../../support/local-secrets-manager/local-server.ts';

async function create(client: SecretsManagerClient, Name: string, more: object = {}): Promise<void> {
  await client.send(new CreateSecretCommand({ Name, SecretString: `value of ${Name}`, ...more }));
}

async function listed(client: SecretsManagerClient, options: object = {}): Promise<(string | undefined)[]> {
  const { SecretList = [] } = await client.send(new ListSecretsCommand(options));
  return SecretList.map(({ Name }) => Name);
}

describe('a list of secrets', () => {
  it('comes in pages that hold everything once, also while secrets come and go', async () => {
    const { client, clock } = await startServer();
    for (let n = 0; n < 25; n += 1) {
      clock.now += 1;
      await create(client, `s${n}`);
    }
    const seen: (string | undefined)[] = [];
    for await (const page of paginateListSecrets({ client, pageSize: 10 }, {})) {
      seen.push(...(page.SecretList ?? []).map(({ Name }) => Name));
      await client.send(new DeleteSecretCommand({ SecretId: 's3', ForceDeleteWithoutRecovery: true }));
      clock.now += 1;
      if (seen.length === 10) await create(client, 'late');
    }
    expect(seen).toEqual([...Array.from({ length: 25 }, (_, n) => `s${n}`), 'late']);
  });

  it('says of each what DescribeSecret says', async () => {
    const { client } = await startServer();
    await create(client, 'a', { Description: 'words', Tags: [{ Key: 'k', Value: 'v' }] });
    const { SecretList } = await client.send(new ListSecretsCommand({}));
    expect(SecretList).toEqual([
      {
        ARN: expect.stringContaining(':secret:a-'),
        Name: 'a',
        Description: 'words',
        Tags: [{ Key: 'k', Value: 'v' }],
        CreatedDate: expect.any(Date),
        LastChangedDate: expect.any(Date),
        SecretVersionsToStages: expect.objectContaining({}),
      },
    ]);
    expect(Object.values(SecretList?.[0]?.SecretVersionsToStages ?? {})).toEqual([['AWSCURRENT']]);
  });

  it('is ordered as asked, by the time of creation otherwise', async () => {
    const { client, clock } = await startServer();
    for (const name of ['b', 'c', 'a']) {
      await create(client, name);
      clock.now += day;
    }
    await client.send(new UpdateSecretCommand({ SecretId: 'c', Description: 'x' }));
    await client.send(new GetSecretValueCommand({ SecretId: 'b' }));
    expect(await listed(client)).toEqual(['b', 'c', 'a']);
    expect(await listed(client, { SortOrder: 'desc' })).toEqual(['a', 'c', 'b']);
    expect(await listed(client, { SortBy: 'name' })).toEqual(['a', 'b', 'c']);
    expect(await listed(client, { SortBy: 'last-changed-date', SortOrder: 'desc' })).toEqual(['c', 'a', 'b']);
    expect(await listed(client, { SortBy: 'last-accessed-date', SortOrder: 'desc', MaxResults: 1 })).toEqual(['b']);
  });

  it('takes no token of another list', async () => {
    const { client } = await startServer();
    for (const name of ['a', 'b']) await create(client, name);
    const { NextToken = '' } = await client.send(new ListSecretsCommand({ MaxResults: 1 }));
    expect(await listed(client, { NextToken })).toEqual(['b']);
    for (const options of [{ NextToken: 'x' }, { NextToken, SortBy: 'name' }, { NextToken: NextToken.slice(2) }]) {
      await expect(listed(client, options)).rejects.toMatchObject({ name: 'InvalidNextTokenException' });
    }
  });
});

describe('a filter', () => {
  const key = (Key: Filter['Key'], ...Values: string[]): Filter => ({ Key, Values });

  it.each([
    ['the beginning of the name', [key('name', '/prod')], ['/prod/two', '/prod/four']],
    ['the name as it is written', [key('name', '/PROD')], []],
    ['another beginning', [key('name', '!/')], ['test/one', 'test/AppThree']],
    ['one of several beginnings', [key('name', 'test/o', '/prod/t')], ['test/one', '/prod/two']],
    ['words of the description', [key('description', 'SEC a')], ['test/one', '/prod/two']],
    ['no such word', [key('description', '!a')], ['/prod/four']],
    ['the beginning of a tag key', [key('tag-key', 'te')], ['test/one', '/prod/two']],
    ['the beginning of a tag value', [key('tag-value', 'eg')], ['test/one']],
    ['any attribute', [key('all', 'three')], ['/prod/two', 'test/AppThree']],
    ['both of two filters', [key('tag-key', 'team'), key('name', '/')], ['/prod/two']],
    ['both of two filters with one key', [key('description', 'an'), key('description', 'secret')], ['/prod/two']],
    ['a service that owns it', [key('owning-service', 'rds')], []],
    ['nothing asked', [], ['test/one', '/prod/two', 'test/AppThree', '/prod/four']],
  ])('finds %s', async (_case, Filters, names) => {
    const { client, clock } = await startServer();
    const secrets: [string, object][] = [
      ['test/one', { Description: 'a secret', Tags: [{ Key: 'team', Value: 'egress' }] }],
      ['/prod/two', { Description: 'an secret', Tags: [{ Key: 'team', Value: 'three' }] }],
      ['test/AppThree', { Description: 'asecret' }],
      ['/prod/four', { Description: 'thesecret' }],
    ];
    for (const [name, more] of secrets) {
      clock.now += 1;
      await create(client, name, more);
    }
    expect(await listed(client, { Filters })).toEqual(names);
  });
});

describe('a list of versions', () => {
  it('comes in pages, with the deprecated ones when asked', async () => {
    const { client, clock } = await startServer();
    await create(client, 'a');
    for (let n = 0; n < 6; n += 1) {
      clock.now += 1;
      await client.send(new PutSecretValueCommand({ SecretId: 'a', SecretString: `S${n}` }));
    }
    const sizes: number[] = [];
    const ids = new Set<string | undefined>();
    const pages = paginateListSecretVersionIds({ client, pageSize: 3 }, { SecretId: 'a', IncludeDeprecated: true });
    for await (const { Versions = [] } of pages) {
      sizes.push(Versions.length);
      for (const { VersionId, KmsKeyIds } of Versions) {
        ids.add(VersionId);
        expect(KmsKeyIds).toEqual(['DefaultEncryptionKey']);
      }
    }
    expect(sizes).toEqual([3, 3, 1]);
    expect(ids.size).toBe(7);
  });
});

describe('a batch of values', () => {
  it('answers what it can, and says of each other why not', async () => {
    const { client } = await startServer();
    for (const name of ['a', 'b', 'deleted']) await create(client, name);
    await client.send(new CreateSecretCommand({ Name: 'empty' }));
    await client.send(new DeleteSecretCommand({ SecretId: 'deleted' }));
    const batch = await client.send(
      new BatchGetSecretValueCommand({ SecretIdList: ['b', 'none', 'a', 'deleted', 'empty', 'a b'] }),
    );
    expect(batch.SecretValues?.map(({ Name, SecretString }) => [Name, SecretString])).toEqual([
      ['b', 'value of b'],
      ['a', 'value of a'],
    ]);
    expect(batch.Errors?.map(({ SecretId, ErrorCode }) => [SecretId, ErrorCode])).toEqual([
      ['none', 'ResourceNotFoundException'],
      ['deleted', 'InvalidRequestException'],
      ['empty', 'ResourceNotFoundException'],
      ['a b', 'ValidationException'],
    ]);
    expect(batch.NextToken).toBeUndefined();
  });

  it('comes in pages when it is filtered', async () => {
    const { client, clock } = await startServer();
    for (const name of ['x1', 'y', 'x2', 'x3']) {
      clock.now += 1;
      await create(client, name);
    }
    const Filters: Filter[] = [{ Key: 'name', Values: ['x'] }];
    const first = await client.send(new BatchGetSecretValueCommand({ Filters, MaxResults: 2 }));
    expect(first.SecretValues?.map(({ Name }) => Name)).toEqual(['x1', 'x2']);
    const token = { NextToken: first.NextToken ?? '' };
    const second = await client.send(new BatchGetSecretValueCommand({ Filters, ...token }));
    expect(second.SecretValues?.map(({ Name }) => Name)).toEqual(['x3']);
    expect(second.NextToken).toBeUndefined();
  });

  it.each([
    [{}, "Either 'SecretIdList' or 'Filters' must be provided, but not both."],
    [
      { SecretIdList: ['a'], Filters: [{ Key: 'name', Values: ['a'] }] },
      "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
    ],
    [
      { SecretIdList: ['a'], MaxResults: 1 },
      "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
    ],
  ] as const)('is not asked for with %j', async (options, message) => {
    const { client } = await startServer();
    const command = new BatchGetSecretValueCommand(options as object);
    await expect(client.send(command)).rejects.toMatchObject({ name: 'InvalidParameterException', message });
  });
});
