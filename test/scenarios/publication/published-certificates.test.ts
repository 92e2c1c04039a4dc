// The certificate route: published certificates in each stage and form, never the key.
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ApiHandler } from '../../../functions/api-gateway/handler.ts';
import { telemetry } from '../../../functions/telemetry.ts';
import { type SecretsManager, startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { makeChain, makeKeys } from '../../support/identity/identities.ts';

const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
/** It does nothing: what it would put in is not there. */
const rotationFunctions = (arn: string) => (arn === functionArn ? async () => {} : undefined);
const chain = makeChain();
const keys = makeKeys(chain);
let folder: string;
let store: SecretsManager;
let client: SecretsManagerClient;
let handler: ApiHandler;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-certificate-'));
  store = await startSecretsManager({ folder: join(folder, 'secrets'), port: 0, rotationFunctions });
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', store.url);
  client = new SecretsManagerClient({});
  ({ handler } = await import('../../../functions/certificate.ts'));
});

afterAll(async () => {
  vi.unstubAllEnvs();
  client.destroy();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const secretName = (identity: string) => `countersign/identities/${identity}`;
const create = (identity: string, document: object | string) =>
  client.send(
    new CreateSecretCommand({
      Name: secretName(identity),
      SecretString: typeof document === 'string' ? document : JSON.stringify(document),
    }),
  );

interface Asking {
  readonly stage?: string;
  readonly accept?: string;
}

async function ask(identity: string, { stage, accept }: Asking = {}): Promise<APIGatewayProxyStructuredResultV2> {
  const event = {
    version: '2.0',
    headers: accept === undefined ? {} : { accept },
    ...(stage === undefined ? {} : { queryStringParameters: { stage } }),
    pathParameters: { identity },
    requestContext: { requestId: 'request-1' },
  };
  const context = { awsRequestId: 'lambda-1', getRemainingTimeInMillis: () => 30_000 } as Context;
  return handler(event, context);
}

const bodyOf = (answer: APIGatewayProxyStructuredResultV2) => JSON.parse(answer.body ?? '');

const lines: string[] = [];
telemetry.write = (line) => lines.push(line);
afterEach(() => {
  lines.length = 0;
});

/** As docs/destinations.md has it made with OpenSSL. */
function pinFor(certificate: string): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

describe('GET /v1/identities/{identity}/certificate', () => {
  it('gives each certificate of the chain, and never the key', async () => {
    const { VersionId } = await create('platform', { ...keys, destinations: [{ host: 'secret-customer.example' }] });
    const answer = await ask('platform');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'x-request-id': 'request-1' });
    const body = bodyOf(answer);
    expect(body).toMatchObject({ identity: 'platform', stage: 'AWSCURRENT', version: VersionId, usable: true });
    const leaf = new X509Certificate(keys.certificate);
    expect(body.certificate).toEqual({
      pem: keys.certificate,
      subject: 'CN=bot-platform',
      issuer: 'CN=Test Issuer',
      serialNumber: leaf.serialNumber,
      validFrom: leaf.validFromDate.toISOString(),
      validTo: leaf.validToDate.toISOString(),
      fingerprint256: leaf.fingerprint256,
      pin: pinFor(keys.certificate),
    });
    expect(body.intermediateCertificates).toMatchObject([
      { pem: keys.intermediateCertificates, subject: 'CN=Test Issuer', pin: pinFor(keys.intermediateCertificates) },
    ]);
    expect(body.rootCertificate).toMatchObject({
      pem: keys.rootCertificate,
      subject: 'CN=Test Root',
      pin: pinFor(keys.rootCertificate),
    });
    expect(answer.body).not.toContain('PRIVATE');
    expect(answer.body).not.toContain('secret-customer');
  });

  it.each([
    ['application/x-pem-file', true],
    ['Application/X-PEM-File; q=0.5, text/html', true],
    ['application/json;q=0.1, application/x-pem-file;q=0.2', true],
    ['application/json, application/x-pem-file;q=0.9', false],
    ['application/x-pem-file;q=0', false],
    ['*/*', false],
    ['', false],
  ])('for Accept %j gives PEM: %s', async (accept, isPem) => {
    const answer = await ask('platform', { accept });
    expect(answer.headers?.['content-type']).toBe(isPem ? 'application/x-pem-file' : 'application/json');
    if (isPem) expect(answer.body).toBe(keys.certificate + keys.intermediateCertificates + keys.rootCertificate);
  });

  it('gives the stage that is asked for', async () => {
    const next = makeKeys(chain);
    const name = secretName('staged');
    await create('staged', keys);
    await client.send(
      new PutSecretValueCommand({ SecretId: name, SecretString: JSON.stringify(next), VersionStages: ['AWSPENDING'] }),
    );
    expect(bodyOf(await ask('staged', { stage: 'current' })).certificate.pem).toBe(keys.certificate);
    expect(bodyOf(await ask('staged', { stage: 'pending' }))).toMatchObject({
      stage: 'AWSPENDING',
      certificate: { pem: next.certificate },
    });
    const none = await ask('staged', { stage: 'previous' });
    expect(none.statusCode).toBe(404);
    expect(bodyOf(none)).toMatchObject({ code: 'identity-not-found', evidence: { stage: 'AWSPREVIOUS' } });
    await client.send(new PutSecretValueCommand({ SecretId: name, SecretString: JSON.stringify(next) }));
    expect(bodyOf(await ask('staged', { stage: 'previous' })).certificate.pem).toBe(keys.certificate);
  });

  describe('a next certificate that does not exist yet', () => {
    const next = '6f1f4a1e-2d55-4f0a-9d9c-0f3f9d6f2a01';
    const pendingIsMissing = async (identity: string) => {
      const answer = await ask(identity, { stage: 'pending' });
      expect(answer.statusCode).toBe(404);
      const evidence = { reason: 'no-version', stage: 'AWSPENDING' };
      expect(bodyOf(answer)).toMatchObject({ code: 'identity-not-found', evidence });
      expect(bodyOf(await ask(identity)).certificate.pem).toBe(keys.certificate);
    };

    it('because the rotation has just begun: AWSPENDING has no value', async () => {
      await create('just-begun', keys);
      const SecretId = secretName('just-begun');
      const { VersionId } = await client.send(
        new RotateSecretCommand({
          SecretId,
          RotationLambdaARN: functionArn,
          RotationRules: { AutomaticallyAfterDays: 30 },
        }),
      );
      const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId }));
      expect(VersionIdsToStages?.[VersionId ?? '']).toEqual(['AWSPENDING']);
      await pendingIsMissing('just-begun');
    });

    it('because it waits for a manual signature: the request has its own label', async () => {
      await create('to-be-signed', keys);
      const waiting = JSON.stringify({ for: next, certificateRequest: 'PEM', privateKey: keys.privateKey });
      const SecretId = secretName('to-be-signed');
      await client.send(
        new PutSecretValueCommand({ SecretId, SecretString: waiting, VersionStages: ['COUNTERSIGN_REQUEST'] }),
      );
      await pendingIsMissing('to-be-signed');
    });

    it('because its document has no certificates', async () => {
      await create('uncertified', keys);
      const { certificate: _, intermediateCertificates: __, rootCertificate: ___, ...rest } = keys;
      const SecretId = secretName('uncertified');
      await client.send(
        new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(rest), VersionStages: ['AWSPENDING'] }),
      );
      await pendingIsMissing('uncertified');
    });

    it('but an incomplete chain is reported as such', async () => {
      await create('half', keys);
      const SecretString = JSON.stringify({ ...keys, rootCertificate: undefined });
      await client.send(
        new PutSecretValueCommand({ SecretId: secretName('half'), SecretString, VersionStages: ['AWSPENDING'] }),
      );
      const answer = await ask('half', { stage: 'pending' });
      expect(bodyOf(answer)).toMatchObject({ code: 'identity-unusable', evidence: { reason: 'document-malformed' } });
    });
  });

  it.each(['AWSCURRENT', 'current,pending', '', 'toString'])('refuses the stage %j', async (stage) => {
    const answer = await ask('platform', { stage });
    expect(answer.statusCode).toBe(400);
    expect(bodyOf(answer)).toMatchObject({ code: 'invalid-request', evidence: { field: 'stage' } });
  });

  it('publishes an identity that cannot be used, and says why', async () => {
    const past = Date.now() - 86_400_000;
    await create('expired', makeKeys(chain, { notBefore: new Date(past - 86_400_000), notAfter: new Date(past) }));
    const body = bodyOf(await ask('expired'));
    expect(body.usable).toBe(false);
    expect(body.problem.reason).toBe('expired');
    expect(body.problem.detail).toMatch(/^certificate expired on /);

    const { privateKey: _, ...withoutKey } = keys;
    await create('keyless', { ...withoutKey, destinations: 'wrong' });
    expect(bodyOf(await ask('keyless'))).toMatchObject({
      usable: false,
      problem: { reason: 'document-malformed', detail: 'privateKey is missing.' },
      certificate: { pem: keys.certificate },
    });
  });

  it('does not publish a key that is among the certificates', async () => {
    await create('mixed', { ...keys, certificate: keys.certificate + keys.privateKey });
    for (const accept of ['application/json', 'application/x-pem-file']) {
      const answer = await ask('mixed', { accept });
      expect(answer.statusCode).toBe(500);
      expect(bodyOf(answer)).toMatchObject({ code: 'identity-unusable', evidence: { where: 'certificate' } });
      expect(answer.body).not.toContain('BEGIN');
    }
  });

  it('gives certificates that a customer can verify the client with', async () => {
    const pem = (await ask('platform', { accept: 'application/x-pem-file' })).body ?? '';
    const [leaf, issuer, root] = pem.split(/(?<=-----END CERTIFICATE-----\n)/).map((text) => new X509Certificate(text));
    expect(leaf?.verify((issuer as X509Certificate).publicKey)).toBe(true);
    expect(issuer?.verify((root as X509Certificate).publicKey)).toBe(true);
    expect(leaf?.publicKey.equals(createPublicKey(keys.privateKey))).toBe(true);
  });

  it.each([
    ['unknown', 404, 'identity-not-found'],
    ['Not-A-Name', 404, 'identity-not-found'],
    ['garbage', 500, 'identity-unusable'],
    ['deleted', 404, 'identity-not-found'],
  ])('%s: %i %s', async (identity, status, code) => {
    if (identity === 'garbage') await create(identity, 'SECRET');
    if (identity === 'deleted') {
      await create(identity, keys);
      await client.send(new DeleteSecretCommand({ SecretId: secretName(identity), RecoveryWindowInDays: 7 }));
    }
    const answer = await ask(identity);
    expect(answer.statusCode).toBe(status);
    expect(answer.headers?.['content-type']).toBe('application/problem+json');
    expect(bodyOf(answer)).toMatchObject({ code, requestId: 'request-1' });
    expect(answer.body).not.toContain('SECRET');
  });
});

describe('the line of a failure', () => {
  it('says of which identity, why, and of which request', async () => {
    await ask('unknown');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        timestamp: expect.any(String),
        level: 'WARN',
        message: 'certificate',
        requestId: 'request-1',
        identity: 'unknown',
        code: 'identity-not-found',
        reason: 'ResourceNotFoundException',
        detail: 'Secrets Manager has no secret for identity "unknown".',
      },
    ]);
  });

  it('contains nothing of the document', async () => {
    await create('canary', `{"privateKey": "${keys.privateKey.slice(0, 80).replaceAll('\n', '')} canary7391`);
    await ask('canary');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"code":"identity-unusable"');
    expect(lines[0]).not.toMatch(/canary7391|PRIVATE/);
  });

  it('is not written for a success, and contains no malformed identity name', async () => {
    await ask('platform');
    expect(lines).toEqual([]);
    await ask('Not a name');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).not.toHaveProperty('identity');
  });
});
