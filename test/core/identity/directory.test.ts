// The directory source on real folders: file names, errors, and files that change during a read.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { checkIdentity } from '../../../core/identity/check.ts';
import { directorySource } from '../../../core/identity/directory.ts';
import { type DocumentKeys, failureOf, makeChain, makeKeys } from '../../support/identity/identities.ts';

const chain = makeChain();
const keys = makeKeys(chain);
const other = makeKeys(makeChain());
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-directory-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(folder: string, files: Record<string, string>): void {
  mkdirSync(join(root, folder), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(root, folder, file), text, { mode: 0o600 });
}

const own = (from: DocumentKeys) => ({
  'private-key.pem': from.privateKey,
  'certificate.pem': from.certificate,
  'intermediates.pem': from.intermediateCertificates,
  'root.pem': from.rootCertificate,
});
const certManager = (from: DocumentKeys) => ({
  'tls.key': from.privateKey,
  'tls.crt': from.certificate + from.intermediateCertificates,
  'ca.crt': from.rootCertificate,
});

const read = (name = 'platform') => directorySource(root).read(name, 'AWSCURRENT');
const identity = async () => checkIdentity('platform', await read(), Date.now());

describe('the directory source', () => {
  it("reads an identity with Countersign's file names", async () => {
    write('platform', { ...own(keys), 'destinations.json': '[{"host":"api.acme.example","port":8443}]' });
    const read = await identity();
    expect(read).toMatchObject({ stage: 'AWSCURRENT', certificate: keys.certificate });
    expect(read.version).toMatch(/^[0-9a-f]{64}$/);
    expect(read.destinations).toMatchObject([{ host: 'api.acme.example', port: 8443 }]);
  });

  it('reads an identity below a root without intermediates', async () => {
    const { 'intermediates.pem': _, ...files } = own(makeKeys({ issuer: chain.root }));
    write('platform', files);
    expect((await identity()).intermediateCertificates).toBe('');
  });

  it('reads a cert-manager secret, with the leaf before its intermediates', async () => {
    write('platform', certManager(keys));
    const read = await identity();
    expect(read.certificate).toBe(keys.certificate);
    expect(read.intermediateCertificates).toBe(keys.intermediateCertificates);
    expect(read.destinations).toMatchObject([{ host: '*' }]);
  });

  it('gives the same version for the same files, and another when one changes', async () => {
    write('platform', own(keys));
    const { version } = await read();
    write('platform', own(keys));
    expect((await read()).version).toBe(version);
    write('platform', { 'destinations.json': '[]' });
    expect((await read()).version).not.toBe(version);
  });

  it('reloads changed files through the cache, and keeps the old identity while they are incomplete', async () => {
    const clock = { time: Date.now() };
    const cache = createIdentityCache({ source: directorySource(root), ttlMs: 1_000, now: () => clock.time });
    write('platform', own(keys));
    const before = await cache.get('platform');
    const next = makeKeys(chain);
    write('platform', { 'private-key.pem': next.privateKey });
    expect(await cache.reload('platform')).toBe(before);
    write('platform', own(next));
    clock.time += 5_000;
    expect((await cache.reload('platform')).certificate).toBe(next.certificate);
  });

  it('is read consistently while Kubernetes swaps its link', async () => {
    const versions = [keys, makeKeys(chain)] as const;
    // A folder of its own for each, as Kubernetes makes them: none of its files is ever seen again.
    const publish = (turn: number) => {
      write(`platform/..v${turn}`, certManager(versions[turn % 2 === 0 ? 0 : 1]));
      symlinkSync(`..v${turn}`, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    const folder = join(root, 'platform');
    mkdirSync(folder);
    publish(0);
    for (const file of ['tls.key', 'tls.crt', 'ca.crt']) symlinkSync(join('..data', file), join(folder, file));
    let isSwapping = true;
    const swaps = (async () => {
      for (let turn = 1; isSwapping; turn += 1) {
        publish(turn);
        await new Promise((resolve) => setTimeout(resolve, turn % 4));
      }
    })();
    const seen = new Set<string>();
    try {
      for (let i = 0; i < 50; i += 1) {
        const stored = await read().catch((error: { code?: string }) => error.code);
        // What changes too fast is said to be unavailable; what is read always belongs together.
        if (typeof stored === 'string') expect(stored).toBe('identity-unavailable');
        else if (stored) seen.add(checkIdentity('platform', stored, Date.now()).certificate);
      }
    } finally {
      isSwapping = false;
      await swaps;
    }
    expect(seen.size).toBeGreaterThan(0);
    for (const certificate of seen) expect(versions.map((from) => from.certificate)).toContain(certificate);
  });
});

describe('a missing file', () => {
  const destinations = { 'destinations.json': '[{"host":"api.acme.example","requireMutual":true}]' };

  /** The cache the functions have, in front of the directory, both with this clock. */
  function open() {
    const clock = { time: Date.now() };
    const now = () => clock.time;
    const failures: unknown[] = [];
    const cache = createIdentityCache({
      source: directorySource(root, now),
      ttlMs: 60_000,
      now,
      onRefreshFailure: (_name, { code, evidence }) => failures.push([code, evidence]),
    });
    const readAfter = (ms: number) => {
      clock.time += ms;
      return cache.reload('platform');
    };
    return { cache, failures, readAfter };
  }
  const remove = (file: string) => unlinkSync(join(root, 'platform', file));

  it.each([
    ['destinations.json', own],
    ['destinations.json', certManager],
    ['intermediates.pem', own],
    ['tls.key', certManager],
  ])('%s can be missing for a moment: the current identity stays in use', async (file, layout) => {
    const files: Record<string, string> = { ...layout(makeKeys({ issuer: chain.root })), ...destinations };
    write('platform', files);
    const { cache, failures, readAfter } = open();
    const before = await cache.get('platform');
    remove(file);
    expect(await readAfter(60_000)).toBe(before);
    expect(failures).toEqual([['identity-unavailable', { reason: 'file-gone', where: file }]]);
    write('platform', { [file]: files[file] ?? '' });
    expect(await readAfter(60_000)).toBe(before);
    expect(failures).toHaveLength(1);
  });

  it('counts as deleted at a second read 5 s later', async () => {
    write('platform', { ...own(keys), ...destinations });
    const { cache, readAfter } = open();
    const before = await cache.get('platform');
    remove('destinations.json');
    expect(await readAfter(60_000)).toBe(before);
    expect((await readAfter(5_000)).destinations).toMatchObject([{ host: '*' }]);
  });

  it('does not count as deleted 4,999 ms later, or while the folder keeps changing', async () => {
    write('platform', { ...own(keys), ...destinations });
    const time = { now: 0 };
    const { read } = directorySource(root, () => time.now);
    await read('platform', 'AWSCURRENT');
    remove('destinations.json');
    const next = makeKeys(chain);
    for (const [ms, change] of [
      [0, {}],
      [4_999, {}],
      [4_999, { 'private-key.pem': next.privateKey }],
      [5_000, own(next)],
    ] as const) {
      time.now += ms;
      write('platform', change);
      expect((await failureOf(() => read('platform', 'AWSCURRENT'))).code).toBe('identity-unavailable');
    }
    time.now += 5_000;
    expect((await read('platform', 'AWSCURRENT')).document).not.toContain('destinations');
  });

  it('is awaited even if no usable identity was read before, and again each time', async () => {
    const { read } = directorySource(root, () => time);
    let time = 0;
    const codeAt = async (at: number, present: boolean) => {
      time = at;
      if (present) write('platform', { 'destinations.json': '[{' });
      else remove('destinations.json');
      return (await failureOf(() => read('platform', 'AWSCURRENT'))).code;
    };
    write('platform', own(keys));
    expect(await codeAt(0, true)).toBe('identity-unusable');
    expect(await codeAt(1_000, false)).toBe('identity-unavailable');
    expect(await codeAt(2_000, true)).toBe('identity-unusable');
    expect(await codeAt(9_000, false)).toBe('identity-unavailable');
  });

  it('is awaited even if the whole folder was missing', async () => {
    write('platform', { ...own(keys), ...destinations });
    const { cache, readAfter } = open();
    const before = await cache.get('platform');
    rmSync(join(root, 'platform'), { recursive: true });
    expect(await readAfter(60_000)).toBe(before);
    write('platform', own(keys));
    await expect(readAfter(60_000)).resolves.toBe(before);
  });

  it('is not replaced by files of the other layout', async () => {
    const other = makeKeys(chain);
    write('platform', { ...own(keys), ...certManager(other) });
    const { cache, readAfter } = open();
    const before = await cache.get('platform');
    for (const file of Object.keys(own(keys))) remove(file);
    expect(await readAfter(60_000)).toBe(before);
    expect((await readAfter(5_000)).certificate).toBe(other.certificate);
  });
});

describe('the stages of a directory', () => {
  const versionOf = (stage: 'AWSPENDING' | 'AWSPREVIOUS') =>
    directorySource(root)
      .read('platform', stage)
      .then(({ document }) => JSON.parse(document).certificate);
  const link = (name: string, version: string) => symlinkSync(`..versions/${version}`, join(root, 'platform', name));

  it('are links to folders in the folder of the identity', async () => {
    write('platform', own(keys));
    write('platform/..versions/v-1', own(other));
    link('..previous', 'v-1');
    link('..pending', 'v-1');
    expect(await versionOf('AWSPREVIOUS')).toBe(other.certificate);
    expect(await versionOf('AWSPENDING')).toBe(other.certificate);
  });

  it('have no pending version that is in use, and the replaced version before the previous one', async () => {
    write('platform/..versions/v-1', own(keys));
    write('platform/..versions/v-2', own(other));
    link('..data', 'v-2');
    link('..pending', 'v-2');
    link('..replaced', 'v-1');
    expect((await failureOf(() => versionOf('AWSPENDING'))).code).toBe('identity-not-found');
    expect(await versionOf('AWSPREVIOUS')).toBe(keys.certificate);
  });
});

describe('renewal.json', () => {
  it('is part of the document, and never makes an identity unusable', async () => {
    const renewal = { issuer: { kind: 'manual' } };
    write('platform', { ...own(keys), 'renewal.json': JSON.stringify(renewal) });
    expect(JSON.parse((await read()).document).renewal).toEqual(renewal);
    write('platform', { 'renewal.json': '{' });
    expect((await identity()).certificate).toBe(keys.certificate);
  });
});

describe('a directory without a usable identity', () => {
  it.each(['unknown', 'empty'])('%s', async (name) => {
    mkdirSync(join(root, 'empty'));
    const failure = await failureOf(() => read(name));
    expect(failure.code).toBe('identity-not-found');
    expect(failure.message).toContain(name);
  });

  it.each(['AWSPENDING', 'AWSPREVIOUS'] as const)('has no stage %s without its link', async (stage) => {
    write('platform', own(keys));
    const failure = await failureOf(() => directorySource(root).read('platform', stage));
    expect(failure.code).toBe('identity-not-found');
    expect(failure.evidence).toMatchObject({ reason: 'no-version', stage });
  });

  it.each(['..', '../platform', 'platform/../platform', '/etc', ''])(
    'does not read outside itself for the name %j',
    async (name) => {
      write('platform', own(keys));
      expect((await failureOf(() => read(name))).evidence?.reason).toBe('name-form');
    },
  );

  it.each(['private-key.pem', 'certificate.pem', 'root.pem'])('reports that %s is missing', async (file) => {
    write('platform', own(keys));
    unlinkSync(join(root, 'platform', file));
    const failure = await failureOf(() => read());
    expect(failure.code).toBe('identity-unusable');
    expect(failure.message).toBe(`${file} is missing from the folder of the identity.`);
  });

  it.each(['tls.key', 'tls.crt', 'ca.crt'])('reports that %s is missing', async (file) => {
    write('platform', certManager(keys));
    unlinkSync(join(root, 'platform', file));
    expect((await failureOf(() => read())).message).toMatch(`${file} is missing from the folder of the identity`);
  });

  it('reports destinations that are not JSON, without quoting them', async () => {
    write('platform', { ...own(keys), 'destinations.json': 'SECRET' });
    const failure = await failureOf(() => read());
    expect(failure.evidence).toEqual({ reason: 'destinations-malformed', where: 'destinations.json' });
    expect(failure.message).not.toContain('SECRET');
  });

  it('rejects files that are too large, special, or writable by every user', async () => {
    write('platform', own(keys));
    truncateSync(join(root, 'platform', 'root.pem'), 100_000);
    expect((await failureOf(() => read())).evidence?.reason).toBe('document-too-large');
    write('platform', own(keys));
    chmodSync(join(root, 'platform', 'root.pem'), 0o666);
    expect((await failureOf(() => read())).evidence?.reason).toBe('world-writable');
    unlinkSync(join(root, 'platform', 'root.pem'));
    mkdirSync(join(root, 'platform', 'root.pem'));
    expect((await failureOf(() => read())).message).toBe('root.pem is not a regular file.');
  });

  it('rejects files in a folder where every user can replace them, unless the sticky bit protects them', async () => {
    write('platform', own(keys));
    for (const folder of [join(root, 'platform'), root]) {
      chmodSync(folder, 0o777);
      const failure = await failureOf(() => read());
      expect(failure.evidence).toMatchObject({ reason: 'world-writable', where: 'private-key.pem' });
      expect(failure.message).toContain(`can replace files: ${folder}.`);
      chmodSync(folder, 0o1777);
      expect(await identity()).toMatchObject(keys);
    }
  });

  it.each<[string, (files: ReturnType<typeof certManager>) => Record<string, string>]>([
    ['root.pem, without ca.crt', ({ 'ca.crt': root, ...rest }) => ({ ...rest, 'root.pem': root })],
    [
      'root.pem, with an intermediate in ca.crt',
      (files) => ({ ...files, 'ca.crt': keys.intermediateCertificates, 'root.pem': files['ca.crt'] }),
    ],
    [
      'root.pem, with the only copy of an intermediate in ca.crt',
      ({ 'ca.crt': root, ...rest }) => ({
        ...rest,
        'tls.crt': keys.certificate,
        'ca.crt': keys.intermediateCertificates,
        'root.pem': root,
      }),
    ],
    ['a bundle in ca.crt', (files) => ({ ...files, 'ca.crt': other.rootCertificate + files['ca.crt'] })],
    [
      'the end of tls.crt, without ca.crt',
      ({ 'ca.crt': root, ...rest }) => ({ ...rest, 'tls.crt': rest['tls.crt'] + root }),
    ],
    ['both the end of tls.crt and ca.crt', (files) => ({ ...files, 'tls.crt': files['tls.crt'] + files['ca.crt'] })],
  ])('reads the root of a cert-manager secret from %s', async (_, change) => {
    write('platform', change(certManager(keys)));
    expect(await identity()).toMatchObject(keys);
  });

  it('explains how to mount a cert-manager secret without its root', async () => {
    const { 'ca.crt': _root, ...without } = certManager(keys);
    const remedy = 'mount the root certificate beside it as root.pem.';
    write('platform', without);
    const missing = await failureOf(() => read());
    expect(missing.evidence).toEqual({ reason: 'document-malformed', where: 'ca.crt' });
    expect(missing.message).toBe(`ca.crt is missing from the folder of the identity: ${remedy}`);
    write('platform', { ...without, 'ca.crt': keys.intermediateCertificates });
    const intermediate = await failureOf(() => read());
    expect(intermediate.evidence).toEqual({ reason: 'root-not-self-signed', where: 'ca.crt' });
    expect(intermediate.message).toBe(`ca.crt is an intermediate certificate and not a root: ${remedy}`);
  });

  it('reports that the folder cannot be read', async () => {
    symlinkSync('platform', join(root, 'platform'));
    const failure = await failureOf(() => read());
    expect(failure.code).toBe('identity-unavailable');
    expect(failure.evidence?.reason).toBe('ELOOP');
    expect(JSON.stringify([failure.message, failure.hint])).not.toContain(root);
  });
});

describe('a private key that every user can read', () => {
  it('causes one warning for each identity, because Kubernetes mounts secrets like that', async () => {
    write('platform', own(keys));
    chmodSync(join(root, 'platform', 'private-key.pem'), 0o644);
    const warnings: string[] = [];
    const listen = (warning: Error & { code?: string }) => warnings.push(`${warning.code} ${warning.message}`);
    process.on('warning', listen);
    const source = directorySource(root);
    await source.read('platform', 'AWSCURRENT');
    await source.read('platform', 'AWSCURRENT');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([
      'COUNTERSIGN_KEY_READABLE Every user of the machine can read the private key of identity "platform".',
    ]);
  });
});
