// A command that used a pending request deletes that request only, not a newer one in its place.
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openDirectoryStore } from '../../../cli/store/directory-store.ts';
import type { IdentityStore } from '../../../cli/store/identity-store.ts';
import { openSecretsManagerStore } from '../../../cli/store/secrets-manager-store.ts';
import { ground } from '../../support/cli/identity-ground.ts';
import { prefix, secretsGround } from '../../support/cli/identity-secrets.ts';

async function inDirectory(): Promise<IdentityStore> {
  return await openDirectoryStore(ground().directory);
}

async function inSecretsManager(): Promise<IdentityStore> {
  const { url } = await secretsGround();
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', url);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  return await openSecretsManagerStore({ kind: 'local', prefix, endpoint: url, region: 'us-east-1' }, undefined);
}

describe.each([
  ['a directory', inDirectory],
  ['Secrets Manager', inSecretsManager],
] as const)('a request in %s', (_place, open) => {
  it('is deleted by its version, and a newer request stays', async () => {
    const store = await open();
    const keep = (text: string) => store.saveRequest('acme', { privateKey: text, certificateRequest: text });
    expect(await keep('first')).toBe('kept');
    const used = (await store.request('acme'))?.for ?? '';
    // Another process replaces the request while its certificate is being imported.
    await store.deleteRequest('acme', used);
    expect(await store.request('acme')).toBeUndefined();
    expect(await keep('second')).toBe('kept');
    await store.deleteRequest('acme', used);
    const waiting = await store.request('acme');
    expect(waiting).toMatchObject({ privateKey: 'second' });
    await store.deleteRequest('acme', waiting?.for ?? '');
    expect(await store.request('acme')).toBeUndefined();
  });
});
