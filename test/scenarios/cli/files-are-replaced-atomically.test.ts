// `countersign identity` on a directory with concurrent readers and writers, killed processes, and missing permissions.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { replaceFiles, swapWithPrevious } from '../../../cli/store/folder-versions.ts';
import { CountersignError } from '../../../core/errors.ts';
import { checkIdentity } from '../../../core/identity/check.ts';
import { directorySource } from '../../../core/identity/directory.ts';
import { folderOfStage } from '../../../core/identity/folder-stages.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { contentsOf, ground, issue } from '../../support/cli/identity-ground.ts';
import { mainFile, root, runCommand } from '../../support/cli/run-command.ts';

const kills = 30;
const destination = { host: 'api.acme.example' };

/** As a function reads it, all the time: whatever it gets must be one of these, whole. */
function readingAllTheTime(directory: string, versions: readonly IssuedCertificate[]) {
  const source = directorySource(directory);
  const seen = new Set<string>();
  let isOver = false;
  let reads = 0;
  async function read(): Promise<void> {
    while (!isOver) {
      const stored = await source.read('acme', 'AWSCURRENT');
      const identity = checkIdentity('acme', stored, Date.now());
      const version = versions.findIndex(({ certificate }) => certificate === identity.certificate);
      expect(version, 'a certificate that was never stored').toBeGreaterThanOrEqual(0);
      expect(identity.destinations.map(({ host }) => host)).toEqual([destination.host]);
      seen.add(identity.version);
      reads += 1;
      await setImmediate();
    }
  }
  const reading = read();
  reading.catch(() => undefined);
  return {
    seen,
    end: async () => {
      isOver = true;
      await reading;
      return reads;
    },
  };
}

/** The command is killed after it announces the first write; nothing before that can be damaged. */
async function isKilled(args: readonly string[], withinMs = 25): Promise<boolean> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (chunk: Buffer) => {
    if (!chunk.includes('Storing it')) return;
    const until = performance.now() + Math.random() * withinMs;
    while (performance.now() < until);
    child.kill('SIGKILL');
  });
  await new Promise((done) => child.once('close', done));
  return child.signalCode === 'SIGKILL';
}

describe('an identity in a directory', () => {
  it('is the old or the new one, complete, wherever the command is killed', { timeout: 60_000 }, async () => {
    const { directory, pem, put, source, identity } = ground();
    const versions = [issue('first'), issue('second')] as const;
    put('acme', versions[0], [destination]);
    const files = versions.map((version, index) => pem(`${index}.pem`, version));
    const reading = readingAllTheTime(directory, versions);
    const import_ = (file: string) => [mainFile, 'identity', 'import', 'acme', file, '--replace', '--source', source];
    let killed = 0;
    let withinMs = 25;
    for (let round = 0; round < kills; round += 1) {
      const isDead = await isKilled(import_(files[(round + 1) % 2] as string), withinMs);
      killed += Number(isDead);
      // However fast the machine is at the moment, some come before the end and some after it.
      withinMs *= isDead ? 1.4 : 0.7;
      expect(() => statSync(join(directory, 'acme/private-key.pem'))).not.toThrow();
    }
    // Not every kill comes in time, but most do.
    expect(killed).toBeGreaterThan(kills / 4);
    expect(await reading.end()).toBeGreaterThan(kills);
    expect(reading.seen.size).toBeGreaterThan(1);
    // The next one that is not killed clears away what the others left.
    expect(await identity(import_(files[0] as string).slice(2))).toMatchObject({ code: 0 });
    const left = readdirSync(join(directory, 'acme'));
    expect(left.filter((name) => name.startsWith('..new-'))).toEqual([]);
    expect(readdirSync(join(directory, 'acme/..versions')).length).toBeLessThanOrEqual(2);
    expect(readdirSync(directory).sort()).toEqual(['.countersign', 'acme']);
  });

  it('is absent or complete if its first import is killed', async () => {
    const { directory, pem, source } = ground();
    const file = pem('bot.pem', issue());
    for (let round = 0; round < 8; round += 1) {
      const name = `bot-${round}`;
      const args = [
        mainFile,
        'identity',
        'import',
        name,
        file,
        '--source',
        source,
        '--destination',
        'a.example',
        '--no-reach',
      ];
      await isKilled(args);
      const stored = await directorySource(directory)
        .read(name, 'AWSCURRENT')
        .catch((thrown: unknown) => thrown);
      if (stored instanceof CountersignError) expect(stored.code).toBe('identity-not-found');
      else expect(() => checkIdentity(name, stored as never, Date.now())).not.toThrow();
    }
  });

  it('is changed by one command at a time: each concurrent command succeeds or reports the conflict', async () => {
    const { directory, pem, put, json } = ground();
    put('acme', issue('first'), [destination]);
    const files = ['a', 'b', 'c', 'd'].map((name) => pem(`${name}.pem`, issue(name)));
    const ran = await Promise.all(files.map((file) => json(['import', 'acme', file, '--replace'])));
    const done = ran.filter(({ code }) => code === 0);
    expect(done.length).toBeGreaterThan(0);
    for (const { code, answer } of ran) {
      if (code === 0) continue;
      expect([code, answer.error.code]).toEqual([1, 'changed-meanwhile']);
    }
    const { version } = await directorySource(directory).read('acme', 'AWSCURRENT');
    expect(done.map(({ answer }) => answer.version)).toContain(version);
  });

  it('loses no destination when two commands add one at the same time', async () => {
    const { put, json } = ground();
    put('acme', issue(), [destination]);
    const places = ['one.example', 'two.example', 'three.example'];
    const ran = await Promise.all(places.map((place) => json(['destinations', 'acme', 'add', place])));
    const added = places.filter((_, index) => ran[index]?.code === 0);
    const { answer } = await json(['destinations', 'acme', 'list']);
    expect(answer.destinations.map(({ host }: { host: string }) => host).sort()).toEqual(
      [destination.host, ...added].sort(),
    );
    expect(
      ran.filter(({ code }) => code !== 0).every(({ answer: { error } }) => error.code === 'changed-meanwhile'),
    ).toBe(true);
  });

  it('is unchanged wherever a command was killed that replaced its files by links, or moved two links', async () => {
    const { directory, put } = ground();
    const folder = join(directory, 'acme');
    const versions = [issue('first'), issue('second'), issue('third')] as const;
    put('acme', versions[0], [destination]);
    const filesOf = ({ privateKey, certificate, intermediates, root: top }: IssuedCertificate) =>
      new Map([
        ['private-key.pem', privateKey],
        ['certificate.pem', certificate],
        ['intermediates.pem', intermediates],
        ['root.pem', top],
        ['destinations.json', JSON.stringify([destination])],
      ]);
    const at = async (path: string) =>
      JSON.parse((await directorySource(join(path, '..')).read(basename(path), 'AWSCURRENT')).document);
    const isWhole = async (version: IssuedCertificate) => {
      const { privateKey, certificate } = await at(folder);
      expect([privateKey, certificate]).toEqual([version.privateKey, version.certificate]);
    };
    const previous = async () => (await at((await folderOfStage(folder, 'AWSPREVIOUS')) ?? '')).certificate;

    await replaceFiles(folder, filesOf(versions[1]), { keepsPrevious: false });
    // The state after a kill between two files, or after a manual `mv`: one is a link, the other is not.
    const kept = readFileSync(join(folder, 'certificate.pem'));
    rmSync(join(folder, 'certificate.pem'));
    writeFileSync(join(folder, 'certificate.pem'), kept, { mode: 0o600 });
    await replaceFiles(folder, filesOf(versions[2]), { keepsPrevious: false });
    await isWhole(versions[2]);
    expect(await previous()).toBe(versions[1].certificate);

    // By hand, over the links; a rollback goes back from that, and comes back to it.
    for (const [file, text] of filesOf(versions[0])) {
      rmSync(join(folder, file));
      writeFileSync(join(folder, file), text, { mode: 0o600 });
    }
    await swapWithPrevious(folder);
    await isWhole(versions[1]);
    await swapWithPrevious(folder);
    await isWhole(versions[0]);

    // Killed before `..data` was moved: nothing happened. After that: all of it.
    const [data, before] = [readlinkSync(join(folder, '..data')), readlinkSync(join(folder, '..previous'))];
    symlinkSync(data, join(folder, '..replaced'));
    expect(await previous()).toBe(versions[1].certificate);
    rmSync(join(folder, '..data'));
    symlinkSync(before, join(folder, '..data'));
    await isWhole(versions[1]);
    expect(await previous()).toBe(versions[0].certificate);
    await swapWithPrevious(folder);
    await isWhole(versions[0]);
    expect(await previous()).toBe(versions[1].certificate);
    expect(existsSync(join(folder, '..replaced'))).toBe(false);
  });

  it('that contains other files is not overwritten', async () => {
    const { directory, pem, identity } = ground();
    mkdirSync(join(directory, 'acme'));
    writeFileSync(join(directory, 'acme/notes.txt'), 'mine');
    const { code, out, error } = await identity(['import', 'acme', pem('bot.pem', issue())]);
    expect([code, out]).toEqual([3, '']);
    expect(error).toContain(
      `The directory ${directory} cannot be used: the folder of the identity contains other files.\n`,
    );
    expect(readdirSync(join(directory, 'acme'))).toEqual(['notes.txt']);
    writeFileSync(join(directory, 'other'), 'a file');
    const file = await identity(['import', 'other', pem('bot.pem', issue())]);
    expect([file.code, file.error]).toEqual([
      3,
      expect.stringContaining('a file is in the place of the folder of the identity'),
    ]);
  });
});

const isRoot = process.getuid?.() === 0;
const setpriv = spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;
const unprivileged = 65_534;

describe.skipIf(!isRoot || !setpriv)('a directory of another user (needs root and setpriv)', () => {
  /** As an unprivileged user, who can read the sources. */
  const asUnprivileged = [
    '--reuid',
    String(unprivileged),
    '--regid',
    String(unprivileged),
    '--clear-groups',
    process.execPath,
    mainFile,
  ];

  it('that is readable but not writable is one error sentence', async () => {
    const { directory, pem, put, json, folder } = ground();
    put('acme', issue(), [destination]);
    chmodSync(directory, 0o755);
    const file = pem('bot.pem', issue());
    chmodSync(file, 0o644);
    const before = contentsOf(folder.path);
    const options = { program: 'setpriv' };
    const args = ['identity', 'import', 'other', file, '--source', `directory:${directory}`];
    const refused = await runCommand([...asUnprivileged, ...args], options);
    expect([refused.code, refused.out]).toEqual([3, '']);
    expect(refused.error).toContain(
      `The directory ${directory} cannot be used: this user cannot read or write there.\n`,
    );
    expect(refused.error).not.toContain('PRIVATE');
    expect(contentsOf(folder.path)).toEqual(before);

    // An unreadable identity does not hide the others.
    put('open', issue('open'), [destination]);
    chmodSync(join(directory, 'open'), 0o755);
    for (const name of readdirSync(join(directory, 'open'))) chmodSync(join(directory, 'open', name), 0o644);
    const list = ['identity', 'list', '--json', '--source', `directory:${directory}`];
    const listed = await runCommand([...asUnprivileged, ...list], options);
    expect(listed.code).toBe(0);
    expect(JSON.parse(listed.out).identities).toMatchObject([
      { identity: 'acme', isUsable: false, problem: { reason: 'EACCES' } },
      { identity: 'open', isUsable: true, subject: 'CN=open' },
    ]);
    expect((await json(['list'])).answer.identities.map(({ isUsable }: { isUsable: boolean }) => isUsable)).toEqual([
      true,
      true,
    ]);
  });

  it('gets files that its owner can read if root writes them', async () => {
    const { directory, pem, json } = ground();
    chownSync(directory, unprivileged, unprivileged);
    await json(['import', 'acme', pem('1.pem', issue()), '--destination', 'a.example']);
    await json(['import', 'acme', pem('2.pem', issue()), '--replace']);
    const files = readdirSync(directory, { recursive: true }).map((name) => statSync(join(directory, String(name))));
    expect(new Set(files.map(({ uid, gid }) => `${uid} ${gid}`))).toEqual(new Set([`${unprivileged} ${unprivileged}`]));
    expect(existsSync(join(directory, 'acme/private-key.pem'))).toBe(true);
    const args = ['identity', 'rollback', 'acme', '--yes', '--json', '--source', `directory:${directory}`];
    const back = await runCommand([...asUnprivileged, ...args], { program: 'setpriv' });
    expect([back.code, back.error]).toEqual([0, expect.any(String)]);
  });
});
