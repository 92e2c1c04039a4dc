// The state of the demo: private, kept, and never overwritten when it is broken.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAuthorities } from '../../local/demo-api/authorities.ts';
import { createState, openFolder, openLog } from '../../local/state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const mode = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe('the state folder', () => {
  it('gets private permissions, also if it existed', async () => {
    const state = join(folder, 'a', 'state');
    await openFolder(state);
    expect(mode(state)).toBe('700');
    chmodSync(state, 0o755);
    await openFolder(state);
    expect(mode(state)).toBe('700');
  });

  it('is rejected in one sentence if a file has its path', async () => {
    const state = join(folder, 'state');
    writeFileSync(state, '');
    await expect(openFolder(state)).rejects.toThrow(
      `The state folder ${state} cannot be used, because a file is in its place.`,
    );
  });
});

describe('the log of the functions', () => {
  it('is of this run only; that of the previous run is kept, privately', async () => {
    const file = join(folder, 'functions.log');
    for (const line of ['first\n', 'second\n', 'third\n']) {
      const log = await openLog(file);
      log.write(line);
      await log.close();
    }
    expect(readFileSync(file, 'utf8')).toBe('third\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('second\n');
    expect([mode(file), mode(`${file}.1`)]).toEqual(['600', '600']);
    expect(readdirSync(folder).sort()).toEqual(['functions.log', 'functions.log.1']);
  });
});

describe('the authorities of the demo', () => {
  it('are created once, privately, and reused at the next start', async () => {
    const file = join(folder, 'demo-authorities.json');
    const first = await openAuthorities(file);
    const second = await openAuthorities(file);
    expect(second.customer.certificate).toBe(first.customer.certificate);
    expect(second.platform.root).toBe(first.platform.root);
    expect(second.platform.intermediates).toBe(first.platform.intermediates);
    expect(mode(file)).toBe('600');
    expect(readdirSync(folder)).toEqual(['demo-authorities.json']);
  });

  it('are the same for two processes that start together', async () => {
    const file = join(folder, 'demo-authorities.json');
    const opened = await Promise.all([openAuthorities(file), openAuthorities(file), openAuthorities(file)]);
    expect(new Set(opened.map((authorities) => authorities.customer.certificate)).size).toBe(1);
  });

  it('are read although a crash left an incomplete temporary file', async () => {
    const file = join(folder, 'demo-authorities.json');
    writeFileSync(`${file}.0123456789ab.tmp`, '{"customer":');
    await expect(openAuthorities(file)).resolves.toBeDefined();
  });

  it.each([
    ['half-written', (text: string) => text.slice(0, 300)],
    ['empty', () => ''],
    ['of another shape', () => '{"customer":{}}'],
    [
      'no longer its own',
      (text: string) => text.replace(/"platform": \{\s*"certificate": "[^"]+"/, '"platform": {"certificate": "x"'),
    ],
  ])('a file that is %s is rejected in one sentence and left unchanged', async (_, spoil) => {
    const file = join(folder, 'demo-authorities.json');
    await openAuthorities(file);
    const spoilt = spoil(readFileSync(file, 'utf8'));
    writeFileSync(file, spoilt);
    await expect(openAuthorities(file)).rejects.toThrow(
      `The file ${file} is broken: delete its folder to start afresh (its secrets go with it).`,
    );
    expect(readFileSync(file, 'utf8')).toBe(spoilt);
  });

  it('a file whose key belongs to another authority is rejected', async () => {
    const [file, other] = [join(folder, 'a.json'), join(folder, 'b.json')];
    await Promise.all([openAuthorities(file), openAuthorities(other)]);
    const mixed = JSON.parse(readFileSync(file, 'utf8'));
    mixed.customer.privateKey = JSON.parse(readFileSync(other, 'utf8')).customer.privateKey;
    rmSync(file);
    await createState(file, JSON.stringify(mixed));
    await expect(openAuthorities(file)).rejects.toThrow('is broken');
  });

  it('a folder in the place of the file is one error sentence', async () => {
    const file = join(folder, 'demo-authorities.json');
    mkdirSync(file);
    await expect(openAuthorities(file)).rejects.toThrow(`The file ${file} cannot be read (EISDIR).`);
  });
});
