// docs/rotation.md: its events have the members of real ones, and its commands do what it says, as they stand there.
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { destinationAt, startApi } from '../connection/customer-api.ts';
import { findPeer } from '../support/peers.ts';
import { privateFolder } from '../support/program.ts';
import { context, openPipeline, type Pipeline, prefix } from './rotating.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/rotation.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^ *\`\`\`${language}\n([\\s\\S]*?)^ *\`\`\``, 'gm'))].map(([, text]) => text as string);

it('shows events with every member that one has', async () => {
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

describe.skipIf(!aws || !findPeer('jq'))('the commands (needs the AWS CLI and jq)', () => {
  it('begin a rotation, give it up, clear its label, begin another one, take a change over into it, and roll back', {
    timeout: 120_000,
  }, async () => {
    const pipeline = await openPipeline();
    await pipeline.create('acme', pipeline.document());
    let [first] = Object.keys(await pipeline.stages('acme'));
    await pipeline.rotateSecret('acme');
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
    const shell = (script: string) => promisify(execFile)('/bin/sh', ['-ec', script], { env });
    const [beginAndGiveUp = '', clear = '', takeOver = '', , rollBack = ''] = blocks('sh');
    const [begin = '', giveUp = ''] = beginAndGiveUp.split(/(?=^aws secretsmanager cancel)/m);

    await expect(shell(begin)).rejects.toThrow('A previous rotation isn');
    await shell(giveUp);
    expect(Object.values(await pipeline.stages('acme')).flat()).toContain('AWSPENDING');
    await shell(clear);
    expect(Object.values(await pipeline.stages('acme')).flat()).toEqual(['AWSCURRENT']);

    const begun = await pipeline.rotateSecret('acme');
    await pipeline.rotate()({ Step: 'createSecret', ...begun }, context());
    const SecretString = JSON.stringify({
      ...(await pipeline.value('acme')),
      destinations: [{ host: '*.one.example' }],
    });
    await pipeline.client.send(new PutSecretValueCommand({ SecretId: `${prefix}acme`, SecretString }));
    first = (await holders(pipeline)).AWSCURRENT;
    await expect(pipeline.run(begun)).rejects.toThrow('differ in destinations');
    await shell(takeOver);
    const next = (await holders(pipeline)).AWSPENDING as string;
    expect(next).not.toBe(begun.ClientRequestToken);
    await pipeline.run({ ...begun, ClientRequestToken: next });
    expect((await pipeline.value('acme')).destinations).toEqual([{ host: '*.one.example' }]);
    expect(pipeline.authority.signed).toBe(1);
    const filled = rollBack.replace('ID_OF_AWSPREVIOUS', first as string).replace('ID_OF_AWSCURRENT', next);
    await shell(filled);
    expect(await pipeline.stages('acme')).toEqual({ [first as string]: ['AWSCURRENT'], [next]: ['AWSPREVIOUS'] });
  });
});
