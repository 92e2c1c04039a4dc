// What Secrets Manager does to a rotation: it throttles, shows late what was written, and lets two of them run at once.
import { CancelRotateSecretCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it, vi } from 'vitest';
import { openEventPublisher } from '../../../core/events/event-publisher.ts';
import { rotationSteps } from '../../../core/rotation/rotate.ts';
import { openVersions } from '../../../core/versions/versions.ts';
import { failureOf } from '../../support/identity/identities.ts';
import {
  call,
  issuerThat,
  openPipeline,
  type Pipeline,
  prefix,
  signedBy,
} from '../../support/rotation/rotation-pipeline.ts';
import { startSecretsManagerProxy } from '../../support/rotation/secrets-manager-proxy.ts';

async function behindADoor() {
  const pipeline = await openPipeline();
  const door = await startSecretsManagerProxy(pipeline.secretsUrl);
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', door.url);
  const versions = openVersions({ prefix });
  await pipeline.create('platform', pipeline.document());
  return { pipeline, door, versions, event: await pipeline.rotateSecret('platform') };
}

async function expectRotated(pipeline: Pipeline, token: string): Promise<void> {
  const stages = await pipeline.stages('platform');
  expect(stages[token]).toEqual(['AWSCURRENT']);
  expect(Object.values(stages).flat().sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
  expect(pipeline.authority.signed).toBe(1);
}

describe('Secrets Manager', () => {
  it.each(['ThrottlingException', 'InternalServiceError'])('answers with %s for a while', async (name) => {
    const { pipeline, door, versions, event } = await behindADoor();
    for (const Step of rotationSteps) {
      // The SDK waits between its attempts, by chance and up to seconds.
      if (Step === 'createSecret' || Step === 'finishSecret') door.throttle = { name, times: 2 };
      await pipeline.rotate({ versions })({ Step, ...event }, call());
    }
    await expectRotated(pipeline, event.ClientRequestToken);
  });

  it('throttles for longer than a step has', async () => {
    const { pipeline, door, versions, event } = await behindADoor();
    const impatient = openVersions({ prefix, callTimeoutMs: 300 });
    door.throttle = { name: 'ThrottlingException', times: 1_000 };
    const failure = await failureOf(() =>
      pipeline.rotate({ versions: impatient })({ Step: 'createSecret', ...event }, call()),
    );
    expect(failure).toMatchObject({ code: 'identity-unavailable', retryable: true });
    door.throttle.times = 0;
    await pipeline.run(event, { versions });
    await expectRotated(pipeline, event.ClientRequestToken);
  });

  it.each([1, 2, 4])('returns the old state for %i reads after a write', async (staleReads) => {
    const { pipeline, door, versions, event } = await behindADoor();
    door.staleReads = staleReads;
    await pipeline.run(event, { versions });
    expect(door.staleAnswers).toBeGreaterThan(3);
    await pipeline.run(event, { versions });
    await expectRotated(pipeline, event.ClientRequestToken);
  });

  it('denies access, and the error names the missing permission', async () => {
    const { pipeline, door, versions, event } = await behindADoor();
    door.throttle = { name: 'AccessDeniedException', times: 1 };
    const failure = await failureOf(() => pipeline.rotate({ versions })({ Step: 'createSecret', ...event }, call()));
    expect(failure).toMatchObject({ code: 'identity-unavailable', evidence: { reason: 'AccessDeniedException' } });
    expect(failure.hint).toContain('secretsmanager:DescribeSecret');
  });
});

it('that does not return the issued certificate yet is read again before the issuer is asked', async () => {
  const { pipeline, versions, event } = await behindADoor();
  let signed = 0;
  const sign = signedBy(pipeline.authorities.platformIssuer);
  const forgetful = issuerThat((order) => {
    signed += 1;
    return sign(order);
  });
  const step = { Step: 'createSecret', ...event };
  await pipeline.rotate({ versions, ...forgetful })(step, call());
  let hidden = 3;
  const lagging = {
    ...versions,
    read: async (...args: Parameters<typeof versions.read>) => {
      const [, which] = args;
      const isNew = 'version' in which && which.version === event.ClientRequestToken;
      return isNew && hidden-- > 0 ? undefined : versions.read(...args);
    },
  };
  await pipeline.rotate({ versions: lagging, ...forgetful })(step, call());
  expect(hidden).toBe(-1);
  expect(signed).toBe(1);
});

describe('a rotation that is cancelled while the issuer signs', () => {
  const id = { SecretId: `${prefix}platform` };
  const takeOff = (token: string) =>
    new UpdateSecretVersionStageCommand({ ...id, VersionStage: 'AWSPENDING', RemoveFromVersionId: token });

  it.each([
    ['its label taken off', 'not-pending', [takeOff]],
    ['cancelled', 'not-enabled', [() => new CancelRotateSecretCommand(id)]],
    ['cancelled, and its label taken off', 'not-pending', [() => new CancelRotateSecretCommand(id), takeOff]],
  ] as const)('%s, stores nothing, and blocks no other', async (_, reason, commands) => {
    const { pipeline, versions, event } = await behindADoor();
    const sign = signedBy(pipeline.authorities.platformIssuer);
    const givenUp = issuerThat(async (order) => {
      for (const command of commands) await pipeline.client.send(command(event.ClientRequestToken) as never);
      return sign(order);
    });
    const failure = await failureOf(() =>
      pipeline.rotate({ versions, ...givenUp })({ Step: 'createSecret', ...event }, call()),
    );
    expect(failure).toMatchObject({ code: 'rotation-refused', evidence: { reason } });
    const stages = await pipeline.stages('platform');
    expect(stages[event.ClientRequestToken]).toEqual(reason === 'not-enabled' ? ['AWSPENDING'] : undefined);
    expect(await versions.read(event.SecretId, { version: event.ClientRequestToken })).toBeUndefined();
    if (reason === 'not-pending') await pipeline.run(await pipeline.rotateSecret('platform'), { versions });
  });

  it('is not assumed when labels are only read late', async () => {
    const { pipeline, versions, event } = await behindADoor();
    let hidden = 0;
    const lagging = {
      ...versions,
      describe: async (secretId: string) => {
        const state = await versions.describe(secretId);
        return hidden-- > 0 ? { ...state, stages: new Map(), rotationEnabled: false } : state;
      },
    };
    const sign = signedBy(pipeline.authorities.platformIssuer);
    const slow = issuerThat((order) => {
      hidden = 5;
      return sign(order);
    });
    await pipeline.rotate({ versions: lagging, ...slow })({ Step: 'createSecret', ...event }, call());
    expect(hidden).toBe(-1);
    expect((await pipeline.stages('platform'))[event.ClientRequestToken]).toEqual(['AWSPENDING']);
  });
});

describe('two rotations at once', () => {
  it('of the same version end the same way, step by step', async () => {
    const { pipeline, versions, event } = await behindADoor();
    const rotate = pipeline.rotate({ versions });
    for (const Step of rotationSteps) {
      await Promise.all([1, 2, 3].map(() => rotate({ Step, ...event }, call())));
    }
    await expectRotated(pipeline, event.ClientRequestToken);
  });

  it('of the same version, whose issuer signs for each of them, agree on one certificate', async () => {
    const { pipeline, versions, event } = await behindADoor();
    const sign = signedBy(pipeline.authorities.platformIssuer);
    let asked = 0;
    const allAsked = Promise.withResolvers<void>();
    // None has an answer before all have asked.
    const forgetful = issuerThat(async (order) => {
      asked += 1;
      if (asked === 3) allAsked.resolve();
      await allAsked.promise;
      return sign(order);
    });
    const rotate = pipeline.rotate({ versions, ...forgetful });
    await Promise.all([1, 2, 3].map(() => rotate({ Step: 'createSecret', ...event }, call())));
    const outcomes = pipeline.lines.map(({ outcome }) => outcome);
    expect(outcomes.sort()).toEqual(['found', 'found', 'issued']);
    await pipeline.run(event, { versions });
    expect((await pipeline.stages('platform'))[event.ClientRequestToken]).toEqual(['AWSCURRENT']);
  });

  it('of the same version, each at its own pace, end the same way', async () => {
    const { pipeline, door, versions, event } = await behindADoor();
    let calls = 0;
    // Every second call waits for a few others: the two overtake each other all the time.
    door.gate = async () => {
      calls += 1;
      if (calls % 2 === 0) for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    };
    await Promise.all([pipeline.run(event, { versions }), pipeline.run(event, { versions })]);
    await expectRotated(pipeline, event.ClientRequestToken);
  });

  it('of two versions: the one that was cancelled while the issuer signed does not take the label back', async () => {
    const { pipeline, versions, event } = await behindADoor();
    const next = '33333333-3333-4333-8333-333333333333';
    const sign = signedBy(pipeline.authorities.platformIssuer);
    const overtaken = issuerThat(async (order) => {
      const document = JSON.stringify(pipeline.document());
      await versions.put(event.SecretId, { version: next, document, stages: ['AWSPENDING'] });
      return sign(order);
    });
    const failure = await failureOf(() =>
      pipeline.rotate({ versions, ...overtaken })({ Step: 'createSecret', ...event }, call()),
    );
    expect(failure).toMatchObject({ code: 'rotation-refused', evidence: { reason: 'not-pending' } });
    expect((await pipeline.stages('platform'))[next]).toEqual(['AWSPENDING']);
    await pipeline.run({ ...event, ClientRequestToken: next }, { versions });
    const stages = await pipeline.stages('platform');
    expect(stages[next]).toEqual(['AWSCURRENT']);
    expect(Object.values(stages).flat()).not.toContain('AWSPENDING');
  });
});

describe('the bus', () => {
  it.each([{ request: 'AccessDeniedException' }, { entry: 'InternalFailure' }])(
    'that rejects an event (%j) blocks the rotation until it accepts it',
    async (refuse) => {
      const { pipeline, versions, event } = await behindADoor();
      pipeline.bus.refuse = refuse;
      const failure = await failureOf(() => pipeline.run(event, { versions }));
      expect(failure).toMatchObject({ code: 'announcement-failed', evidence: { event: 'Certificate Pending' } });
      expect(failure.evidence?.reason).toBe(Object.values(refuse)[0]);
      pipeline.bus.refuse = undefined;
      await pipeline.run(event, { versions });
      await expectRotated(pipeline, event.ClientRequestToken);
    },
  );

  it('that missed the activation gets it when the step runs again', async () => {
    const { pipeline, versions, event } = await behindADoor();
    const rotate = pipeline.rotate({ versions });
    for (const Step of rotationSteps.slice(0, 3)) await rotate({ Step, ...event }, call());
    pipeline.bus.refuse = { entry: 'InternalFailure' };
    expect((await failureOf(() => rotate({ Step: 'finishSecret', ...event }, call()))).code).toBe(
      'announcement-failed',
    );
    expect((await pipeline.stages('platform'))[event.ClientRequestToken]).toContain('AWSCURRENT');
    pipeline.bus.refuse = undefined;
    await rotate({ Step: 'createSecret', ...event }, call());
    expect(pipeline.bus.events.map(({ detailType }) => detailType)).toEqual([
      'Certificate Pending',
      'Certificate Activated',
    ]);
    await expectRotated(pipeline, event.ClientRequestToken);
  });

  it('is optional; without one a line says what was not announced', async () => {
    const { pipeline, versions, event } = await behindADoor();
    await pipeline.run(event, { versions, events: await openEventPublisher(undefined, pipeline.telemetry) });
    await expectRotated(pipeline, event.ClientRequestToken);
    const silent = pipeline.lines.filter(({ message }) => message === 'not announced');
    expect(silent.map(({ event: name }) => name)).toEqual(['Certificate Pending', 'Certificate Activated']);
  });
});
