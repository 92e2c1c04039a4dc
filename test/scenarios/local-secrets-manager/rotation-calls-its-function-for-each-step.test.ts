// The runs that RotateSecret and the schedule begin: four steps, failures and retries, tests, restarts; the clock is
// the test's.
import {
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  RotateSecretCommand,
  type RotateSecretCommandInput,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, it, vi } from 'vitest';
import type { Wait } from '../../../local/secrets-manager/rotate.ts';
import type { RotationEvent } from '../../../local/secrets-manager/rotation.ts';
import {
  type Clock,
  day,
  startOfTime,
  startServer,
  temporaryFolder,
} from '../../support/local-secrets-manager/local-server.ts';

const SecretId = 'bot';
const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:rotate';
const steps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];
const delaysMs = [1_000, 5_000];
/** For which the schedule sleeps where nothing comes sooner. */
const longestWait = 3_600_000;

/** Tries until it holds; long enough for a machine that is busy. */
const soon = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 20_000);

/** Time passes when the test says so. */
class Time implements Clock {
  now = startOfTime;
  #sleepers: { until: number; wake: () => void }[] = [];

  wait: Wait = (ms, signal) =>
    new Promise((resolve) => {
      const sleeper = { until: this.now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        resolve();
      });
    });

  /** Lets so much time pass, once it is waited for. */
  async passOnce(ms: number): Promise<void> {
    const until = this.now + ms;
    await soon(() => expect(this.#sleepers.map((one) => one.until)).toContain(until));
    this.pass(ms);
  }

  pass(ms: number): void {
    this.now += ms;
    for (const { wake } of this.#sleepers.filter(({ until }) => until <= this.now)) wake();
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.now);
  }
}

/** A rotation function that does what it should through the API; `before` may throw, or wait. */
async function rotatable(before: (event: RotationEvent) => unknown = () => undefined, folder = temporaryFolder()) {
  const time = new Time();
  const events: RotationEvent[] = [];
  const run = async (event: RotationEvent) => {
    events.push(event);
    await before(event);
    await takeStep(started.client, event);
  };
  const rotationFunctions = (arn: string) => (arn === functionArn ? run : undefined);
  const started = await startServer(folder, time, { rotationFunctions, rotationTiming: { delaysMs, wait: time.wait } });
  const { client, server } = started;
  const describe = () => client.send(new DescribeSecretCommand({ SecretId }));
  const rotate = (input: Partial<RotateSecretCommandInput> = {}) =>
    client.send(new RotateSecretCommand({ SecretId, RotationLambdaARN: functionArn, ...input }));
  const create = () => client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'first' }));
  const stepsOf = (token?: string) => events.filter((one) => one.ClientRequestToken === token).map(({ Step }) => Step);
  return { client, server, folder, time, events, describe, rotate, create, stepsOf };
}

async function takeStep(client: SecretsManagerClient, { Step, SecretId: id, ClientRequestToken }: RotationEvent) {
  const versions = { SecretId: id, ClientRequestToken };
  if (Step === 'createSecret') {
    const put = { ...versions, SecretString: `of ${ClientRequestToken}`, VersionStages: ['AWSPENDING'] };
    await client.send(new PutSecretValueCommand(put));
  }
  if (Step !== 'finishSecret') return;
  const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId: id }));
  const holder = Object.keys(VersionIdsToStages).find((key) => VersionIdsToStages[key]?.includes('AWSCURRENT'));
  const label = { SecretId: id, VersionStage: 'AWSCURRENT' };
  await client.send(
    new UpdateSecretVersionStageCommand({
      ...label,
      MoveToVersionId: ClientRequestToken,
      ...(holder ? { RemoveFromVersionId: holder } : {}),
    }),
  );
  const pending = { SecretId: id, VersionStage: 'AWSPENDING', RemoveFromVersionId: ClientRequestToken };
  await client.send(new UpdateSecretVersionStageCommand(pending));
}

describe('a rotation', () => {
  it('calls the function for four steps, one after the other, after RotateSecret has answered', async () => {
    const gate = Promise.withResolvers<void>();
    let atOnce = 0;
    const { client, events, describe, rotate, create, stepsOf } = await rotatable(async ({ Step }) => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      if (Step === 'createSecret') await gate.promise;
      atOnce -= 1;
    });
    const { ARN, VersionId: first = '' } = await create();
    const { VersionId = '' } = await rotate();
    await soon(() => expect(events).toHaveLength(1));
    expect((await describe()).VersionIdsToStages).toMatchObject({ [VersionId]: ['AWSPENDING'] });
    gate.resolve();
    await soon(async () => expect((await describe()).LastRotatedDate).toEqual(new Date(startOfTime)));
    expect(stepsOf(VersionId)).toEqual(steps);
    expect(events.every((event) => event.SecretId === ARN)).toBe(true);
    expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ VersionId });
    expect((await describe()).VersionIdsToStages).toEqual({ [first]: ['AWSPREVIOUS'], [VersionId]: ['AWSCURRENT'] });
  });

  it('starts again at its first step when a step fails, after each delay, and then stops', async () => {
    const { client, time, events, describe, rotate, create } = await rotatable(({ Step }) => {
      if (Step === 'testSecret') throw new Error('the customer rejects it');
    });
    await create();
    const { VersionId = '' } = await rotate();
    for (const [index, delay] of delaysMs.entries()) {
      await soon(() => expect(events).toHaveLength(3 * (index + 1)));
      await time.passOnce(delay);
    }
    await soon(() => expect(events).toHaveLength(9));
    await settled();
    time.pass(day);
    await settled();
    expect(events).toHaveLength(9);
    expect(new Set(events.map((event) => event.ClientRequestToken))).toEqual(new Set([VersionId]));
    const { VersionIdsToStages, LastRotatedDate } = await describe();
    expect([VersionIdsToStages?.[VersionId], LastRotatedDate]).toEqual([['AWSPENDING'], undefined]);
    expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ SecretString: 'first' });
  });

  it.each(['another', 'the same'])(
    'that stopped is continued by %s RotateSecret, which must have the same token',
    async (how) => {
      let isBroken = true;
      const { time, events, describe, rotate, create, stepsOf } = await rotatable(({ Step }) => {
        if (isBroken && Step === 'setSecret') throw new Error('broken');
      });
      await create();
      const { VersionId = '' } = await rotate();
      for (const [index, delay] of delaysMs.entries()) {
        await soon(() => expect(events).toHaveLength(2 * (index + 1)));
        await time.passOnce(delay);
      }
      await soon(() => expect(events).toHaveLength(6));
      await time.passOnce(longestWait);
      isBroken = false;
      if (how === 'another') await expect(rotate()).rejects.toMatchObject({ name: 'InvalidRequestException' });
      else expect(await rotate({ ClientRequestToken: VersionId })).toMatchObject({ VersionId });
      await soon(async () => expect((await describe()).VersionIdsToStages?.[VersionId]).toEqual(['AWSCURRENT']));
      expect(stepsOf(VersionId).slice(6)).toEqual(steps);
    },
  );

  it('whose function succeeds without moving AWSCURRENT has failed', async () => {
    let calls = 0;
    const rotationFunctions = () => async () => {
      calls += 1;
    };
    const time = new Time();
    const { client } = await startServer(temporaryFolder(), time, {
      rotationFunctions,
      rotationTiming: { delaysMs, wait: time.wait },
    });
    await client.send(new CreateSecretCommand({ Name: SecretId, SecretString: 'first' }));
    await client.send(new RotateSecretCommand({ SecretId, RotationLambdaARN: functionArn }));
    await soon(() => expect(calls).toBe(4));
    await time.passOnce(1_000);
    await soon(() => expect(calls).toBe(8));
    expect((await client.send(new DescribeSecretCommand({ SecretId }))).LastRotatedDate).toBeUndefined();
  });

  it('that is cancelled makes no further step, and keeps its AWSPENDING version', async () => {
    const gate = Promise.withResolvers<void>();
    const { client, events, describe, rotate, create } = await rotatable(() => gate.promise);
    await create();
    const { VersionId = '' } = await rotate();
    await soon(() => expect(events).toHaveLength(1));
    const cancelled = await client.send(new CancelRotateSecretCommand({ SecretId }));
    expect(cancelled).toMatchObject({ VersionId });
    gate.resolve();
    await settled();
    expect(events).toHaveLength(1);
    expect(await describe()).toMatchObject({
      RotationEnabled: false,
      VersionIdsToStages: { [VersionId]: ['AWSPENDING'] },
    });
    await expect(rotate()).rejects.toMatchObject({ name: 'InvalidRequestException' });
    await settled();
    expect(events).toHaveLength(1);
  });

  it('stops while its secret is scheduled for deletion, and is taken up again when that is restored', async () => {
    const { client, time, events, rotate, create, describe } = await rotatable(({ Step }) => {
      if (Step === 'createSecret' && events.length === 1) throw new Error('once');
    });
    await create();
    const { VersionId = '' } = await rotate();
    await soon(() => expect(events).toHaveLength(1));
    await client.send(new DeleteSecretCommand({ SecretId }));
    await settled();
    time.pass(delaysMs[0] as number);
    await settled();
    expect(events).toHaveLength(1);
    await client.send(new RestoreSecretCommand({ SecretId }));
    await time.passOnce(delaysMs[0] as number);
    await soon(async () => expect((await describe()).VersionIdsToStages?.[VersionId]).toEqual(['AWSCURRENT']));
  });

  it('continues after a restart, and closing waits for the current step', async () => {
    const gate = Promise.withResolvers<void>();
    const { server, folder, events, rotate, create } = await rotatable(() => gate.promise);
    await create();
    const { VersionId = '' } = await rotate();
    await soon(() => expect(events).toHaveLength(1));
    const order: string[] = [];
    const closed = server.close().then(() => order.push('closed'));
    await settled();
    order.push('step');
    gate.resolve();
    await closed;
    expect(order).toEqual(['step', 'closed']);
    expect(events).toHaveLength(1);

    const after = await rotatable(undefined, folder);
    await soon(async () => expect((await after.describe()).VersionIdsToStages?.[VersionId]).toEqual(['AWSCURRENT']));
    expect(after.stepsOf(VersionId)).toEqual(steps);
  });
});

describe('without rotating immediately', () => {
  it('testSecret alone is called, with a copy of AWSCURRENT at AWSPENDING that is removed afterwards', async () => {
    const seen: (string[] | string | undefined)[] = [];
    const { client, events, describe, rotate, create } = await rotatable(async ({ ClientRequestToken: VersionId }) => {
      seen.push((await describe()).VersionIdsToStages?.[VersionId]);
      seen.push((await client.send(new GetSecretValueCommand({ SecretId, VersionId }))).SecretString);
    });
    const { VersionId: first = '' } = await create();
    await rotate({ RotateImmediately: false, RotationRules: { AutomaticallyAfterDays: 30 } });
    await soon(async () => expect((await describe()).VersionIdsToStages).toEqual({ [first]: ['AWSCURRENT'] }));
    expect(events.map(({ Step }) => Step)).toEqual(['testSecret']);
    expect(seen).toEqual([['AWSPENDING'], 'first']);
    expect(await describe()).toMatchObject({ RotationEnabled: true, NextRotationDate: new Date('2026-02-15T00:00Z') });
    expect((await describe()).LastRotatedDate).toBeUndefined();
    expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ SecretString: 'first' });
  });

  it('a test that always fails leaves no version either', async () => {
    const { time, events, describe, rotate, create } = await rotatable(() => {
      throw new Error('broken');
    });
    const { VersionId: first = '' } = await create();
    await rotate({ RotateImmediately: false });
    for (const [index, delay] of delaysMs.entries()) {
      await soon(() => expect(events).toHaveLength(index + 1));
      await time.passOnce(delay);
    }
    await soon(async () => expect((await describe()).VersionIdsToStages).toEqual({ [first]: ['AWSCURRENT'] }));
    expect(events).toHaveLength(3);
  });
});

describe('a schedule', () => {
  const RotationRules = { ScheduleExpression: 'rate(1 day)', Duration: '2h' };
  const hour = 3_600_000;

  it('begins a rotation as each window opens', async () => {
    const { time, events, describe, rotate, create } = await rotatable();
    await create();
    await rotate({ RotationRules, RotateImmediately: false });
    await soon(() => expect(events).toHaveLength(1));
    for (const [date, count] of [
      ['2026-01-16', 5],
      ['2026-01-17', 9],
    ] as const) {
      await settled();
      const midnight = new Date(date).getTime();
      await soon(async () =>
        expect(Object.values((await describe()).VersionIdsToStages ?? {}).flat()).not.toContain('AWSPENDING'),
      );
      const { NextRotationDate, RotationRules: rules } = await describe();
      expect(NextRotationDate).toEqual(new Date(midnight + 2 * hour));
      // Of a schedule, AWS tells the days once there was a rotation.
      expect(rules).toEqual(count === 5 ? RotationRules : { ...RotationRules, AutomaticallyAfterDays: 1 });
      time.pass(midnight - time.now - 1);
      await settled();
      expect(events).toHaveLength(count - 4);
      await time.passOnce(1);
      await soon(async () => expect((await describe()).LastRotatedDate).toEqual(new Date(midnight)));
      expect(events).toHaveLength(count);
    }
  });

  it('that was missed starts a rotation at the next start', async () => {
    const { server, folder, time, rotate, create } = await rotatable();
    await create();
    await rotate({ RotationRules });
    await settled();
    await server.close();
    expect(time.now).toBe(startOfTime);
    const later = new Time();
    later.now += 9 * day;
    const calls: string[] = [];
    const rotationFunctions = () => async (event: RotationEvent) => void calls.push(event.Step);
    await startServer(folder, later, { rotationFunctions, rotationTiming: { delaysMs, wait: later.wait } });
    await soon(() => expect(calls).toEqual(steps));
  });

  it('goes on to the next window after a rotation that failed, and its date stays in the past', async () => {
    const { time, events, describe, rotate, create } = await rotatable(({ Step }) => {
      if (Step === 'createSecret' || Step === 'testSecret') throw new Error('broken');
    });
    await create();
    await rotate({ RotationRules, RotateImmediately: false });
    // The test fails as well; its retries come first.
    for (const delay of delaysMs) await time.passOnce(delay);
    await time.passOnce(longestWait);
    expect(events).toHaveLength(3);
    time.pass(new Date('2026-01-16').getTime() - time.now);
    for (const delay of delaysMs) await time.passOnce(delay);
    await time.passOnce(longestWait);
    expect(events).toHaveLength(6);
    expect((await describe()).NextRotationDate).toEqual(new Date('2026-01-16T02:00Z'));
    time.pass(new Date('2026-01-17').getTime() - time.now);
    await soon(() => expect(events).toHaveLength(7));
    expect(new Set(events.slice(3).map(({ ClientRequestToken }) => ClientRequestToken)).size).toBe(1);
  });

  it('in days counts from a value that was put in by hand', async () => {
    const { client, time, describe, rotate, create } = await rotatable();
    await create();
    await rotate({ RotationRules: { AutomaticallyAfterDays: 30 } });
    await settled();
    time.pass(10 * day);
    await client.send(new PutSecretValueCommand({ SecretId, SecretString: 'by hand' }));
    expect((await describe()).NextRotationDate).toEqual(new Date('2026-02-25T00:00Z'));
  });
});

/** Lets what is under way on this loopback come to rest: some answers there and back. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 30));
}
