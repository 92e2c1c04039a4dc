// The platform's identity in the local Secrets Manager: made once, renewed in time, and what others stored is theirs.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../local/authority/authority.ts';
import { type DemoAuthorities, platformRootName } from '../../local/demo-api/authorities.ts';
import { demoHosts } from '../../local/demo-api/hosts.ts';
import { storePlatformIdentity } from '../../local/platform-identity.ts';
import { type SecretsManager, startSecretsManager } from '../../local/secrets-manager/server.ts';

const secretId = 'countersign/identities/platform';
const hosts = demoHosts.map((host, index) => ({ ...host, port: 8443 + index }));
const authorityUrl = 'http://127.0.0.1:8082/certificates';
const now = new Date();
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000);

function makeAuthorities(): DemoAuthorities {
  return {
    customer: createAuthority({ commonName: 'customer' }),
    platform: createAuthority({ commonName: platformRootName }).intermediate({ commonName: 'intermediate' }),
  };
}

let folder: string;
let secrets: SecretsManager;
let client: SecretsManagerClient;
let authorities: DemoAuthorities;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-identity-'));
  secrets = await startSecretsManager({ folder, port: 0 });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  client = new SecretsManagerClient({ endpoint: secrets.url, region: 'us-east-1', credentials });
  authorities = makeAuthorities();
});
afterEach(async () => {
  client.destroy();
  await secrets.close();
  rmSync(folder, { recursive: true, force: true });
});

const store = (change: object = {}) =>
  storePlatformIdentity({ client, secretId, authorities, hosts, authorityUrl, now, ...change });

async function stored() {
  const { SecretString, VersionId } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
  return { ...JSON.parse(SecretString ?? ''), VersionId };
}

async function put(document: object): Promise<void> {
  await client.send(new PutSecretValueCommand({ SecretId: secretId, SecretString: JSON.stringify(document) }));
}

describe('the platform identity', () => {
  it('is created with a chain up to the root and a destination for each host', async () => {
    expect(await store()).toBe('created');
    const document = await stored();
    const [leaf, intermediate, root] = [
      document.certificate,
      document.intermediateCertificates,
      document.rootCertificate,
    ].map((pem) => new X509Certificate(pem));
    expect(leaf?.verify((intermediate as X509Certificate).publicKey)).toBe(true);
    expect(intermediate?.verify((root as X509Certificate).publicKey)).toBe(true);
    expect(leaf?.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(document.destinations).toEqual(
      hosts.map(({ host, port, behaviour }) => ({
        host: behaviour.kind === 'silent' ? '*.demo.localhost' : host,
        port,
        serverRoots: authorities.customer.certificate,
        network: 'loopback',
      })),
    );
  });

  it('is unchanged at the next start', async () => {
    await store();
    const before = await stored();
    expect(await store({ now: inDays(59) })).toBe('kept');
    expect(await stored()).toEqual(before);
  });

  it('is renewed when fewer than thirty days are left', async () => {
    await store();
    const before = await stored();
    expect(await store({ now: inDays(61) })).toBe('renewed');
    const after = await stored();
    expect(after.certificate).not.toBe(before.certificate);
    expect(after.privateKey).not.toBe(before.privateKey);
    expect(after.rootCertificate).toBe(before.rootCertificate);
  });

  it('is renewed if the authorities are new', async () => {
    await store();
    expect(await store({ authorities: makeAuthorities() })).toBe('renewed');
  });

  it('gets the new ports, and keeps other destinations and members', async () => {
    await store();
    const before = await stored();
    const own = { host: 'api.customer.example' };
    await put({ ...before, destinations: [own, ...before.destinations], renewal: { note: 'mine' } });
    const moved = hosts.map((host) => ({ ...host, port: host.port + 100 }));
    expect(await store({ hosts: moved })).toBe('updated');
    const after = await stored();
    expect(after.destinations.map(({ port }: { port?: number }) => port)).toEqual([
      ...moved.map(({ port }) => port),
      undefined,
    ]);
    expect(after.destinations.at(-1)).toEqual(own);
    expect(after).toMatchObject({ certificate: before.certificate, renewal: { note: 'mine' } });
  });

  it("is renewed by the demo's authority, wherever that listens, unless its renewal names another", async () => {
    await store();
    const { renewal, ...before } = await stored();
    expect(renewal).toEqual({ issuer: { kind: 'local', url: authorityUrl }, onRejection: 'proceed' });
    const elsewhere = 'http://127.0.0.1:9999/certificates';
    await put({ ...before, renewal: { ...renewal, onRejection: 'block', keyAlgorithm: 'RSA_2048' } });
    expect(await store({ authorityUrl: elsewhere })).toBe('updated');
    const moved = { issuer: { kind: 'local', url: elsewhere }, onRejection: 'block', keyAlgorithm: 'RSA_2048' };
    expect((await stored()).renewal).toEqual(moved);
    await put({ ...before, renewal: { issuer: { kind: 'manual' } } });
    expect(await store()).toBe('kept');
    await put(before);
    expect(await store()).toBe('updated');
    expect((await stored()).renewal).toEqual(renewal);
  });

  it('with a root that differs only in text is not renewed', async () => {
    await store();
    const before = await stored();
    await put({ ...before, rootCertificate: before.rootCertificate.trimEnd() });
    expect(await store()).toBe('kept');
  });

  it('of the user keeps its key and its certificates, even old ones', async () => {
    await store();
    const other = createAuthority({ commonName: 'User CA' }).issue({ commonName: 'x', notAfter: inDays(1) });
    await put({ certificate: other.certificate, privateKey: other.privateKey, rootCertificate: other.root });
    expect(await store()).toBe('updated');
    expect(await stored()).toMatchObject({ certificate: other.certificate, privateKey: other.privateKey });
  });

  it('of the user without destinations still allows any public host', async () => {
    await store();
    const other = createAuthority({ commonName: 'User CA' }).issue({ commonName: 'x' });
    await put({ certificate: other.certificate, privateKey: other.privateKey, rootCertificate: other.root });
    const notices: string[] = [];
    expect(await store({ onNotice: (sentence: string) => notices.push(sentence) })).toBe('updated');
    expect((await stored()).destinations).toHaveLength(hosts.length + 1);
    expect((await stored()).destinations.at(-1)).toEqual({ host: '*' });
    expect(notices).toEqual([expect.stringContaining('refuses it at step 5')]);
    expect(await store()).toBe('kept');
  });

  it('of the demo causes no notice', async () => {
    const notices: string[] = [];
    const onNotice = (sentence: string) => notices.push(sentence);
    for (const now of [inDays(0), inDays(1), inDays(61)]) await store({ onNotice, now });
    expect(notices).toEqual([]);
  });

  it('that is not a document is rejected in one sentence that does not quote it', async () => {
    await store();
    await client.send(new PutSecretValueCommand({ SecretId: secretId, SecretString: 'PRIVATE' }));
    await expect(store()).rejects.toThrow(
      `The secret ${secretId} of the local Secrets Manager holds no identity document: delete it or put one.`,
    );
  });

  it('is one error sentence if Secrets Manager cannot be reached', async () => {
    await secrets.close();
    await expect(store()).rejects.toThrow(/^The secret .+ of the local Secrets Manager cannot be read: .*ECONNREFUSED/);
  });
});
