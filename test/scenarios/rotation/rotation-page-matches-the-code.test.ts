// docs/rotation.md: its events have the members of real ones, and its commands work as written.
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DescribeSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';
import { call, openPipeline, type Pipeline, prefix } from '../../support/rotation/rotation-pipeline.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/rotation.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^ *\`\`\`${language}\n([\\s\\S]*?)^ *\`\`\``, 'gm'))].map(([, text]) => text as string);

it('shows events with all their members', async () => {
  const [pendingExample, rejectedExample] = blocks('json').map((text) => JSON.parse(text));
  const pipeline = await openPipeline();
  const api = await startApi(pipeline.authorities);
  const renewal = { issuer: { kind: 'local', url: pipeline.authority.url }, onRejection: 'proceed' };
  const destinations = [destinationAt(api, pipeline.authorities, { host: 'localhost', probe: { path: '/' } })];
  await pipeline.create('acme', pipeline.document({ destinations, renewal }));
  const known = new X509Certificate((await pipeline.value('acme')).certificate).fingerprint256;
  api.answerWith((_, response, { fingerprint256 }) => response.writeHead(fingerprint256 === known ? 200 : 401).end());
  await pipeline.run(await pipeline.rotateSecret('acme'));
  const [pending, rejected, activated] = pipeline.bus.events;
  expect(keysOf(pendingExample.detail)).toEqual(keysOf(pending?.detail));
  expect(pendingExample['detail-type']).toBe(pending?.detailType);
  expect(pendingExample.source).toBe(pending?.source);
  expect(rejected?.detailType).toBe('Certificate Rejected');
  const { identity, version, certificate, chain, current, ...more } = rejected?.detail ?? {};
  expect(keysOf({ identity, version, certificate, chain, current })).toEqual(keysOf(pending?.detail));
  expect(keysOf(more)).toEqual(keysOf(rejectedExample));
  const { previous, ...rest } = activated?.detail ?? {};
  expect(keysOf({ ...rest, current: previous })).toEqual(keysOf(pending?.detail));
});

async function holders(pipeline: Pipeline): Promise<Record<string, string>> {
  const stages = Object.entries(await pipeline.stages('acme'));
  return Object.fromEntries(stages.flatMap(([version, labels]) => labels.map((label) => [label, version])));
}

/** Every path through objects and lists. */
function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .flatMap(([key, inner]) => [key, ...keysOf(inner).map((path) => `${key}.${path}`)])
    .sort();
}

const aws = findPeer('aws');

/** The one block that has these words. */
function block(words: string): string {
  const [found = '', ...others] = blocks('sh').filter((text) => text.includes(words));
  expect([found === '', others], words).toEqual([false, []]);
  return found;
}

describe.skipIf(!aws || !findPeer('jq'))('the commands (needs the AWS CLI and jq)', () => {
  async function openShell() {
    const pipeline = await openPipeline();
    await pipeline.create('acme', pipeline.document());
    const folder = privateFolder();
    folder.write('aws', `#!/bin/sh\nexec ${aws} --endpoint-url ${pipeline.secretsUrl} "$@"\n`);
    chmodSync(join(folder.path, 'aws'), 0o700);
    const env = {
      PATH: `${folder.path}:/usr/bin:/bin`,
      HOME: '/nonexistent',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_PAGER: '',
    };
    const set = { ...env, identity: 'acme', secret: `${prefix}acme` };
    return {
      pipeline,
      labels: async () => Object.values(await pipeline.stages('acme')).flat(),
      shell: (script: string) => promisify(execFile)('/bin/sh', ['-ec', script], { env: set }),
      withoutSecret: (script: string) => promisify(execFile)('/bin/sh', ['-c', script], { env }),
      async put(change: object): Promise<void> {
        const SecretString = JSON.stringify({ ...(await pipeline.value('acme')), ...change });
        await pipeline.client.send(new PutSecretValueCommand({ SecretId: `${prefix}acme`, SecretString }));
      },
    };
  }

  it('start a rotation, cancel it, remove its label, switch the schedule on again, and report when no label is left', {
    timeout: 120_000,
  }, async () => {
    const { pipeline, shell, labels } = await openShell();
    await pipeline.rotateSecret('acme');
    const [begin = ''] = blocks('sh').filter(
      (text) => text.startsWith('aws secretsmanager rotate-secret') && !text.includes('--rotation-rules'),
    );
    await expect(shell(begin)).rejects.toThrow('A previous rotation isn');
    const giveUp = block('cancel-rotate-secret');
    await shell(giveUp);
    expect(await labels()).toEqual(['AWSCURRENT']);
    expect((await shell(giveUp)).stdout).toContain('No version has AWSPENDING: nothing to remove.');
    await shell(block('--no-rotate-immediately'));
    const state = await pipeline.client.send(new DescribeSecretCommand({ SecretId: `${prefix}acme` }));
    expect(state).toMatchObject({ RotationEnabled: true, RotationRules: { ScheduleExpression: 'rate(50 days)' } });
  });

  it('copy the pending certificate into the changed document, and roll back', { timeout: 120_000 }, async () => {
    const { pipeline, shell, put } = await openShell();
    const begun = await pipeline.rotateSecret('acme');
    await pipeline.rotate()({ Step: 'createSecret', ...begun }, call());
    await put({ destinations: [{ host: '*.one.example' }] });
    const { AWSCURRENT: first = '' } = await holders(pipeline);
    await expect(pipeline.run(begun)).rejects.toThrow('differ in destinations');
    await shell(block('nothing to copy'));
    const { AWSPENDING: next = '' } = await holders(pipeline);
    expect(next).not.toBe(begun.ClientRequestToken);
    await pipeline.run({ ...begun, ClientRequestToken: next });
    expect((await pipeline.value('acme')).destinations).toEqual([{ host: '*.one.example' }]);
    expect(pipeline.authority.signed).toBe(1);
    const rollBack = block('ID_OF_AWSPREVIOUS');
    await shell(rollBack.replace('ID_OF_AWSPREVIOUS', first).replace('ID_OF_AWSCURRENT', next));
    expect(await pipeline.stages('acme')).toEqual({ [first]: ['AWSCURRENT'], [next]: ['AWSPREVIOUS'] });
  });

  it('copy nothing without a pending certificate, also line by line in a terminal', {
    timeout: 120_000,
  }, async () => {
    const { pipeline, shell } = await openShell();
    await pipeline.rotateSecret('acme');
    const before = await pipeline.stages('acme');
    const failure = shell(`set +e\n${block('nothing to copy')}`);
    await expect(failure).rejects.toThrow('AWSPENDING contains no certificate: nothing to copy');
    expect(await pipeline.stages('acme')).toEqual(before);
  });

  it('change the document and keep AWSPREVIOUS', { timeout: 120_000 }, async () => {
    const { pipeline, shell, put } = await openShell();
    const { AWSCURRENT: old } = await holders(pipeline);
    await put(pipeline.document());
    await shell(block('onRejection = "proceed"'));
    expect((await pipeline.value('acme')).renewal.onRejection).toBe('proceed');
    expect((await holders(pipeline)).AWSPREVIOUS).toBe(old);
  });

  it('remove a stolen key from AWSPREVIOUS', { timeout: 120_000 }, async () => {
    const { pipeline, shell, labels } = await openShell();
    const stolen = await pipeline.value('acme');
    await pipeline.run(await pipeline.rotateSecret('acme'));
    expect((await pipeline.value('acme', { VersionStage: 'AWSPREVIOUS' })).privateKey).toBe(stolen.privateKey);
    await shell(block('stolen='));
    expect(await labels()).toEqual(['AWSCURRENT']);
    expect((await pipeline.value('acme')).privateKey).not.toBe(stolen.privateKey);
  });

  it('do nothing if the secret is not set', { timeout: 120_000 }, async () => {
    const { pipeline, withoutSecret } = await openShell();
    await pipeline.rotateSecret('acme');
    const before = await pipeline.stages('acme');
    for (const text of blocks('sh').filter((one) => one.includes('aws secretsmanager'))) {
      await expect(withoutSecret(text), text).rejects.toThrow(/secret: parameter (null or not set|not set or null)/);
    }
    expect(await pipeline.stages('acme')).toEqual(before);
  });
});
