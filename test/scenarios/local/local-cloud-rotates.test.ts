// RotateSecret in the local cloud: the deployed function, the demo's authority, the events, the calls, and the customer
// left behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { callThroughGateway, invocationOf } from '../../../local/demo-call.ts';
import { failedStepLine } from '../../../local/print.ts';
import { type FailedStep, rotationFunctionArn, scheduleRotation, untilTested } from '../../../local/rotation.ts';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { privateFolder } from '../../support/program.ts';

const ports = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };
const failures: [unknown, FailedStep | undefined][] = [];
let cloud: Cloud;
let client: SecretsManagerClient;
let SecretId: string;

// One for the whole file: the functions read their settings when they are loaded, once in a process.
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-rotating-'));
  const onFailure = (_name: string, reason: unknown, at?: FailedStep) => failures.push([reason, at]);
  cloud = await startCloud({ folder, ports, identityTtlSeconds: 1, onFailure });
  client = clientAt(cloud.secretsManagerUrl);
  SecretId = cloud.secretId;
  await untilTested(client, SecretId, AbortSignal.timeout(20_000));
  return async () => {
    client.destroy();
    await cloud.close();
    rmSync(folder, { recursive: true, force: true });
  };
});

function clientAt(endpoint: string): SecretsManagerClient {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return new SecretsManagerClient({ endpoint, region: 'us-east-1', credentials });
}

const describeSecret = () => client.send(new DescribeSecretCommand({ SecretId }));

async function current(): Promise<string | undefined> {
  const { VersionIdsToStages = {} } = await describeSecret();
  return Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes('AWSCURRENT'));
}

async function clientOf(name: string) {
  const host = cloud.hosts.find((candidate) => candidate.host === `${name}.demo.localhost`);
  if (!host) throw new Error(`No demo host ${name}.`);
  const result = await callThroughGateway(cloud.gatewayUrl, invocationOf(host));
  if ('failed' in result) throw new Error(JSON.stringify(result.failed));
  expect(result.answered.status).toBe(200);
  return result.answered.handshake.client;
}

it('a rotation that a customer blocks fails, is reported, and changes nothing', { timeout: 60_000 }, async () => {
  expect(await describeSecret()).toMatchObject({
    RotationEnabled: true,
    RotationLambdaARN: rotationFunctionArn,
    RotationRules: { ScheduleExpression: 'rate(30 days)' },
  });
  const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId }));
  const document = JSON.parse(SecretString);
  const blocking = { ...document, renewal: { ...document.renewal, onRejection: 'block' } };
  await client.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(blocking) }));
  const before = await current();
  await client.send(new RotateSecretCommand({ SecretId }));
  await vi.waitFor(() => expect(failures).toHaveLength(1), 30_000);
  const [reason, at] = failures[0] ?? [];
  expect(at).toEqual({ identity: 'platform', step: 'testSecret' });
  const line = failedStepLine(at as FailedStep, reason);
  expect(line).toMatch(
    /^platform, testSecret, new-certificate-rejected: The new certificate is rejected by pins\.demo\.localhost:\d+: .+\.$/,
  );
  expect(await current()).toBe(before);
  const { VersionId } = await client.send(new CancelRotateSecretCommand({ SecretId }));
  expect(await describeSecret()).toMatchObject({ RotationEnabled: false });
  await client.send(
    new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'AWSPENDING', RemoveFromVersionId: VersionId }),
  );
  await client.send(new PutSecretValueCommand({ SecretId, SecretString }));
  const told = cloud.events.map((event) => event['detail-type']);
  expect(told).toEqual(['Certificate Pending', 'Certificate Rejected']);
});

it('a rotation replaces the certificate, publishes events, closes old connections, and still serves a pinning host', {
  timeout: 60_000,
}, async () => {
  const earlier = cloud.events.length;
  const before = await vi.waitFor(async () => {
    const seen = await clientOf('accounts');
    expect(seen.version).toBe(await current());
    return seen;
  }, 10_000);
  expect((await clientOf('pins')).fingerprint256).toBe(before.fingerprint256);
  expect(cloud.openConnections('accounts.demo.localhost', before.fingerprint256)).toBe(1);

  const { VersionId } = await client.send(new RotateSecretCommand({ SecretId }));
  await vi.waitFor(async () => expect(await current()).toBe(VersionId), { timeout: 30_000 });
  await vi.waitFor(async () => {
    expect((await clientOf('accounts')).fingerprint256).not.toBe(before.fingerprint256);
    expect(cloud.openConnections('accounts.demo.localhost', before.fingerprint256)).toBe(0);
  }, 10_000);
  const pinning = await clientOf('pins');
  expect(pinning).toMatchObject({ stage: 'AWSPREVIOUS', fingerprint256: before.fingerprint256 });
  expect((await clientOf('accounts')).stage).toBe('AWSCURRENT');
  expect(cloud.events.slice(earlier).map((event) => [event['detail-type'], event.bus, event.resources.length])).toEqual(
    [
      ['Certificate Pending', 'countersign', 1],
      ['Certificate Rejected', 'countersign', 1],
      ['Certificate Activated', 'countersign', 1],
    ],
  );
  expect(JSON.stringify(cloud.events.at(-2)?.detail)).toContain('pins.demo.localhost');
  expect(failures).toHaveLength(1);
});

it('a first rotation issues the first certificate of an identity', { timeout: 60_000 }, async () => {
  const Name = 'countersign/identities/second';
  const renewal = { issuer: { kind: 'local', url: cloud.authorityUrl }, subject: 'CN=second' };
  await client.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify({ renewal }) }));
  const rotate = new RotateSecretCommand({ SecretId: Name, RotationLambdaARN: rotationFunctionArn });
  const { VersionId } = await client.send(rotate);
  await vi.waitFor(async () => {
    const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId: Name }));
    expect(VersionIdsToStages?.[String(VersionId)]).toEqual(['AWSCURRENT']);
  }, 30_000);
  const published = await fetch(`${cloud.gatewayUrl}/v1/identities/second/certificate`);
  expect(await published.json()).toMatchObject({ version: VersionId, certificate: { subject: 'CN=second' } });
});

it('rotation is not enabled again after CancelRotateSecret, nor for an identity of another authority', async () => {
  const { path } = privateFolder();
  const secrets = await startSecretsManager({ folder: path, port: 0, rotationFunctions: () => async () => {} });
  onTestFinished(() => secrets.close());
  const other = clientAt(secrets.url);
  onTestFinished(() => other.destroy());
  const told = async (Name: string) =>
    (await other.send(new DescribeSecretCommand({ SecretId: Name }))).RotationEnabled;
  for (const [Name, kind] of [
    ['local', 'local'],
    ['by-hand', 'manual'],
  ] as const) {
    const SecretString = JSON.stringify({ renewal: { issuer: { kind } } });
    await other.send(new CreateSecretCommand({ Name, SecretString }));
    await scheduleRotation(other, Name);
    expect(await told(Name)).toBe(kind === 'local' ? true : undefined);
  }
  await other.send(new CancelRotateSecretCommand({ SecretId: 'local' }));
  await scheduleRotation(other, 'local');
  expect(await told('local')).toBe(false);
});
