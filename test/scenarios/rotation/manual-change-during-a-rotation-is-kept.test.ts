// An operator changes the identity while its rotation is under way: the rotation never undoes what was changed by hand.
import { randomUUID } from 'node:crypto';
import { PutSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { rotationSteps } from '../../../core/rotation/rotate.ts';
import { openVersions } from '../../../core/versions/versions.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { call, openPipeline, type Pipeline, prefix, type StepEvent } from '../../support/rotation/rotation-pipeline.ts';

const twoHosts = [{ host: '*.one.example' }, { host: '*.two.example' }];
const oneHost = [{ host: '*.one.example' }];
const SecretId = `${prefix}platform`;

async function begun(document: object = {}) {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document({ destinations: twoHosts, ...document }));
  const event = await pipeline.rotateSecret('platform');
  return {
    pipeline,
    event,
    step: (Step: string) => pipeline.rotate()({ Step, ...event }, call()),
  };
}

/** As an operator does it: the current document with something changed in it becomes the current version. */
async function putCurrent(pipeline: Pipeline, change: object): Promise<void> {
  const SecretString = JSON.stringify({ ...(await pipeline.value('platform')), ...change });
  await pipeline.client.send(new PutSecretValueCommand({ SecretId, SecretString }));
}

async function holderOf(pipeline: Pipeline, label: string): Promise<string> {
  const found = Object.entries(await pipeline.stages('platform')).find(([, labels]) => labels.includes(label));
  return found?.[0] ?? 'no version';
}

async function moveBack(pipeline: Pipeline): Promise<string> {
  const to = await holderOf(pipeline, 'AWSPREVIOUS');
  await pipeline.client.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: to,
      RemoveFromVersionId: await holderOf(pipeline, 'AWSCURRENT'),
    }),
  );
  return to;
}

const afterEachStep = rotationSteps.slice(0, 3).map((_, index) => [rotationSteps[index], index + 1] as const);

describe('a change of the current document', () => {
  it.each(afterEachStep)(
    'after %s ends the rotation, and a destination that was taken out stays out',
    async (_, done) => {
      const { pipeline, event, step } = await begun();
      for (const Step of rotationSteps.slice(0, done)) await step(Step);
      await putCurrent(pipeline, { destinations: oneHost });
      const changed = await holderOf(pipeline, 'AWSCURRENT');
      for (const Step of rotationSteps.slice(done, 3)) await step(Step);
      const failure = await failureOf(() => step('finishSecret'));
      expect(failure).toMatchObject({
        code: 'rotation-refused',
        evidence: { reason: 'document-changed', version: event.ClientRequestToken },
      });
      expect(failure.message).toContain('destinations');
      expect(failure.message).not.toContain('example');
      expect(await holderOf(pipeline, 'AWSCURRENT')).toBe(changed);
      expect((await pipeline.value('platform')).destinations).toEqual(oneHost);
      // Run again from the start, as Secrets Manager does, it says so before it announces anything anew.
      const announced = pipeline.bus.events.length;
      expect((await failureOf(() => step('createSecret'))).evidence?.reason).toBe('document-changed');
      expect(pipeline.bus.events).toHaveLength(announced);
    },
  );

  it.each([
    ['renewal', { onRejection: 'proceed' }],
    ['a member of the platform itself', { owner: 'payments' }],
  ])('%s is not undone either', async (_, change) => {
    const { pipeline, step } = await begun();
    for (const Step of rotationSteps.slice(0, 3)) await step(Step);
    const { renewal } = await pipeline.value('platform');
    await putCurrent(pipeline, 'owner' in change ? change : { renewal: { ...renewal, ...change } });
    expect((await failureOf(() => step('finishSecret'))).evidence?.reason).toBe('document-changed');
  });

  it('of its form alone is not a change', async () => {
    const { pipeline, event, step } = await begun();
    for (const Step of rotationSteps.slice(0, 3)) await step(Step);
    const { destinations, ...others } = await pipeline.value('platform');
    const SecretString = JSON.stringify({ destinations, ...others }, null, 2);
    await pipeline.client.send(new PutSecretValueCommand({ SecretId, SecretString }));
    await step('finishSecret');
    expect(await holderOf(pipeline, 'AWSCURRENT')).toBe(event.ClientRequestToken);
  });

  it('at the very moment of the move is seen as well', async () => {
    const { pipeline, event, step } = await begun();
    for (const Step of rotationSteps.slice(0, 3)) await step(Step);
    const versions = openVersions({ prefix });
    let isFirst = true;
    const overtaken = {
      ...versions,
      moveStage: async (...args: Parameters<typeof versions.moveStage>) => {
        if (isFirst) await putCurrent(pipeline, { destinations: oneHost });
        isFirst = false;
        return versions.moveStage(...args);
      },
    };
    const failure = await failureOf(() =>
      pipeline.rotate({ versions: overtaken })({ Step: 'finishSecret', ...event }, call()),
    );
    expect(failure.evidence?.reason).toBe('document-changed');
    expect((await pipeline.value('platform')).destinations).toEqual(oneHost);
  });

  it('is kept with the same certificate by the commands of the page, and the rotation continues', async () => {
    const { pipeline, event, step } = await begun();
    for (const Step of rotationSteps.slice(0, 3)) await step(Step);
    await putCurrent(pipeline, { destinations: oneHost });
    const pending = await pipeline.value('platform', { VersionStage: 'AWSPENDING' });
    const { privateKey, certificate, intermediateCertificates, rootCertificate } = pending;
    const merged = {
      ...(await pipeline.value('platform')),
      ...{ privateKey, certificate, intermediateCertificates, rootCertificate },
    };
    const next: StepEvent = { ...event, ClientRequestToken: randomUUID() };
    await pipeline.client.send(
      new PutSecretValueCommand({
        SecretId,
        ClientRequestToken: next.ClientRequestToken,
        SecretString: JSON.stringify(merged),
        VersionStages: ['AWSPENDING'],
      }),
    );
    await pipeline.run(next);
    const current = await pipeline.value('platform');
    expect(current).toMatchObject({ certificate, destinations: oneHost });
    expect(pipeline.authority.signed).toBe(1);
    const labels = Object.values(await pipeline.stages('platform')).flat();
    expect(labels.sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  });
});

describe('a certificate that was put in by hand', () => {
  it.each(afterEachStep)('after %s stays: the pending one was made to replace another', async (_, done) => {
    const { pipeline, step } = await begun();
    for (const Step of rotationSteps.slice(0, done)) await step(Step);
    const own = pipeline.document({ destinations: twoHosts }) as { certificate: string };
    await putCurrent(pipeline, own);
    for (const Step of rotationSteps.slice(done, 3)) await step(Step);
    const failure = await failureOf(() => step('finishSecret'));
    expect(failure).toMatchObject({ code: 'rotation-refused', evidence: { reason: 'certificate-replaced' } });
    expect((await pipeline.value('platform')).certificate).toBe(own.certificate);
  });
});

describe('the certificate that is current already', () => {
  it('stored as the pending one is refused by every step', async () => {
    const { pipeline, event, step } = await begun();
    const before = await pipeline.stages('platform');
    await pipeline.client.send(
      new PutSecretValueCommand({
        SecretId,
        ClientRequestToken: event.ClientRequestToken,
        SecretString: JSON.stringify(await pipeline.value('platform')),
        VersionStages: ['AWSPENDING'],
      }),
    );
    for (const Step of ['createSecret', 'finishSecret']) {
      expect(await failureOf(() => step(Step))).toMatchObject({
        code: 'rotation-refused',
        evidence: { reason: 'not-renewed', version: event.ClientRequestToken },
      });
    }
    expect(await pipeline.stages('platform')).toEqual(before);
    expect(pipeline.bus.events).toEqual([]);
  });
});

describe('a rollback by hand', () => {
  it.each(afterEachStep)('after %s, to the version before the current one, stays', async (_, done) => {
    const { pipeline, event, step } = await begun();
    await pipeline.run(event);
    const second = await pipeline.rotateSecret('platform');
    const again = (Step: string) => pipeline.rotate()({ Step, ...second }, call());
    for (const Step of rotationSteps.slice(0, done)) await again(Step);
    const back = await moveBack(pipeline);
    for (const Step of rotationSteps.slice(done, 3)) await again(Step);
    expect((await failureOf(() => again('finishSecret'))).evidence?.reason).toBe('certificate-replaced');
    expect(await holderOf(pipeline, 'AWSCURRENT')).toBe(back);
    expect((await failureOf(() => step('createSecret'))).code).toBe('rotation-refused');
  });

  it.each(rotationSteps)('after an interrupted finishSecret is not undone by a repeated %s', async (Step) => {
    const { pipeline, step } = await begun();
    for (const earlier of rotationSteps.slice(0, 3)) await step(earlier);
    pipeline.bus.refuse = { entry: 'InternalFailure' };
    expect((await failureOf(() => step('finishSecret'))).code).toBe('announcement-failed');
    pipeline.bus.refuse = undefined;
    const back = await moveBack(pipeline);
    expect(await failureOf(() => step(Step))).toMatchObject({
      code: 'rotation-refused',
      evidence: { reason: 'moved-back' },
    });
    expect(await holderOf(pipeline, 'AWSCURRENT')).toBe(back);
  });
});
