// One inspection of identities of every kind: each has its line, and the last line counts them.

import { rootCertificates } from 'node:tls';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { makeChain, makeKeys } from '../../support/identity/identities.ts';
import { day, inspect, lastOf, lineOf, now, openStore, prefix, useStore } from '../../support/inspection/inspection.ts';
import { clientOf, temporaryFolder } from '../../support/local-secrets-manager/local-server.ts';

const until = (days: number) => ({ notAfter: new Date(now + days * day) });

describe('days to expiry', () => {
  it('are reported for the leaf and for the issuer that expires first', async () => {
    const { put } = await openStore();
    const root = createAuthority({ commonName: 'Root', ...until(900) });
    const issuer = root.intermediate({ commonName: 'Issuer', ...until(100.25) });
    await put('platform', makeKeys({ issuer }, until(29.96)));
    const lines = await inspect();

    const metrics = lines.filter(({ certificate }) => certificate !== undefined);
    expect(metrics.map(({ identity, certificate, DaysToExpiry }) => [identity, certificate, DaysToExpiry])).toEqual([
      ['platform', 'leaf', 29.9],
      ['platform', 'issuer', 100.2],
    ]);
    for (const { _aws } of metrics) {
      expect(_aws?.CloudWatchMetrics).toEqual([
        {
          Namespace: 'Countersign',
          Dimensions: [['identity', 'certificate']],
          Metrics: [{ Name: 'DaysToExpiry', Unit: 'None' }],
        },
      ]);
      expect(_aws).toHaveProperty('Timestamp', now);
    }
    expect(lineOf(lines, 'platform')).toMatchObject({
      level: 'INFO',
      state: 'usable',
      stages: ['AWSCURRENT'],
      leafDays: 29.9,
      issuerDays: 100.2,
      validTo: new Date(now + 29.96 * day).toISOString(),
      issuerValidTo: new Date(now + 100.25 * day).toISOString(),
      rotationEnabled: false,
      overdue: [],
    });
  });

  it('of the issuer are those of the root if it expires before the intermediate', async () => {
    const { put } = await openStore();
    const root = createAuthority({ commonName: 'Root', ...until(50) });
    await put('platform', makeKeys({ issuer: root.intermediate({ commonName: 'Issuer', ...until(100) }) }, until(200)));
    expect(lineOf(await inspect(), 'platform')).toMatchObject({ leafDays: 200, issuerDays: 50 });
  });

  it('over all are those of the certificate that expires first, also an issuer', async () => {
    const { put } = await openStore();
    await put('platform', makeKeys(makeChain(), until(29)));
    const issuer = createAuthority({ commonName: 'Root', ...until(12) });
    await put('acme', makeKeys({ issuer }, until(60)));
    expect(lastOf(await inspect())).toMatchObject({ IdentitiesInspected: 2, DaysToExpiry: 12 });
  });

  it('are reported for expired and for broken identities too', async () => {
    const { put } = await openStore();
    const chain = makeChain();
    await put('expired', makeKeys(chain, until(-0.5)));
    await put('mismatched', { ...makeKeys(chain, until(40)), privateKey: makeKeys(chain).privateKey });
    await put('half', { ...makeKeys(chain, until(50)), rootCertificate: 'not PEM' });
    const lines = await inspect();
    expect(lineOf(lines, 'expired')).toMatchObject({
      state: 'broken',
      reason: 'expired',
      leafDays: -0.5,
      level: 'WARN',
    });
    expect(lineOf(lines, 'mismatched')).toMatchObject({ state: 'broken', reason: 'key-mismatch', leafDays: 40 });
    expect(lineOf(lines, 'half')).toMatchObject({ state: 'broken', where: 'rootCertificate', leafDays: 50 });
    expect(lastOf(lines)).toMatchObject({ BrokenIdentities: 3, DaysToExpiry: -0.5 });
  });
});

describe('an identity', () => {
  it('without a version is empty, not broken, and has no days', async () => {
    const { client } = await openStore();
    await client.send(new CreateSecretCommand({ Name: `${prefix}platform` }));
    const lines = await inspect();
    expect(lineOf(lines, 'platform')).toMatchObject({ state: 'empty', level: 'INFO', stages: [] });
    expect(lastOf(lines)).toMatchObject({ IdentitiesInspected: 1, EmptyIdentities: 1, BrokenIdentities: 0 });
    expect(lastOf(lines)).not.toHaveProperty('DaysToExpiry');
    const named = lastOf(lines)._aws?.CloudWatchMetrics.flatMap(({ Metrics }) => Metrics.map(({ Name }) => Name));
    expect(named).not.toContain('DaysToExpiry');
    expect(named).toContain('EmptyIdentities');
  });

  it('whose current version is the request of its first rotation is empty', async () => {
    const { client } = await openStore();
    await client.send(new CreateSecretCommand({ Name: `${prefix}platform` }));
    await client.send(
      new PutSecretValueCommand({
        SecretId: `${prefix}platform`,
        SecretString: '{"privateKey":"…","certificateRequest":"…","for":"…","replaces":null}',
        VersionStages: ['COUNTERSIGN_REQUEST'],
      }),
    );
    expect(lineOf(await inspect(), 'platform')).toMatchObject({
      state: 'empty',
      stages: ['AWSCURRENT', 'COUNTERSIGN_REQUEST'],
    });
  });

  it('is reported by its content, whatever label was moved to its version', async () => {
    const { client, put } = await openStore();
    const root = createAuthority({ commonName: 'Root' });
    const { privateKey, certificate } = root.issue({ commonName: 'bot', notAfter: new Date(now + 5 * day) });
    const document = { privateKey, certificate, intermediateCertificates: '', rootCertificate: root.certificate };
    const { VersionId } = await put('platform', document);
    await client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: `${prefix}platform`,
        VersionStage: 'COUNTERSIGN_REQUEST',
        MoveToVersionId: VersionId,
      }),
    );
    expect(lineOf(await inspect(), 'platform')).toMatchObject({
      state: 'usable',
      leafDays: 5,
      stages: ['AWSCURRENT', 'COUNTERSIGN_REQUEST'],
    });
  });

  it('without a document is broken, and is not quoted', async () => {
    const { client, put } = await openStore();
    await put('text', 'correct horse battery staple');
    await client.send(new CreateSecretCommand({ Name: `${prefix}binary`, SecretBinary: Buffer.from('battery') }));
    const lines = await inspect();
    expect(lineOf(lines, 'text')).toMatchObject({ state: 'broken', reason: 'document-malformed' });
    expect(lineOf(lines, 'binary')).toMatchObject({ state: 'broken', reason: 'document-malformed' });
    expect(JSON.stringify(lines)).not.toMatch(/battery/);
  });

  it('is reported with its stages, without a key or certificate', async () => {
    const { client, put } = await openStore();
    const chain = makeChain();
    const [one, two, three] = [makeKeys(chain), makeKeys(chain), makeKeys(chain)];
    await put('platform', one);
    for (const [document, stage] of [[two, 'AWSCURRENT'] as const, [three, 'AWSPENDING'] as const]) {
      await client.send(
        new PutSecretValueCommand({
          SecretId: `${prefix}platform`,
          SecretString: JSON.stringify(document),
          VersionStages: [stage],
        }),
      );
    }
    const lines = await inspect();
    expect(lineOf(lines, 'platform')?.stages).toEqual(['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS']);
    expect(lastOf(lines)).toMatchObject({ PendingVersions: 1, PreviousVersions: 1 });
    const text = JSON.stringify(lines);
    expect(text).not.toContain('BEGIN');
    for (const { privateKey, certificate } of [one, two, three]) {
      for (const line of `${privateKey}${certificate}`.split('\n').filter((row) => row.length > 40)) {
        expect(text).not.toContain(line);
      }
    }
  });

  it('with another name or prefix, or that is being deleted, is left out', async () => {
    const { client, put } = await openStore();
    await put('Not_A_Name', '{}');
    await put('platform/backup', '{}');
    await put('leaving', '{}');
    await client.send(new CreateSecretCommand({ Name: 'countersign/other', SecretString: '{}' }));
    await client.send(new DeleteSecretCommand({ SecretId: `${prefix}leaving` }));
    const lines = await inspect();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ message: 'identities inspected', IdentitiesInspected: 0 });
  });
});

describe('an issuer that ends client authentication', () => {
  it('has the key of a public web root', async () => {
    const { put } = await openStore();
    const [publicRoot, ownRoot] = [createAuthority({ commonName: 'Public' }), createAuthority({ commonName: 'Own' })];
    // The same key under another certificate, as when one root has signed the other.
    const again = createAuthority({ commonName: 'Public', privateKey: publicRoot.privateKey });
    await put('bought', makeKeys({ issuer: publicRoot.intermediate({ commonName: 'Public issuing' }) }));
    await put('crossed', makeKeys({ issuer: again }));
    await put('own', makeKeys({ issuer: ownRoot }));
    const lines = await inspect({ publicRoots: [publicRoot.certificate] });
    expect(lineOf(lines, 'bought')).toMatchObject({ clientAuthenticationEnding: true, state: 'usable', level: 'WARN' });
    expect(lineOf(lines, 'crossed')).toMatchObject({ clientAuthenticationEnding: true });
    expect(lineOf(lines, 'own')).toMatchObject({ clientAuthenticationEnding: false, level: 'INFO' });
    expect(lastOf(lines)).toMatchObject({ ClientAuthenticationEnding: 2 });
  });

  it('is found among the roots that Node bundles', async () => {
    const { put } = await openStore();
    // The test has no key of such a root, so the chain is broken; the root is reported all the same.
    await put('bought', { ...makeKeys(makeChain()), rootCertificate: rootCertificates[0] });
    expect(lineOf(await inspect(), 'bought')).toMatchObject({ clientAuthenticationEnding: true, state: 'broken' });
  });
});

it('reports when Secrets Manager rotates next', async () => {
  const folder = temporaryFolder();
  const arn = 'arn:aws:lambda:eu-west-1:000000000000:function:rotate';
  const server = await startSecretsManager({
    folder,
    port: 0,
    now: () => now,
    rotationFunctions: () => () => Promise.resolve(),
  });
  onTestFinished(() => server.close());
  useStore(server.url);
  const client = clientOf(server.url);
  const SecretId = `${prefix}platform`;
  await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: JSON.stringify(makeKeys(makeChain())) }));
  const RotationRules = { ScheduleExpression: 'rate(50 days)' };
  await client.send(
    new RotateSecretCommand({ SecretId, RotationLambdaARN: arn, RotationRules, RotateImmediately: false }),
  );
  const { NextRotationDate } = await client.send(new DescribeSecretCommand({ SecretId }));
  const line = lineOf(await inspect(), 'platform');
  expect(line).toMatchObject({ rotationEnabled: true, nextRotation: NextRotationDate?.toISOString(), overdue: [] });
  expect(Date.parse(String(line?.nextRotation))).toBeGreaterThan(now + 48 * day);
});

it('reads more identities than one page of the list has', async () => {
  const { put } = await openStore();
  const keys = makeKeys(makeChain(), until(77));
  for (let number = 0; number < 105; number += 1) await put(`customer-${number}`, keys);
  const lines = await inspect();
  expect(lastOf(lines)).toMatchObject({ IdentitiesInspected: 105, BrokenIdentities: 0, DaysToExpiry: 77 });
  expect(new Set(lines.map(({ identity }) => identity)).size).toBe(106);
});
