import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readRegularFile } from '../../../core/files.ts';
import { createFileReloader } from '../../../serve/reload/file-reloader.ts';
import { privateFolder } from '../../support/program.ts';
import { replaceFile } from '../../support/serve/serving.ts';

const program = (file: string) => `
  import { closeSync, openSync, renameSync, writeFileSync } from 'node:fs';
  import { createFileReloader } from ${JSON.stringify(pathToFileURL(resolve(import.meta.dirname, '../../../serve/reload/file-reloader.ts')))};
  const file = ${JSON.stringify(file)};
  const reported = [];
  const reloader = await createFileReloader({
    paths: [file],
    parse: ([text]) => text,
    intervalMs: 1_000_000,
    onReloaded: (now, before) => reported.push(before + ' to ' + now),
    onRejected: (sentence) => reported.push(sentence),
  });
  writeFileSync(file + '.new', 'second');
  renameSync(file + '.new', file);
  const open = [];
  try {
    for (;;) open.push(openSync('/dev/null'));
  } catch {}
  await reloader.reload();
  await reloader.reload();
  for (const one of open) closeSync(one);
  await reloader.reload();
  console.log(JSON.stringify(reported));
  process.exit();`;

describe('the file reloader', () => {
  it.skipIf(!existsSync('/dev/null'))(
    'reads files that could not be opened as soon as it can open them (needs /dev/null)',
    () => {
      const file = privateFolder().write('file', 'first');
      const limited = 'ulimit -n 64; exec "$0" "$@"';
      const args = ['--input-type=module', '-e', program(file)];
      const out = execFileSync('sh', ['-c', limited, process.execPath, ...args], { encoding: 'utf8' });
      expect(JSON.parse(out)).toEqual([`${file} cannot be read (EMFILE).`, 'first to second']);
    },
  );

  it('reads a rejected file again only when it changes, and reports a missing one once', async () => {
    const folder = privateFolder();
    const file = folder.write('file', 'one');
    const reported: string[] = [];
    let parsed = 0;
    const reloader = await createFileReloader({
      paths: [file],
      parse([text = '']) {
        parsed += 1;
        if (text.startsWith('broken')) throw new Error('It is broken.');
        return text;
      },
      intervalMs: 1_000_000,
      onRejected: (sentence) => reported.push(sentence),
    });
    onTestFinished(reloader.close);
    const reload = async () => {
      for (let n = 0; n < 3; n++) await reloader.reload();
      return reported.splice(0);
    };
    replaceFile(file, 'broken');
    expect(await reload()).toEqual(['It is broken.']);
    expect(parsed).toBe(2);
    replaceFile(file, 'broken again');
    expect(await reload()).toEqual(['It is broken.']);
    rmSync(file);
    expect(await reload()).toEqual([`${file} cannot be read (ENOENT).`]);
    replaceFile(file, 'three');
    chmodSync(file, 0o666);
    expect(await reload()).toEqual([`${file} can be written by every user of the machine.`]);
    chmodSync(file, 0o600);
    expect([await reload(), reloader.current, reloader.texts]).toEqual([[], 'three', ['three']]);
  });

  it('refuses a file in a folder where every user can replace it, also behind links; 1777 is safe', async () => {
    const [folder, links] = [privateFolder(), privateFolder()];
    const file = folder.write('file', 'one');
    const link = `${links.path}/link`;
    symlinkSync(file, link);
    const open = (path: string) => createFileReloader({ paths: [path], parse: ([text]) => text });
    chmodSync(folder.path, 0o777);
    for (const path of [file, link]) {
      await expect(open(path)).rejects.toThrow(
        `${path} is in a folder in which every user of the machine can replace files: ${folder.path}.`,
      );
    }
    chmodSync(folder.path, 0o1777);
    const reloader = await open(link);
    onTestFinished(reloader.close);
    expect(reloader.current).toBe('one');
  });

  it('never takes up files that change while they are read', async () => {
    const folder = privateFolder();
    const [one, other] = [folder.write('one', '1'), folder.write('other', '1')];
    let isWriting = false;
    const seen: string[] = [];
    const reloader = await createFileReloader({
      paths: [one, other],
      parse: (texts) => seen.push(texts.join(' ')),
      intervalMs: 1_000_000,
      async read(path, maxBytes) {
        const read = await readRegularFile(path, maxBytes);
        // The writer replaces the second file after it was read.
        if (isWriting && path === other) replaceFile(other, '2');
        return read;
      },
    });
    onTestFinished(reloader.close);
    replaceFile(one, '2');
    isWriting = true;
    await reloader.reload();
    isWriting = false;
    expect(seen).toEqual(['1 1']);
    await reloader.reload();
    expect(seen).toEqual(['1 1', '2 2']);
  });

  it('uses the last good texts if the files are broken at the start', async () => {
    const folder = privateFolder();
    const file = folder.write('file', 'broken');
    const reported: string[] = [];
    const options = {
      paths: [file],
      parse([text = '']: readonly string[]) {
        if (text === 'broken') throw new Error('It is broken.');
        return text;
      },
      intervalMs: 1_000_000,
      onRejected: (sentence: string) => reported.push(sentence),
    };
    await expect(createFileReloader(options)).rejects.toThrow('It is broken.');
    const reloader = await createFileReloader({ ...options, lastGood: ['good'] });
    onTestFinished(reloader.close);
    await reloader.reload();
    expect([reloader.current, reported.splice(0)]).toEqual(['good', ['It is broken.']]);
    replaceFile(file, 'new');
    await reloader.reload();
    expect([reloader.current, reported]).toEqual(['new', []]);
  });

  it('keeps the content until the new files can be used, and reports each problem once', async () => {
    const folder = privateFolder();
    const [one, other] = [folder.write('one', '1'), folder.write('other', '1')];
    const reported: string[] = [];
    const reloader = await createFileReloader({
      paths: [one, other],
      parse: ([first, second]) => {
        if (first !== second) throw new Error(`${first} is not ${second}.`);
        return first;
      },
      intervalMs: 1_000_000,
      onReloaded: (now, before) => reported.push(`${before} to ${now}`),
      onRejected: (sentence) => reported.push(sentence),
    });
    onTestFinished(reloader.close);
    const stateAfter = async (change: () => void) => {
      change();
      await reloader.reload();
      await reloader.reload();
      return [reloader.current, ...reported.splice(0)];
    };
    expect(await stateAfter(() => {})).toEqual(['1']);
    expect(await stateAfter(() => replaceFile(one, '2'))).toEqual(['1', '2 is not 1.']);
    expect(await stateAfter(() => replaceFile(other, '2'))).toEqual(['2', '1 to 2']);
    expect(await stateAfter(() => rmSync(other))).toEqual(['2', `${other} cannot be read (ENOENT).`]);
    expect(await stateAfter(() => replaceFile(other, '2'))).toEqual(['2', '2 to 2']);
    expect(await stateAfter(() => writeFileSync(other, readFileSync(other)))).toEqual(['2', '2 to 2']);
  });
});
