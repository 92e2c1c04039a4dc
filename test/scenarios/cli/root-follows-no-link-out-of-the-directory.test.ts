// Root changes a directory of identities that belongs to the user of the service, and follows no link of that user.
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentsOf, type Ground, ground, issue } from '../../support/cli/identity-ground.ts';
import { runCommand } from '../../support/cli/run-command.ts';

const isRoot = process.getuid?.() === 0;
const unprivileged = 65_534;

/** A directory of an unprivileged user, with one identity; and files of root. */
async function ofNobody(): Promise<{ on: Ground; secret: string; valuables: string }> {
  const on = ground();
  chownSync(on.directory, unprivileged, unprivileged);
  const imported = await on.json(['import', 'acme', on.pem('1.pem', issue()), '--destination', 'a.example']);
  expect(imported.code, imported.error).toBe(0);
  // The unprivileged user can traverse it and read nothing.
  chmodSync(on.folder.path, 0o711);
  const secret = join(on.folder.path, 'secret');
  writeFileSync(secret, 'of root alone', { mode: 0o600 });
  const valuables = join(on.folder.path, 'valuables');
  mkdirSync(valuables, { mode: 0o700 });
  writeFileSync(join(valuables, 'kept'), 'of root alone', { mode: 0o600 });
  return { on, secret, valuables };
}

const change = (on: Ground, host = 'b.example') => on.json(['destinations', 'acme', 'add', host]);

describe.skipIf(!isRoot)('root in a directory of another user (needs root)', () => {
  it('changes its files as its owner', async () => {
    const { on } = await ofNobody();
    expect((await change(on)).code).toBe(0);
    const all = readdirSync(on.directory, { recursive: true }).map((name) => lstatSync(join(on.directory, `${name}`)));
    expect(new Set(all.map(({ uid }) => uid))).toEqual(new Set([unprivileged]));
  });

  it('lists all identities, and doctor too', async () => {
    const { on } = await ofNobody();
    for (const name of ['b', 'c', 'd']) {
      await on.json(['import', name, on.pem(`${name}.pem`, issue(name)), '--destination', 'a.example']);
    }
    const { code, answer } = await on.json(['list']);
    expect([code, answer.identities.map(({ identity }: { identity: string }) => identity)]).toEqual([
      0,
      ['acme', 'b', 'c', 'd'],
    ]);
    const doctor = await runCommand(['doctor', '--no-reach', '--source', on.source]);
    expect(doctor.code, doctor.error).toBe(0);
    expect(doctor.out).toContain('d: can be used');
  });

  it('does not keep its own group if the directory belongs to that group', async () => {
    const { on } = await ofNobody();
    chownSync(on.directory, unprivileged, 0);
    const shadow = join(on.folder.path, 'shadow');
    writeFileSync(shadow, 'of root alone', { mode: 0o640 });
    symlinkSync(shadow, join(on.directory, 'acme/tls.key'));
    expect((await change(on)).code).not.toBe(0);
    expect((await on.identity(['list'])).code).toBe(0);
  });

  it('does not change the owner of its own folder if .countersign is a link', async () => {
    const { on, valuables } = await ofNobody();
    rmSync(join(on.directory, '.countersign'), { recursive: true });
    symlinkSync(valuables, join(on.directory, '.countersign'));
    expect((await change(on)).answer.error.code).toBe('folder-is-a-link');
    expect([statSync(valuables).uid, statSync(valuables).mode & 0o777]).toEqual([0, 0o700]);
    expect(readdirSync(valuables)).toEqual(['kept']);
  });

  it('does not create or change a file of its own if the lock is a link', async () => {
    const { on, secret, valuables } = await ofNobody();
    for (const target of [secret, join(valuables, 'new')]) {
      rmSync(join(on.directory, '.countersign/acme.lock'), { force: true });
      symlinkSync(target, join(on.directory, '.countersign/acme.lock'));
      expect((await change(on)).code).not.toBe(0);
    }
    expect([statSync(secret).uid, statSync(secret).mode & 0o777]).toEqual([0, 0o600]);
    expect(readFileSync(secret, 'utf8')).toBe('of root alone');
    expect(existsSync(join(valuables, 'new'))).toBe(false);
  });

  it('copies no file that the owner cannot read', async () => {
    const { on, secret } = await ofNobody();
    symlinkSync(secret, join(on.directory, 'acme/tls.key'));
    expect((await change(on)).code).not.toBe(0);
    for (const name of readdirSync(on.directory, { recursive: true })) {
      const path = join(on.directory, `${name}`);
      if (lstatSync(path).isFile()) expect(readFileSync(path, 'utf8'), path).not.toContain('of root alone');
    }
  });

  it('deletes nothing if the folder of versions is a link', async () => {
    const { on, valuables } = await ofNobody();
    mkdirSync(join(valuables, 'v-0123456789ab'));
    expect((await change(on)).code).toBe(0);
    rmSync(join(on.directory, 'acme/..versions'), { recursive: true });
    symlinkSync(valuables, join(on.directory, 'acme/..versions'));
    expect((await change(on)).code).not.toBe(0);
    expect(readdirSync(valuables).sort()).toEqual(['kept', 'v-0123456789ab']);
  });

  it('rejects its own directories that other users can write to', async () => {
    const on = ground();
    await on.json(['import', 'acme', on.pem('1.pem', issue()), '--destination', 'a.example']);
    chmodSync(on.directory, 0o775);
    expect((await change(on)).answer.error).toMatchObject({ code: 'open-directory' });
    chmodSync(on.directory, 0o755);
    expect((await change(on)).code).toBe(0);
    for (const [path, mode, uid, code] of [
      ['acme', 0o770, 0, 'open-directory'],
      ['acme', 0o700, unprivileged, 'open-directory'],
      ['.countersign', 0o770, 0, 'open-directory'],
      ['..', 0o775, 0, 'open-directory'],
      // Below a folder in which every user can replace files, the identity is refused when it is read.
      ['..', 0o777, 0, 'identity-unusable'],
    ] as const) {
      const place = join(on.directory, path);
      const before = statSync(place);
      chownSync(place, uid, 0);
      chmodSync(place, mode);
      const unchanged = contentsOf(on.directory);
      expect((await change(on, 'c.example')).answer.error, `${path} ${mode}`).toMatchObject({ code });
      expect(contentsOf(on.directory)).toEqual(unchanged);
      // Looking is not changing.
      expect((await on.identity(['list'])).code).toBe(0);
      chownSync(place, before.uid, before.gid);
      chmodSync(place, before.mode & 0o7777);
    }
    expect((await change(on, 'c.example')).code).toBe(0);
  });

  it("does not follow another user's link into a directory of root", async () => {
    const on = ground();
    await on.json(['import', 'acme', on.pem('1.pem', issue()), '--destination', 'a.example']);
    const theirs = join(on.folder.path, 'theirs');
    mkdirSync(theirs);
    symlinkSync(on.directory, join(theirs, 'identities'));
    chownSync(theirs, unprivileged, unprivileged);
    const source = ['--source', `directory:${join(theirs, 'identities')}`];
    const { answer } = await on.json(['destinations', 'acme', 'add', 'b.example', ...source]);
    expect(answer.error).toMatchObject({ code: 'open-directory' });
  });
});

describe('a file of an identity that is not a regular file', () => {
  it.each([
    ['a device', '/dev/zero'],
    ['a folder', '/'],
  ])('is reported if it leads to %s', async (_what, target) => {
    const on = ground();
    on.put('acme', issue());
    rmSync(join(on.directory, 'acme/private-key.pem'));
    symlinkSync(target, join(on.directory, 'acme/private-key.pem'));
    const { code, error } = await on.identity(['inspect', 'acme']);
    expect(code).not.toBe(0);
    expect(error.length).toBeGreaterThan(20);
    expect(error).not.toContain('defect');
  });
});
