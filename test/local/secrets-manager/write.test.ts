// TagResource and UntagResource.
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  type SecretsManagerClient,
  type Tag,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { startServer } from '../../support/local-secrets-manager/local-server.ts';

async function tagsOf(client: SecretsManagerClient): Promise<Tag[] | undefined> {
  return (await client.send(new DescribeSecretCommand({ SecretId: 'a' }))).Tags;
}

function tag(client: SecretsManagerClient, ...tags: [string, string][]) {
  return client.send(new TagResourceCommand({ SecretId: 'a', Tags: tags.map(([Key, Value]) => ({ Key, Value })) }));
}

describe('tags', () => {
  it('are added, overwritten and removed', async () => {
    const { client } = await startServer();
    await client.send(new CreateSecretCommand({ Name: 'a' }));
    expect(await tagsOf(client)).toBeUndefined();
    await tag(client, ['k1', 'v1'], ['k2', '']);
    await tag(client, ['k2', 'v2'], ['K2', 'other']);
    expect(await tagsOf(client)).toEqual([
      { Key: 'k1', Value: 'v1' },
      { Key: 'k2', Value: 'v2' },
      { Key: 'K2', Value: 'other' },
    ]);
    await client.send(new UntagResourceCommand({ SecretId: 'a', TagKeys: ['k1', 'K2', 'none'] }));
    expect(await tagsOf(client)).toEqual([{ Key: 'k2', Value: 'v2' }]);
    await client.send(new UntagResourceCommand({ SecretId: 'a', TagKeys: ['k2'] }));
    expect(await tagsOf(client)).toEqual([]);
  });

  it('are validated', async () => {
    const { client } = await startServer();
    const many = Array.from({ length: 50 }, (_, n): [string, string] => [`k${n}`, 'v']);
    await client.send(new CreateSecretCommand({ Name: 'a' }));
    await tag(client, ...many);
    await tag(client, ['k0', 'changed']);
    for (const tags of [
      [['k50', 'v']],
      [['aws:mine', 'v']],
      [
        ['k1', 'v'],
        ['k1', 'w'],
      ],
    ] as [string, string][][]) {
      await expect(tag(client, ...tags)).rejects.toMatchObject({ name: 'InvalidParameterException' });
    }
    expect(await tagsOf(client)).toHaveLength(50);
    await expect(
      client.send(new TagResourceCommand({ SecretId: 'none', Tags: [{ Key: 'k', Value: 'v' }] })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});
