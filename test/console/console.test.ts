import { describe, expect, it } from 'vitest';
import { openConsole } from '../../console/console.ts';
import { createRecentVerdicts } from '../../console/recent-verdicts.ts';
import type { IdentitySource, Stage } from '../../core/identity/identity.ts';
import { createAuthorities, documentOf } from '../support/stage.ts';

const { platformIssuer } = createAuthorities();
const day = 86_400_000;

/** One identity in a store whose reads take `takesMs`. */
function consoleOf({ takesMs = 0, at = Date.now(), stages = ['AWSCURRENT'] as readonly Stage[] } = {}) {
  const clock = { time: at };
  const asked = { read: 0 };
  const documents = new Map<Stage, { version: string; document: string }>();
  const source: IdentitySource = {
    async read(_name, stage) {
      asked.read += 1;
      clock.time += takesMs;
      const stored = documents.get(stage);
      if (stored === undefined) throw new Error('It is not there.');
      return { ...stored, stage };
    },
  };
  const console = openConsole({
    place: 'directory',
    source,
    stages,
    names: async () => ['platform'],
    verdicts: createRecentVerdicts(),
    now: () => clock.time,
  });
  const see = async () => (await console.state(undefined)).identities[0];
  return { clock, asked, documents, see };
}

const issue = (notAfter: Date) => platformIssuer.issue({ commonName: 'platform', usage: 'client', notAfter });

describe('the state of the console', () => {
  it('is reused for one second from the end of the read, however long it took', async () => {
    const { clock, asked, documents, see } = consoleOf({ takesMs: 5_000 });
    documents.set('AWSCURRENT', { version: '1', document: documentOf(issue(new Date(clock.time + 90 * day)), []) });
    await see();
    expect(asked.read).toBe(1);
    clock.time += 999;
    await see();
    expect(asked.read).toBe(1);
    clock.time += 1;
    await see();
    expect(asked.read).toBe(2);
  });

  it('reuses the status of the same version for a minute', async () => {
    const { clock, asked, documents, see } = consoleOf();
    const stored = { version: '1', document: documentOf(issue(new Date(clock.time + 90 * day)), []) };
    documents.set('AWSCURRENT', stored);
    const first = await see();
    clock.time += 59_000;
    const second = await see();
    expect(asked.read).toBe(2);
    expect(second?.current).toBe(first?.current);
    clock.time += 1_000;
    const third = await see();
    expect(third?.current).not.toBe(first?.current);
    expect(third?.current).toEqual(first?.current);
    // A changed document is checked again, even with the same version id.
    documents.set('AWSCURRENT', { ...stored, document: '{}' });
    clock.time += 1_000;
    expect((await see())?.current).toMatchObject({ version: '1', chain: [], problem: { code: 'identity-unusable' } });
  });

  it('checks a version again when a certificate expires', async () => {
    const end = Math.ceil(Date.now() / 1_000) * 1_000 + day;
    const { clock, documents, see } = consoleOf({ at: end - 2_000 });
    documents.set('AWSCURRENT', { version: '1', document: documentOf(issue(new Date(end)), []) });
    expect((await see())?.current).not.toHaveProperty('problem');
    clock.time = end + 1_000;
    expect((await see())?.current).toMatchObject({ problem: { code: 'identity-unusable' } });
  });

  it('shows the certificate of a pending version as soon as it arrives', async () => {
    const { clock, documents, see } = consoleOf({ stages: ['AWSCURRENT', 'AWSPENDING'] });
    const document = documentOf(issue(new Date(clock.time + 90 * day)), []);
    documents.set('AWSCURRENT', { version: '1', document });
    documents.set('AWSPENDING', { version: '2', document: JSON.stringify({ privateKey: 'waits' }) });
    expect((await see())?.next).toEqual({ version: '2', chain: [] });
    documents.set('AWSPENDING', { version: '2', document });
    clock.time += 1_000;
    expect((await see())?.next?.chain).toHaveLength(3);
  });
});
