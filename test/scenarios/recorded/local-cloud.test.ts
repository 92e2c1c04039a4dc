// Every route of the local cloud, the rotation of an identity, and the lines that both leave, as they were recorded.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DescribeSecretCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { expect, it, onTestFinished, vi } from 'vitest';
import { fingerprintOf } from './certificates.ts';
import { startCustomers } from './customers.ts';
import { type Exchange, exchange, linesIn, sectionsOf } from './exchanges.ts';
import { documentOf, makeIdentities } from './identities.ts';
import { createMasks, type Masks } from './masks.ts';
import { type Run, start } from './processes.ts';
import { programFile, root } from './programs.ts';
import { compareRecording, quoted, type Section } from './recording.ts';
import { apiRequests, type RecordedRequest } from './requests.ts';

const freePorts = ['--port', '--secrets-port', '--authority-port', '--events-port', '--api-port'].flatMap((option) => [
  option,
  '0',
]);
const resolver = ['--import', join(import.meta.dirname, 'resolver.ts')];
const prefix = 'countersign/identities/';
const rotationFunctionArn = 'arn:aws:lambda:us-east-1:000000000000:function:countersign-rotate';

interface LocalCloud {
  readonly run: Run;
  readonly url: string;
  readonly client: SecretsManagerClient;
  readonly state: string;
}

async function startLocalCloud(masks: Masks): Promise<LocalCloud> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-recorded-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  masks.name(root, 'repository');
  masks.name(folder, 'folder');
  const run = start(programFile('localCloud'), ['--state', 'state', ...freePorts], { node: resolver, cwd: folder });
  onTestFinished(async () => void (await run.stop()));
  await run.printed(/Ctrl-C stops it/);
  const place = (pattern: RegExp) => pattern.exec(run.out())?.[1] ?? '';
  const url = place(/gateway +(http:\S+)/);
  const endpoint = place(/secrets manager +(http:\S+)/);
  const authority = place(/authority +(http:\S+)/);
  const bus = place(/event bus +(http:\S+)/);
  for (const [at, name] of [
    [url, 'gateway'],
    [endpoint, 'secrets manager'],
    [authority, 'authority'],
    [bus, 'event bus'],
  ] as const) {
    masks.name(new URL(at).port, `port of ${name}`);
  }
  for (const [, host = '', port = ''] of run.out().matchAll(/([a-z0-9-]+)\.demo\.localhost:(\d+)/g)) {
    masks.name(port, `port of ${host}`);
  }
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new SecretsManagerClient({ endpoint, region: 'us-east-1', credentials });
  onTestFinished(() => client.destroy());
  return { run, url, client, state: join(folder, 'state') };
}

/** Resolves when no rotation of the secret is under way, the test of its schedule among them. */
async function rotated({ client }: LocalCloud, SecretId: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
      expect(Object.values(VersionIdsToStages).flat()).not.toContain('AWSPENDING');
    },
    { timeout: 40_000, interval: 50 },
  );
}

it('the routes of the API answer as recorded, and leave the same lines', { timeout: 120_000 }, async () => {
  const masks = createMasks();
  const customers = await startCustomers(masks);
  onTestFinished(customers.close);
  const cloud = await startLocalCloud(masks);
  const { run, url, client, state } = cloud;
  for (const identity of await makeIdentities(customers)) {
    const Name = prefix + identity.name;
    const { VersionId = '', ARN = '' } = await client.send(
      new CreateSecretCommand({ Name, SecretString: documentOf(identity) }),
    );
    masks.name(VersionId, `version of ${identity.name}`);
    masks.name(ARN, `ARN of ${identity.name}`);
    const { certificate } = identity.issued;
    if (certificate) masks.name(fingerprintOf(certificate), `fingerprint of ${identity.name}`);
  }
  await rotated(cloud, `${prefix}platform`);
  const exchanges: Exchange[] = [];
  for (const request of [...apiRequests(customers), ...consoleRequests]) exchanges.push(await exchange(url, request));
  expect(await run.stop()).toBe(0);
  const lines = functionLines(state);
  compareRecording('local-cloud', [...sectionsOf(exchanges, lines), ...printedBy(run)], masks);
});

/** Those of the page are answered by the same server; the texts of the page are not recorded. */
const consoleRequests: RecordedRequest[] = [
  { title: 'console: state', method: 'GET', path: '/console/api/state' },
  { title: 'console: state by HEAD', method: 'HEAD', path: '/console/api/state' },
  { title: 'console: state by POST', method: 'POST', path: '/console/api/state' },
  { title: 'console: no such route', method: 'GET', path: '/console/api/nothing' },
  ...(
    [
      ['without a content-type', 'platform', undefined, '{}'],
      ['without a body', 'platform', 'application/json', ''],
      ['with members', 'platform', 'application/json', '{"a":1}'],
      ['of no identity', 'absent', 'application/json', '{}'],
      ['that is not set up', 'bot', 'application/json', '{}'],
    ] as const
  ).map(([what, identity, type, body]) => ({
    title: `console: a rotation ${what}`,
    method: 'POST',
    path: `/console/api/identities/${identity}/rotations`,
    headers: type ? ([['content-type', type]] as const) : [],
    body,
  })),
];

function printedBy(run: Run): Section[] {
  return [
    { title: 'standard output', parts: [run.out()] },
    { title: 'standard error', parts: [[...new Set(run.error().split('\n'))].join('\n')] },
  ];
}

const authorityOf = (run: Run) => /authority +(http:\S+)/.exec(run.out())?.[1] ?? '';

async function beginRotation(
  { client }: LocalCloud,
  identity: string,
  document: object,
  masks: Masks,
): Promise<string> {
  const Name = prefix + identity;
  await client.send(new CreateSecretCommand({ Name, SecretString: JSON.stringify(document) }));
  const rotate = new RotateSecretCommand({ SecretId: Name, RotationLambdaARN: rotationFunctionArn });
  const { VersionId = '', ARN = '' } = await client.send(rotate);
  masks.name(VersionId, `version of ${identity}`);
  masks.name(ARN, `ARN of ${identity}`);
  return Name;
}

async function rotateOnce(cloud: LocalCloud, identity: string, document: object, masks: Masks): Promise<void> {
  await rotated(cloud, await beginRotation(cloud, identity, document, masks));
}

/** Cancelled with the first failure: Secrets Manager would begin it again after a second. */
async function failOnce(cloud: LocalCloud, identity: string, document: object, masks: Masks): Promise<void> {
  const SecretId = await beginRotation(cloud, identity, document, masks);
  const log = join(cloud.state, 'functions.log');
  await vi.waitFor(() => expect(failuresIn(readFileSync(log, 'utf8'), identity)).not.toEqual([]), {
    timeout: 30_000,
    interval: 20,
  });
  await cloud.client.send(new CancelRotateSecretCommand({ SecretId }));
}

/** Secrets Manager tests a new schedule in the background, so the line of that test has no fixed place. */
function functionLines(state: string): string[] {
  const lines = linesIn(readFileSync(join(state, 'functions.log'), 'utf8'));
  return lines.filter((line) => !line.includes('"outcome":"renewal-tested"'));
}

function failuresIn(log: string, identity: string): string[] {
  return linesIn(log).filter((line) => line.includes(`"identity":"${identity}"`) && line.includes('"code":"'));
}

/** On a busy machine a failed rotation may start again before it is cancelled: each first failure counts. */
function firstFailures(lines: readonly string[]): string[] {
  const seen = new Set<string>();
  return lines.filter((line) => {
    const key = /"message":"rotation".*"identity":"([^"]+)".*"code":"/.exec(line)?.[1];
    if (key === undefined) return true;
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}

it('a rotation takes its steps, announces itself and fails as recorded', { timeout: 120_000 }, async () => {
  const masks = createMasks();
  const cloud = await startLocalCloud(masks);
  const { run, url, client, state } = cloud;
  const SecretId = `${prefix}platform`;
  const current = async () => {
    const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
    return Object.keys(VersionIdsToStages).find((id) => VersionIdsToStages[id]?.includes('AWSCURRENT')) ?? '';
  };
  await rotated(cloud, SecretId);
  masks.name(await current(), 'first version');
  const exchanges: Exchange[] = [];
  const ask = async (title: string, method: string, path: string, request?: object) => {
    const headers = request ? ([['content-type', 'application/json']] as const) : [];
    const body = request ? JSON.stringify(request) : undefined;
    exchanges.push(await exchange(url, { title, method, path, headers, ...(body === undefined ? {} : { body }) }));
  };
  const { VersionId = '' } = await client.send(new RotateSecretCommand({ SecretId }));
  masks.name(VersionId, 'second version');
  await rotated(cloud, SecretId);
  expect(await current()).toBe(VersionId);
  await ask('certificate: the previous', 'GET', '/v1/identities/platform/certificate?stage=previous');
  await ask('certificate: the current', 'GET', '/v1/identities/platform/certificate');
  const pins = /https:\/\/pins\.demo\.localhost:\d+/.exec(run.out())?.[0] ?? '';
  await ask('a customer that does not trust the new certificate', 'POST', '/v1/identities/platform/invocations', {
    url: `${pins}/v1/accounts/1/balance`,
  });
  await ask('a diagnosis of it', 'POST', '/v1/identities/platform/diagnoses', { url: pins });
  await ask('console: state', 'GET', '/console/api/state');
  await ask('console: a rotation', 'POST', '/console/api/identities/platform/rotations', {});
  await rotated(cloud, SecretId);
  masks.name(await current(), 'third version');

  const first = { issuer: { kind: 'local', url: `${authorityOf(run)}/certificates` }, subject: 'CN=first' };
  await rotateOnce(cloud, 'first', { renewal: first }, masks);
  await failOnce(cloud, 'no-renewal', {}, masks);
  await failOnce(cloud, 'unknown-issuer', { renewal: { issuer: { kind: 'absent' } } }, masks);
  await failOnce(cloud, 'manual', { renewal: { issuer: { kind: 'manual' }, subject: 'CN=manual' } }, masks);
  const away = { kind: 'est', url: 'https://localhost:9/.well-known/est', serverRoots: '' };
  await failOnce(cloud, 'issuer-settings', { renewal: { issuer: away, subject: 'CN=est' } }, masks);
  const nowhere = { kind: 'local', url: 'http://127.0.0.1:9/certificates' };
  await failOnce(cloud, 'issuer-away', { renewal: { issuer: nowhere, subject: 'CN=away' } }, masks);

  expect(await run.stop()).toBe(0);
  const lines = firstFailures(functionLines(state));
  const events = linesIn(readFileSync(join(state, 'events.jsonl'), 'utf8'));
  const sections = [
    ...sectionsOf(exchanges, lines),
    ...events.map((event, index) => ({ title: `event ${index + 1}`, parts: [quoted('event', event)] })),
    ...printedBy(run),
  ];
  compareRecording('rotation', sections, masks);
});
