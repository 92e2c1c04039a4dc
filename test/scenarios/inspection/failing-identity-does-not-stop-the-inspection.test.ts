// An identity that the store refuses or throttles, or for which no time is left, is `unread`. If listing fails, so does
// the inspection.
import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import { makeChain, makeKeys } from '../../support/identity/identities.ts';
import { send, sendError, startStore } from '../../support/identity/store-server.ts';
import { day, inspect, lastOf, lineOf, now, openStore, prefix, useStore } from '../../support/inspection/inspection.ts';

describe('an identity that cannot be read', () => {
  it('is unread with the reason of the store, and the others are reported', async () => {
    const denying = await startStore((response) => sendError(response, 400, 'AccessDeniedException', 'Not authorized'));
    onTestFinished(() => denying.close());
    useStore(denying.url);
    const refused = secretsManagerSource({ prefix });
    // The SDK looks up its endpoint with the first call and keeps it.
    await expect(refused.read('denied', 'AWSCURRENT')).rejects.toThrow('denied access');

    const { put } = await openStore();
    await put('platform', makeKeys(makeChain(), { notAfter: new Date(now + 60 * day) }));
    await put('denied', '{}');
    const source = secretsManagerSource({ prefix });
    const lines = await inspect({
      source: { read: (name, stage) => (name === 'denied' ? refused : source).read(name, stage) },
    });
    expect(lineOf(lines, 'denied')).toMatchObject({
      state: 'unread',
      level: 'WARN',
      code: 'identity-unavailable',
      reason: 'AccessDeniedException',
    });
    expect(lineOf(lines, 'platform')).toMatchObject({ state: 'usable' });
    expect(lastOf(lines)).toMatchObject({ UnreadIdentities: 1, BrokenIdentities: 0, DaysToExpiry: 60 });
  });

  it('is unread if no time is left, and the last line is written', async () => {
    const { put } = await openStore();
    await put('platform', makeKeys(makeChain()));
    const lines = await inspect({ remainingMs: () => 10_000 });
    expect(lineOf(lines, 'platform')).toMatchObject({ state: 'unread', reason: 'out-of-time' });
    expect(lastOf(lines)).toMatchObject({ message: 'identities inspected', UnreadIdentities: 1 });
  });

  it('because of a defect is logged with its place and without its message', async () => {
    const { put } = await openStore();
    await put('platform', '{}');
    const lines = await inspect({
      source: {
        read: () => Promise.reject(new TypeError('of the key MIIB')),
      },
    });
    expect(lines.map(({ message }) => message)).toEqual([
      'internal error',
      'identity inspected',
      'identities inspected',
    ]);
    expect(lineOf(lines, 'platform')).toMatchObject({ state: 'unread', code: 'internal-error' });
    expect(JSON.stringify(lines)).not.toContain('MIIB');
  });
});

it('writes nothing and fails if the secrets cannot be listed', async () => {
  const store = await startStore((response) => sendError(response, 400, 'AccessDeniedException', 'no'));
  onTestFinished(() => store.close());
  useStore(store.url);
  await expect(inspect()).rejects.toMatchObject({ name: 'AccessDeniedException' });
});

describe('a rotation', () => {
  it('is overdue by the dates that Secrets Manager gives in seconds', async () => {
    const pending = randomUUID();
    const entry = (name: string, more: object) => ({
      Name: prefix + name,
      ARN: `arn:aws:secretsmanager:eu-west-1:1:secret:${name}`,
      ...more,
    });
    const keys = makeKeys(makeChain(), { notAfter: new Date(now + 300 * day) });
    const asked: string[] = [];
    const store = await startStore((response, _, request) => {
      const action = String(request.headers['x-amz-target']);
      asked.push(action);
      if (action.endsWith('.ListSecrets')) {
        return send(response, 200, {
          SecretList: [
            entry('missed', { RotationEnabled: true, NextRotationDate: (now - 2 * day) / 1000 }),
            entry('soon', { RotationEnabled: true, NextRotationDate: (now + day) / 1000 }),
            entry('by-hand', { NextRotationDate: (now - 90 * day) / 1000 }),
            entry('stuck', {
              RotationEnabled: true,
              NextRotationDate: (now + day) / 1000,
              SecretVersionsToStages: { [randomUUID()]: ['AWSCURRENT'], [pending]: ['AWSPENDING'] },
            }),
            entry('done', {
              RotationEnabled: true,
              SecretVersionsToStages: { [randomUUID()]: ['AWSCURRENT', 'AWSPENDING'] },
            }),
          ],
        });
      }
      if (action.endsWith('.ListSecretVersionIds')) {
        const CreatedDate = (now - 3 * day) / 1000;
        return send(response, 200, { Versions: [{ VersionId: pending, VersionStages: ['AWSPENDING'], CreatedDate }] });
      }
      send(response, 200, { VersionId: randomUUID(), SecretString: JSON.stringify(keys) });
    });
    onTestFinished(() => store.close());
    useStore(store.url);
    const lines = await inspect();
    const overdue = Object.fromEntries(
      lines.filter(({ overdue }) => overdue !== undefined).map(({ identity, overdue }) => [identity, overdue]),
    );
    expect(overdue).toEqual({
      missed: ['next-rotation-passed'],
      soon: [],
      'by-hand': [],
      stuck: ['pending-for-a-day'],
      done: [],
    });
    expect(lineOf(lines, 'missed')).toMatchObject({
      level: 'WARN',
      state: 'usable',
      rotationEnabled: true,
      nextRotation: new Date(now - 2 * day).toISOString(),
    });
    expect(lastOf(lines)).toMatchObject({ RotationsOverdue: 2 });
    expect(asked.filter((action) => action.endsWith('.ListSecretVersionIds'))).toHaveLength(1);
  });
});
