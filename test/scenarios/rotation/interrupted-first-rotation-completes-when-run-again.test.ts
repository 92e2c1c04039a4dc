// A secret without any value: its first rotation broken off before and after each call, then run again; no request is
// left as an identity.
import { CancelRotateSecretCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { openEventPublisher } from '../../../core/events/event-publisher.ts';
import { openIssuer } from '../../../core/issuers/open-issuer.ts';
import type { RotationServices } from '../../../core/rotation/rotation.ts';
import { openVersions } from '../../../core/versions/versions.ts';
import { expectUsable, openPipeline, prefix } from '../../support/rotation/rotation-pipeline.ts';

/** The services, of which call `at` fails: it never arrives, or its answer does not. */
function breaking(services: Pick<RotationServices, 'versions' | 'events' | 'openIssuer'>, at: number, moment: string) {
  const calls: string[] = [];
  const watched =
    <Args extends unknown[], Answer>(name: string, call: (...args: Args) => Promise<Answer>) =>
    async (...args: Args): Promise<Answer> => {
      const count = calls.push(name);
      if (count === at && moment === 'before') throw new Error('broken off');
      const answer = await call(...args);
      if (count === at) throw new Error('broken off');
      return answer;
    };
  const { versions, events, openIssuer: open } = services;
  return {
    calls,
    services: {
      versions: {
        describe: watched('describe', versions.describe),
        read: watched('read', versions.read),
        put: watched('put', versions.put),
        moveStage: watched('moveStage', versions.moveStage),
      },
      events: { publish: watched('publish', events.publish) },
      openIssuer: async (settings: Parameters<typeof open>[0]) => {
        const issuer = await open(settings);
        return { issue: watched('issue', (order: Parameters<typeof issuer.issue>[0]) => issuer.issue(order)) };
      },
    },
  };
}

it('ends with the first identity, issued once, and no label but AWSCURRENT', async () => {
  const pipeline = await openPipeline();
  const { renewal } = pipeline.document() as { renewal: object };
  const real = {
    versions: openVersions({ prefix }),
    events: await openEventPublisher('certificates', pipeline.telemetry),
    openIssuer,
  };
  let issued = 0;

  async function rotated(identity: string, at: number, moment: string): Promise<readonly string[]> {
    const { calls, services } = breaking(real, at, moment);
    const renewals = { [identity]: renewal };
    await pipeline.create(identity, undefined);
    const event = await pipeline.rotateSecret(identity);
    const run = pipeline.run(event, { ...services, renewals });
    await (at > 0 ? expect(run).rejects.toThrow() : run);
    await pipeline.run(event, { ...real, renewals });
    expect(await pipeline.stages(identity), `${moment} call ${at}`).toEqual({
      [event.ClientRequestToken]: ['AWSCURRENT'],
    });
    const document = await pipeline.value(identity);
    expectUsable(document);
    const parts = ['certificate', 'intermediateCertificates', 'privateKey', 'rootCertificate'];
    expect(Object.keys(document).sort()).toEqual(parts);
    issued += 1;
    expect(pipeline.authority.signed).toBe(issued);
    const told = pipeline.bus.events
      .filter(({ detail }) => detail.identity === identity)
      .map(({ detailType }) => detailType);
    expect(new Set(told)).toEqual(new Set(['Certificate Pending', 'Certificate Activated']));
    return calls;
  }

  const calls = await rotated('whole', 0, 'never');
  expect(new Set(calls)).toEqual(new Set(['describe', 'read', 'put', 'issue', 'publish', 'moveStage']));
  for (const moment of ['before', 'after']) {
    for (const at of calls.keys()) await rotated(`${moment}-${at}`, at + 1, moment);
  }
}, 120_000);

it('is cancelled, and another one makes an identity with nothing of the first request', async () => {
  const pipeline = await openPipeline();
  const { renewal } = pipeline.document() as { renewal: object };
  await pipeline.create('platform', undefined);
  const first = await pipeline.rotateSecret('platform');
  const byHand = { renewals: { platform: { issuer: { kind: 'manual' } } } };
  await expect(pipeline.run(first, byHand)).rejects.toThrow('waits for a signature');
  const SecretId = `${prefix}platform`;
  await pipeline.client.send(new CancelRotateSecretCommand({ SecretId }));
  const pending = { VersionStage: 'AWSPENDING', RemoveFromVersionId: first.ClientRequestToken };
  await pipeline.client.send(new UpdateSecretVersionStageCommand({ SecretId, ...pending }));

  const second = await pipeline.rotateSecret('platform');
  await pipeline.run(second, { renewals: { platform: renewal } });
  expect(await pipeline.stages('platform')).toEqual({ [second.ClientRequestToken]: ['AWSCURRENT'] });
  const parts = ['certificate', 'intermediateCertificates', 'privateKey', 'rootCertificate'];
  expect(Object.keys(await pipeline.value('platform')).sort()).toEqual(parts);
});
