// Each step rejects a malformed event, a foreign secret or a rotation that is not in progress, and writes nothing.
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { parseRotationEvent, rotationSteps } from '../../../core/rotation/rotate.ts';
import { openVersions } from '../../../core/versions/versions.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { call, openPipeline, prefix } from '../../support/rotation/rotation-pipeline.ts';

const event = {
  Step: 'createSecret',
  SecretId: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:countersign/identities/platform-a1B2c3',
  ClientRequestToken: '5f6f8b1e-6c1e-4f0a-9a1b-0d6c2a1e7b11',
};

describe('an event', () => {
  it.each([
    event,
    { ...event, Step: 'finishSecret', RotationToken: 'a'.repeat(256) },
    { ...event, RotationToken: null },
    { ...event, SecretId: event.SecretId.replace('aws', 'aws-us-gov') },
    { ...event, AddedByAws: { in: 2027 } },
  ])('of Secrets Manager is read: %j', (given) => {
    expect(parseRotationEvent(given)).toMatchObject({ secretArn: given.SecretId, token: event.ClientRequestToken });
  });

  it.each([
    undefined,
    null,
    'createSecret',
    [],
    {},
    { ...event, Step: 'deleteSecret' },
    { ...event, Step: 'constructor' },
    { ...event, SecretId: 'countersign/identities/platform' },
    { ...event, SecretId: `${event.SecretId}?x` },
    { ...event, SecretId: 7 },
    { ...event, ClientRequestToken: 'short' },
    { ...event, ClientRequestToken: 'x'.repeat(65) },
    { ...event, ClientRequestToken: `${'x'.repeat(31)}/` },
    { ...event, RotationToken: {} },
    { ...event, RotationToken: 'secret'.repeat(100) },
  ])('that is malformed is refused without being quoted: %j', async (given) => {
    const error = await failureOf(() => parseRotationEvent(given));
    expect(error).toMatchObject({ code: 'rotation-refused', evidence: { reason: 'event-malformed' } });
    expect(error.message).not.toMatch(/short|secretsecret|xxx|deleteSecret/);
  });
});

async function refusing() {
  const pipeline = await openPipeline();
  await pipeline.create('platform', pipeline.document());
  const begun = await pipeline.rotateSecret('platform');
  const pauses: number[] = [];
  const services = { sleep: async (ms: number) => void pauses.push(ms) };
  const reasonOf = async (given: object) => {
    const before = await pipeline.stages('platform');
    const { code, evidence } = await failureOf(() =>
      pipeline.rotate(services)({ Step: 'createSecret', ...begun, ...given }, call()),
    );
    expect(code).toBe('rotation-refused');
    expect(await pipeline.stages('platform')).toEqual(before);
    return evidence?.reason;
  };
  return { pipeline, begun, pauses, reasonOf };
}

describe('a step', () => {
  it('of a version that the secret does not have is refused after polling', async () => {
    const { reasonOf, pauses } = await refusing();
    expect(await reasonOf({ ClientRequestToken: '00000000-0000-4000-8000-000000000000' })).toBe('unknown-version');
    expect(pauses).toEqual([100, 200, 400, 800, 1_600]);
  });

  it('of a secret whose rotation is not enabled, or was cancelled, is refused', async () => {
    const { pipeline, reasonOf } = await refusing();
    await pipeline.client.send(new CancelRotateSecretCommand({ SecretId: `${prefix}platform` }));
    expect(await reasonOf({})).toBe('not-enabled');
  });

  it('of a version that lost its place is refused', async () => {
    const { pipeline, begun, reasonOf } = await refusing();
    await openVersions({ prefix }).put(begun.SecretId, {
      version: '11111111-1111-4111-8111-111111111111',
      document: '{}',
      stages: ['AWSPENDING'],
    });
    const move = { SecretId: begun.SecretId, VersionStage: 'OTHER', MoveToVersionId: begun.ClientRequestToken };
    await pipeline.client.send(new UpdateSecretVersionStageCommand(move));
    expect(await reasonOf({})).toBe('not-pending');
  });

  it('of a secret that is not an identity is refused', async () => {
    const { pipeline } = await refusing();
    const { ARN = '' } = await pipeline.client.send(
      new CreateSecretCommand({ Name: 'database/main', SecretString: '{}' }),
    );
    const ClientRequestToken = '22222222-2222-4222-8222-222222222222';
    const RotationLambdaARN = 'arn:aws:lambda:us-east-1:123456789012:function:rotate';
    await pipeline.client.send(
      new RotateSecretCommand({
        SecretId: ARN,
        ClientRequestToken,
        RotationLambdaARN,
        RotationRules: { AutomaticallyAfterDays: 1 },
      }),
    );
    const failure = await failureOf(() =>
      pipeline.rotate()({ Step: 'createSecret', SecretId: ARN, ClientRequestToken }, call()),
    );
    expect(failure.evidence?.reason).toBe('foreign-secret');
  });

  it('that comes before createSecret is refused', async () => {
    const { pipeline, begun } = await refusing();
    for (const Step of ['setSecret', 'finishSecret']) {
      const failure = await failureOf(() => pipeline.rotate()({ Step, ...begun }, call()));
      expect(failure).toMatchObject({ code: 'rotation-refused', evidence: { reason: 'no-value' } });
    }
  });

  it('finds a secret that is gone', async () => {
    const { pipeline } = await refusing();
    const failure = await failureOf(() => pipeline.rotate()(event, call()));
    expect(failure).toMatchObject({ code: 'identity-not-found' });
    expect(failure.message).toContain('"platform"');
  });

  it('leaves an unusable pending version unchanged', async () => {
    const { pipeline, begun } = await refusing();
    const document = { ...(pipeline.document() as object), privateKey: 'none' };
    await openVersions({ prefix }).put(begun.SecretId, {
      version: begun.ClientRequestToken,
      document: JSON.stringify(document),
      stages: ['AWSPENDING'],
    });
    for (const Step of rotationSteps) {
      const failure = await failureOf(() => pipeline.rotate()({ Step, ...begun }, call()));
      expect(failure).toMatchObject({ code: 'identity-unusable', evidence: { stage: 'AWSPENDING' } });
      expect(failure.hint).toContain('cancel the rotation');
    }
    expect(pipeline.lines.at(-1)).toMatchObject({
      level: 'WARN',
      step: 'finishSecret',
      RotationStepFailures: 1,
      code: 'identity-unusable',
      stage: 'AWSPENDING',
    });
    expect(pipeline.bus.events).toEqual([]);
  });
});
