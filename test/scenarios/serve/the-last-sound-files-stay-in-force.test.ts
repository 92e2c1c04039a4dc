// The server's own files when they cannot be read for a while, when they are broken and a worker is replaced, and when they let nobody in.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import { createFileReloader } from '../../../serve/reload/file-reloader.ts';
import { parseTrust } from '../../../serve/reload/tls-files.ts';
import { privateFolder } from '../../support/program.ts';
import {
  callersAuthority,
  newServerCertificate,
  newToken,
  serverAuthority,
  surroundings,
} from '../../support/serve/installation.ts';
import { ask, canListWorkers, isRunning, replaceFile, startServing, workersOf } from '../../support/serve/serving.ts';

const program = (file: string) => `
  import { closeSync, openSync, renameSync, writeFileSync } from 'node:fs';
  import { createFileReloader } from ${JSON.stringify(pathToFileURL(resolve(import.meta.dirname, '../../../serve/reload/file-reloader.ts')))};
  const file = ${JSON.stringify(file)};
  const told = [];
  const kept = await createFileReloader({
    paths: [file],
    parse: ([text]) => text,
    intervalMs: 1_000_000,
    onReloaded: (now, before) => told.push(before + ' to ' + now),
    onRejected: (sentence) => told.push(sentence),
  });
  writeFileSync(file + '.new', 'second');
  renameSync(file + '.new', file);
  const open = [];
  try {
    for (;;) open.push(openSync('/dev/null'));
  } catch {}
  await kept.reload();
  await kept.reload();
  for (const one of open) closeSync(one);
  await kept.reload();
  console.log(JSON.stringify(told));
  process.exit();`;

describe('kept files', () => {
  it.skipIf(!existsSync('/dev/null'))(
    'that could not be opened are read as soon as they can be (needs /dev/null)',
    () => {
      const file = privateFolder().write('file', 'first');
      const limited = 'ulimit -n 64; exec "$0" "$@"';
      const args = ['--input-type=module', '-e', program(file)];
      const out = execFileSync('sh', ['-c', limited, process.execPath, ...args], { encoding: 'utf8' });
      expect(JSON.parse(out)).toEqual([`${file} cannot be read (EMFILE).`, 'first to second']);
    },
  );

  it('that were refused are not read again until they change; those that are gone are looked for, and told of once', async () => {
    const folder = privateFolder();
    const file = folder.write('file', 'one');
    const told: string[] = [];
    let made = 0;
    const kept = await createFileReloader({
      paths: [file],
      parse([text = '']) {
        made += 1;
        if (text.startsWith('broken')) throw new Error('It is broken.');
        return text;
      },
      intervalMs: 1_000_000,
      onRejected: (sentence) => told.push(sentence),
    });
    onTestFinished(kept.close);
    const look = async () => {
      for (let n = 0; n < 3; n++) await kept.reload();
      return told.splice(0);
    };
    replaceFile(file, 'broken');
    expect(await look()).toEqual(['It is broken.']);
    expect(made).toBe(2);
    replaceFile(file, 'broken again');
    expect(await look()).toEqual(['It is broken.']);
    rmSync(file);
    expect(await look()).toEqual([`${file} cannot be read (ENOENT).`]);
    replaceFile(file, 'three');
    chmodSync(file, 0o666);
    expect(await look()).toEqual([`${file} can be written by every user of the machine.`]);
    chmodSync(file, 0o600);
    expect([await look(), kept.current, kept.texts]).toEqual([[], 'three', ['three']]);
  });

  it('that are broken at the start are taken as they last were, where somebody knows', async () => {
    const folder = privateFolder();
    const file = folder.write('file', 'broken');
    const told: string[] = [];
    const options = {
      paths: [file],
      parse([text = '']: readonly string[]) {
        if (text === 'broken') throw new Error('It is broken.');
        return text;
      },
      intervalMs: 1_000_000,
      onRejected: (sentence: string) => told.push(sentence),
    };
    await expect(createFileReloader(options)).rejects.toThrow('It is broken.');
    const kept = await createFileReloader({ ...options, lastGood: ['sound'] });
    onTestFinished(kept.close);
    await kept.reload();
    expect([kept.current, told.splice(0)]).toEqual(['sound', ['It is broken.']]);
    replaceFile(file, 'new');
    await kept.reload();
    expect([kept.current, told]).toEqual(['new', []]);
  });
});

describe.skipIf(!canListWorkers)('workers that are replaced (needs /proc)', () => {
  it('serve with the last sound files while those that are there are broken', async () => {
    const { identities, folder } = await surroundings();
    const { token, tokenSha256 } = newToken();
    const server = newServerCertificate();
    const [callers, key] = [
      folder.write('callers.json', JSON.stringify([{ name: 'bot', tokenSha256, identities: '*' }])),
      folder.write('tls.key', server.privateKey),
    ];
    const serving = await startServing({
      identities,
      workers: '2',
      callers,
      tlsCert: folder.write('tls.crt', server.certificate),
      tlsKey: key,
    });
    const refusals = () => serving.lines().filter(({ message }) => message === 'files refused');
    replaceFile(callers, '[');
    replaceFile(key, 'half a k');
    // Both files, of both workers.
    await expect.poll(() => refusals().length, { timeout: 10_000 }).toBe(4);
    const first = workersOf(serving);
    for (const pid of first) process.kill(pid, 'SIGKILL');
    const replacements = () => workersOf(serving).filter((pid) => !first.includes(pid) && isRunning(pid));
    await expect.poll(() => replacements().length, { timeout: 10_000 }).toBe(2);
    // Each says that it, too, finds them broken, once.
    await expect.poll(() => refusals().length, { timeout: 10_000 }).toBe(8);
    const statusOf = (shown: string) =>
      ask(serving.url, '/v1/identities/platform/certificate', {
        ca: serverAuthority.certificate,
        headers: { authorization: `Bearer ${shown}` },
      }).then(({ status }) => status, String);
    await expect.poll(() => statusOf(token), { timeout: 10_000 }).toBe(200);
    expect(await statusOf(newToken().token)).toBe(401);
    expect(replacements().length).toBe(2);
    expect(serving.lines().filter(({ message }) => message === 'worker failed')).toEqual([]);
  });
});

describe('the files of the server', () => {
  const { certificate, privateKey } = newServerCertificate();
  const trustOf = (ca: string) => parseTrust([certificate, privateKey, ca]);

  it('with an intermediate whose authority is missing are refused: nobody would be let in by it', () => {
    const root = createAuthority({ commonName: 'Root' });
    const issuer = root.intermediate({ commonName: 'Issuer' });
    const sentence = '--client-ca contains an intermediate without its issuer: add the issuers, up to the root.';
    expect(() => trustOf(issuer.certificate)).toThrow(new Error(sentence));
    expect(() => trustOf(callersAuthority.certificate + issuer.certificate)).toThrow(new Error(sentence));
    trustOf(issuer.certificate + root.certificate);
    trustOf(root.certificate + callersAuthority.certificate);
  });

  it('with a key that everybody can read are taken, and said', async () => {
    const { identities, folder } = await surroundings();
    const key = folder.write('tls.key', privateKey);
    chmodSync(key, 0o644);
    const serving = await startServing({
      identities,
      workers: '2',
      tlsCert: folder.write('tls.crt', certificate),
      tlsKey: key,
    });
    expect(serving.errors()).toContain('Every user of the machine can read the private key of --tls-key.');
    expect(serving.errors().match(/--tls-key/g)?.length).toBe(1);
    expect(serving.errors()).not.toContain(join(folder.path, 'tls.key'));
  });
});
