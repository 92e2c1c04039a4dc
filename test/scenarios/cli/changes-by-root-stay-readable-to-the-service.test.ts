// `countersign identity` as root under umask 077, on a directory that a service reads by its group alone.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Ground, ground, issue } from '../../support/cli/identity-ground.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';

const isRoot = process.getuid?.() === 0;
const hasSetpriv = spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;
const [user, group] = [65_534, 54_321];

/** As an installer does it who keeps his files to himself. */
async function closed(on: Ground, args: readonly string[]) {
  const script = ['-c', 'umask 077; exec "$0" "$@"', process.execPath, mainFile, 'identity'];
  const ran = await runCommand([...script, ...args, '--source', on.source], { program: 'sh' });
  expect(ran.code, ran.error).toBe(0);
  return ran;
}

/** What the service reads, with nothing but its group. */
function readByService(on: Ground): string | undefined {
  const as = ['--reuid', `${user}`, '--regid', `${group}`, '--clear-groups', 'cat'];
  const files = ['private-key.pem', 'certificate.pem', 'destinations.json'].map((file) =>
    join(on.directory, 'acme', file),
  );
  const { status, stdout } = spawnSync('setpriv', [...as, ...files], { encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

function givenToGroup(): Ground {
  const on = ground();
  chownSync(on.directory, 0, group);
  chmodSync(on.directory, 0o750);
  return on;
}

function modesOf(on: Ground): Record<string, string> {
  const names = readdirSync(join(on.directory, 'acme'), { recursive: true }).map(String);
  const all = ['', ...names].map((name) => [name, lstatSync(join(on.directory, 'acme', name))] as const);
  const own = all.filter(([, stats]) => !stats.isSymbolicLink());
  return Object.fromEntries(own.map(([name, { mode, gid }]) => [name, `${(mode & 0o7777).toString(8)} ${gid}`]));
}

describe.skipIf(!isRoot || !hasSetpriv)('a directory for a group (needs root and setpriv)', () => {
  it('stays readable to it, and to no other user, after every change', async () => {
    const on = givenToGroup();
    const [first, second] = [issue('first'), issue('second')];
    await closed(on, ['import', 'acme', on.pem('1.pem', first), '--destination', 'a.example']);
    expect(readByService(on)).toContain(first.certificate);
    await closed(on, ['import', 'acme', on.pem('2.pem', second), '--replace']);
    expect(readByService(on)).toContain(second.certificate);
    await closed(on, ['destinations', 'acme', 'add', 'b.example']);
    expect(readByService(on)).toContain('b.example');
    const { error } = await closed(on, ['rollback', 'acme', '--yes']);
    expect(error).not.toContain('cannot read');
    expect(readByService(on)).toContain(first.certificate);

    const request = on.folder.write('acme.csr', (await closed(on, ['csr', 'acme', '--reuse-key'])).out);
    expect(statSync(request).size).toBeGreaterThan(0);
    expect(statSync(join(on.directory, '.countersign')).mode & 0o777).toBe(0o700);
    const modes = modesOf(on);
    expect(Object.keys(modes).length).toBeGreaterThan(10);
    expect(new Set(Object.values(modes))).toEqual(new Set([`750 ${group}`, `640 ${group}`]));
  });

  it('is made readable again if an earlier change made it private', async () => {
    const on = givenToGroup();
    const [first, second] = [issue('first'), issue('second')];
    await closed(on, ['import', 'acme', on.pem('1.pem', first), '--destination', 'a.example']);
    await closed(on, ['import', 'acme', on.pem('2.pem', second), '--replace']);
    const versions = join(on.directory, 'acme/..versions');
    for (const place of [versions, ...readdirSync(versions).map((name) => join(versions, name))]) {
      chmodSync(place, 0o700);
      chownSync(place, 0, 0);
    }
    expect(readByService(on)).toBeUndefined();
    await closed(on, ['rollback', 'acme', '--yes']);
    expect(readByService(on)).toContain(first.certificate);
    chmodSync(versions, 0o700);
    await closed(on, ['import', 'acme', on.pem('3.pem', issue('third')), '--replace']);
    expect(readByService(on)).toContain('BEGIN CERTIFICATE');
  });

  it('prints the command that repairs it if the group cannot read the files in use', async () => {
    const on = givenToGroup();
    on.put('acme', issue('first'), [{ host: 'a.example' }]);
    const { error } = await closed(on, ['import', 'acme', on.pem('2.pem', issue('second')), '--replace']);
    expect(error).toContain(
      `warning: Group ${group}, which ${on.directory} belongs to, cannot read "acme", nor can a service that runs in that group: `,
    );
    expect(readByService(on)).toBeUndefined();
    const [, mend = ''] = /runs in that group: (.+)/.exec(error) ?? [];
    expect(spawnSync('sh', ['-ec', mend], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    expect(readByService(on)).toContain('BEGIN CERTIFICATE');
    const after = await closed(on, ['import', 'acme', on.pem('3.pem', issue('third')), '--replace']);
    expect(after.error).not.toContain('cannot read');
    expect(readByService(on)).toContain('BEGIN CERTIFICATE');
  });

  it.each([
    ['root alone', 0, 0, 0o750],
    ['every user, as a plain mkdir leaves it', 0, 0, 0o755],
    ['every user, with another group', user, group, 0o755],
    ['its owner and his own group', user, user, 0o750],
  ])('does not give a key to a group: for %s', async (_whom, uid, gid, mode) => {
    const on = ground();
    chownSync(on.directory, uid, gid);
    chmodSync(on.directory, mode);
    await closed(on, ['import', 'acme', on.pem('1.pem', issue()), '--destination', 'a.example']);
    const modes = new Set(Object.values(modesOf(on)));
    expect(modes).toEqual(new Set([`700 ${gid}`, `600 ${gid}`]));
    rmSync(join(on.directory, 'acme'), { recursive: true });
  });
});
