// `countersign identity rollback` on a directory: what it shows, that it asks, and what it refuses to go back to.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { atTerminal, contentsOf, expired, ground, issue } from '../../support/cli/identity-ground.ts';

/** Of util-linux: what it runs has a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

async function withTwoVersions() {
  const on = ground();
  on.put('acme', issue('first'), [{ host: 'one.example' }]);
  const second = on.pem('2.pem', issue('second'));
  await on.identity(['import', 'acme', second, '--replace', '--destination', 'two.example:8443']);
  return on;
}

const subjectOf = (answer: { certificates: { subject: string }[] }) => answer.certificates[0]?.subject;

describe('countersign identity rollback', () => {
  it('activates the previous version, and a second rollback undoes it', async () => {
    const { identity, json } = await withTwoVersions();
    const back = await identity(['rollback', 'acme', '--yes']);
    expect([back.code, back.out]).toEqual([
      0,
      expect.stringMatching(
        /^✓ "acme" is CN=first, SHA-256 [0-9A-F:]{95} again; countersign serve uses it within 5 s\.\n$/,
      ),
    ]);
    expect(back.error).toMatch(
      /^"acme" in the directory .+\n {2}from {2}CN=second, SHA-256 .{23}…, \d+ days left\n {2}to {4}CN=first, .+\n {2}with its destinations:\n {4}one\.example:443\n$/,
    );
    const forth = await json(['rollback', 'acme', '--yes']);
    expect([forth.code, forth.answer.outcome]).toEqual([0, 'rolled-back']);
    expect([subjectOf(forth.answer.current), subjectOf(forth.answer.previous)]).toEqual(['CN=second', 'CN=first']);
    const now = await json(['inspect', 'acme']);
    expect([subjectOf(now.answer), now.answer.destinations]).toEqual([
      'CN=second',
      [{ host: 'two.example', port: 8443 }],
    ]);
  });

  it('does nothing without --yes and without a terminal', async () => {
    const { directory, json } = await withTwoVersions();
    const before = contentsOf(directory);
    const { code, answer } = await json(['rollback', 'acme']);
    expect([code, answer.error]).toEqual([
      1,
      { code: 'not-confirmed', detail: 'Nothing was changed. Without a terminal the command needs --yes.' },
    ]);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('rejects an expired version, and an identity without a previous version', async () => {
    const { directory, put, pem, identity } = ground();
    put('acme', expired('old'));
    expect(await identity(['rollback', 'acme', '--yes'])).toMatchObject({
      code: 1,
      out: '',
      error: `There is no version of "acme" to roll back to in the directory ${directory}.\n`,
    });
    await identity(['import', 'acme', pem('2.pem', issue('new')), '--replace', '--destination', 'a.example']);
    const before = contentsOf(directory);
    const { code, out, error } = await identity(['rollback', 'acme', '--yes']);
    expect([code, out, error]).toEqual([
      1,
      '',
      expect.stringMatching(/^The previous version cannot be used: .*expired.*\.\n$/),
    ]);
    const { code: left } = await identity(['inspect', 'acme']);
    expect(left).toBe(0);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('keeps the previous certificate if only destinations were changed since', async () => {
    const { identity, json } = await withTwoVersions();
    await identity(['destinations', 'acme', 'add', 'three.example']);
    await identity(['destinations', 'acme', 'add', 'four.example']);
    const { answer } = await json(['rollback', 'acme', '--yes']);
    expect(subjectOf(answer.current)).toBe('CN=first');
    const again = await json(['rollback', 'acme', '--yes']);
    expect(again.answer.current.destinations.map(({ host }: { host: string }) => host)).toEqual([
      'two.example',
      'three.example',
      'four.example',
    ]);
  });
});

describe.skipIf(!hasScript)('countersign identity rollback at a terminal (needs script)', () => {
  it.each([
    ['no', 'n\r', 1],
    ['nothing', '\r', 1],
    ['Ctrl-C', '\u0003', 130],
    ['Ctrl-D', '\u0004', 130],
  ])('changes nothing if the user answers %s', async (_what, typed, code) => {
    const { source, directory } = await withTwoVersions();
    const before = contentsOf(directory);
    const seen = await atTerminal(['rollback', 'acme', '--source', source], [['Roll "acme" back? [y/N]', typed]]);
    expect(seen.code).toBe(code);
    expect(contentsOf(directory)).toEqual(before);
  });

  it('rolls back after yes, without colours with NO_COLOR', async () => {
    const { source } = await withTwoVersions();
    const args = ['rollback', 'acme', '--source', source];
    const coloured = await atTerminal(args, [['Roll "acme" back? [y/N]', 'y\r']]);
    expect([coloured.code, coloured.shown]).toEqual([
      0,
      expect.stringContaining('\u001b[32m✓\u001b[39m "acme" is CN=first'),
    ]);
    // No colour is written out in letters.
    expect(coloured.shown).not.toContain('\\u001b');
    const plain = await atTerminal([...args, '--yes'], [], { NO_COLOR: '1' });
    expect([plain.code, plain.shown]).toEqual([0, expect.stringContaining('✓ "acme" is CN=second')]);
    expect(plain.shown).not.toContain('\u001b');
  });
});
