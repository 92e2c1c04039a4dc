// RotateSecret with RotateImmediately=false: testSecret runs alone, for an AWSPENDING version that is a copy of
// AWSCURRENT.
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { requestVersionOf } from '../../../core/versions/versions.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { call, openPipeline, type Pipeline, prefix } from '../../support/rotation/rotation-pipeline.ts';

const SecretId = `${prefix}platform`;

async function testSchedule(pipeline: Pipeline): Promise<void> {
  const event = await pipeline.rotateSecret('platform', { testOnly: true });
  expect(await pipeline.value('platform', { VersionStage: 'AWSPENDING' })).toEqual(await pipeline.value('platform'));
  await pipeline.rotate()({ Step: 'testSecret', ...event }, call());
}

/** The value of AWSCURRENT. */
async function putCurrent(pipeline: Pipeline, document: object): Promise<void> {
  const SecretString = JSON.stringify(document);
  await pipeline.client.send(new PutSecretValueCommand({ SecretId, SecretString }));
}

function withoutKeyAndChain(document: object): object {
  const { destinations, renewal } = document as Record<string, unknown>;
  return { destinations, renewal };
}

describe('the test of a schedule', () => {
  it('opens no connection and publishes nothing, although a destination accepts only AWSPREVIOUS', async () => {
    const pipeline = await openPipeline();
    const customer = await startApi(pipeline.authorities);
    const destinations = [destinationAt({ port: customer.port }, pipeline.authorities, { host: 'localhost' })];
    await pipeline.create('platform', pipeline.document({ destinations }));
    const stranger = createAuthority({ commonName: 'Unknown Platform Root' });
    const { privateKey, certificate, intermediates, root } = stranger.issue({ commonName: 'bot', usage: 'client' });
    const parts = { privateKey, certificate, intermediateCertificates: intermediates, rootCertificate: root };
    await putCurrent(pipeline, { ...(await pipeline.value('platform')), ...parts });

    await testSchedule(pipeline);
    expect(pipeline.lines.at(-1)).toMatchObject({ level: 'INFO', step: 'testSecret', outcome: 'renewal-tested' });
    expect(customer.arrived).toBe(0);
    expect(pipeline.bus.events).toEqual([]);
  });

  it('passes for a document with only renewal and destinations, which the first rotation completes', async () => {
    const pipeline = await openPipeline();
    await pipeline.create('platform', withoutKeyAndChain(pipeline.document()));
    await testSchedule(pipeline);
    expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'renewal-tested' });
  });

  it('passes for an expired certificate, which a rotation replaces', async () => {
    const pipeline = await openPipeline();
    await pipeline.create('platform', pipeline.document({}, { notAfter: new Date(Date.now() - 86_400_000) }));
    await testSchedule(pipeline);
    expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'renewal-tested' });
  });

  it('fails for an identity without a renewal', async () => {
    const pipeline = await openPipeline();
    await pipeline.create('platform', { ...pipeline.document(), renewal: undefined });
    expect(await failureOf(() => testSchedule(pipeline))).toMatchObject({
      code: 'renewal-unusable',
      evidence: { reason: 'renewal-missing' },
    });
  });

  it('passes if AWSCURRENT is the certificate request that a cancelled first rotation left', async () => {
    const pipeline = await openPipeline();
    await pipeline.create('platform', { certificateRequest: 'x', privateKey: 'x', for: requestVersionOf('earlier') });
    await testSchedule(pipeline);
    expect(pipeline.lines.at(-1)).toMatchObject({ outcome: 'nothing-to-test' });
  });
});

describe('a copy of the current document', () => {
  it.each([
    ['byte for byte', (document: object) => document],
    ['with its members in another order', (document: object) => Object.fromEntries(Object.entries(document).reverse())],
  ])('%s never becomes current', async (_, copied) => {
    const pipeline = await openPipeline();
    await pipeline.create('platform', pipeline.document());
    const event = await pipeline.rotateSecret('platform');
    await pipeline.client.send(
      new PutSecretValueCommand({
        SecretId,
        ClientRequestToken: event.ClientRequestToken,
        SecretString: JSON.stringify(copied(await pipeline.value('platform'))),
        VersionStages: ['AWSPENDING'],
      }),
    );
    const before = await pipeline.stages('platform');
    await pipeline.rotate()({ Step: 'testSecret', ...event }, call());
    const failure = await failureOf(() => pipeline.rotate()({ Step: 'finishSecret', ...event }, call()));
    expect(failure).toMatchObject({ code: 'rotation-refused', evidence: { reason: 'not-renewed' } });
    expect(failure.message).toBe('The pending version is a copy of the current one.');
    expect(await pipeline.stages('platform')).toEqual(before);
    expect(pipeline.bus.events).toEqual([]);
  });
});
