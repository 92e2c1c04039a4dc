// The cache over the real SDK: an identity in use is rotated, broken, repaired and deleted in Secrets Manager.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ErrorCode } from '../../../core/errors.ts';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import { type SecretsManager, startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { failureOf, makeChain, makeKeys } from '../../support/identity/identities.ts';

const prefix = 'countersign/identities/';
const chain = makeChain();
let folder: string;
let store: SecretsManager;
let client: SecretsManagerClient;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-rotation-'));
  store = await startSecretsManager({ folder: join(folder, 'secrets'), port: 0 });
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', store.url);
  client = new SecretsManagerClient({});
});

afterAll(async () => {
  vi.unstubAllEnvs();
  client.destroy();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = (document: object) =>
  client.send(new PutSecretValueCommand({ SecretId: `${prefix}platform`, SecretString: JSON.stringify(document) }));

describe('an identity in Secrets Manager', () => {
  it('is rotated, broken, repaired and deleted while it is in use', async () => {
    const clock = { time: Date.now() };
    const failures: ErrorCode[] = [];
    const cache = createIdentityCache({
      source: secretsManagerSource({ prefix }),
      ttlMs: 60_000,
      now: () => clock.time,
      onRefreshFailure: (_, error) => failures.push(error.code),
    });
    const reload = () => {
      clock.time += 5_000;
      return cache.reload('platform');
    };

    const [one, two, three] = [makeKeys(chain), makeKeys(chain), makeKeys(chain)];
    const created = await client.send(
      new CreateSecretCommand({ Name: `${prefix}platform`, SecretString: JSON.stringify(one) }),
    );
    const first = await cache.get('platform');
    expect(first).toMatchObject({ version: created.VersionId, certificate: one.certificate });
    expect(await reload()).toBe(first);

    const rotated = await put(two);
    const second = await reload();
    expect(second).toMatchObject({ version: rotated.VersionId, certificate: two.certificate });

    await put({ ...three, privateKey: one.privateKey });
    expect(await reload()).toBe(second);
    expect(failures).toEqual(['identity-unusable']);

    await put(three);
    expect((await reload()).certificate).toBe(three.certificate);

    await client.send(new DeleteSecretCommand({ SecretId: `${prefix}platform`, RecoveryWindowInDays: 7 }));
    expect((await reload()).certificate).toBe(three.certificate);
    const failure = await failureOf(reload);
    expect(failure.code).toBe('identity-not-found');
    expect(failure.message).toContain('scheduled for deletion');
  });
});
