// The folder's flush fails after the rename: the caller hears of it, and memory and disk say the same.
import { describe, expect, it } from 'vitest';
import type { Secret } from '../../../local/secrets-manager/secret.ts';
import { openStore } from '../../../local/secrets-manager/store.ts';
import { temporaryFolder } from '../../support/local-secrets-manager/local-server.ts';

const secret = (description: string): Secret => ({
  name: 'a',
  arn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:a-AbCdEf',
  description,
  createdAt: 1,
  changedAt: 1,
  versions: [],
});

/** A store whose disk can be told to refuse the flush of a folder, which no real one does at will. */
async function open() {
  const folder = temporaryFolder();
  const disk = { refuses: false, flushes: 0 };
  const store = await openStore(folder, async () => {
    disk.flushes += 1;
    if (disk.refuses) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
  });
  return { store, folder, disk };
}

describe('a write whose flush fails', () => {
  it.each<[string, Secret | undefined]>([
    ['a new record', secret('new')],
    ['a removal', undefined],
  ])('is rejected, and %s is read, now and after a restart', async (_case, after) => {
    const { store, folder, disk } = await open();
    await store.update('a', () => secret('old'));
    disk.refuses = true;
    await expect(store.update('a', () => after)).rejects.toMatchObject({
      name: 'InternalServiceError',
      message: 'The state could not be written (EIO).',
    });
    const now = store.get('a');
    await store.close();
    const started = await openStore(folder);
    expect(started.get('a')).toEqual(after);
    expect(now).toEqual(after);
    await started.close();
  });

  it('is acknowledged only when it is repeated and flushed', async () => {
    const { store, disk } = await open();
    disk.refuses = true;
    await expect(store.update('a', () => secret('new'))).rejects.toMatchObject({ name: 'InternalServiceError' });
    const same = <Record>(current: Record) => current;
    await expect(store.update('a', same)).rejects.toMatchObject({ name: 'InternalServiceError' });
    disk.refuses = false;
    expect(await store.update('a', same)).toEqual(secret('new'));
    expect(disk.flushes).toBe(3);
    await store.update('a', same);
    expect(disk.flushes).toBe(3);
    await store.close();
  });
});
