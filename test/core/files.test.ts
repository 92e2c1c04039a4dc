import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openFolderAbove, readRegularFile, readStreamUpTo, readUpTo } from '../../core/files.ts';
import { privateFolder } from '../support/program.ts';

function file(bytes: number): string {
  const path = join(privateFolder().path, 'file');
  writeFileSync(path, Buffer.alloc(bytes, 'a'));
  return path;
}

function fifo(): string {
  const path = join(privateFolder().path, 'fifo');
  execFileSync('mkfifo', [path]);
  return path;
}

describe('readRegularFile', () => {
  it('returns the bytes and the mode of a file of exactly the allowed size', async () => {
    const path = file(200_000);
    chmodSync(path, 0o640);
    const { bytes, stats } = await readRegularFile(path, 200_000);
    expect(bytes.equals(Buffer.alloc(200_000, 'a'))).toBe(true);
    expect(stats.mode & 0o777n).toBe(0o640n);
  });

  it('refuses one byte more than allowed', async () => {
    await expect(readRegularFile(file(11), 10)).rejects.toMatchObject({ code: 'EFBIG', sizeBytes: 11 });
  });

  it('refuses a folder, and a pipe without waiting for a writer', async () => {
    const folder = join(privateFolder().path, 'folder');
    mkdirSync(folder);
    await expect(readRegularFile(folder, 10)).rejects.toMatchObject({ code: 'ENOTREG' });
    await expect(readRegularFile(fifo(), 10)).rejects.toMatchObject({ code: 'ENOTREG' });
  });

  it('passes on the error of open(2)', async () => {
    await expect(readRegularFile('/nowhere/file', 10)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('readUpTo', () => {
  it('returns an empty file at once, and cuts a larger one at the limit', async () => {
    expect((await readUpTo(file(0), 10)).bytes.length).toBe(0);
    expect((await readUpTo(file(100_000), 70_000)).bytes.length).toBe(70_000);
    expect((await readUpTo('/dev/zero', 100)).bytes.length).toBe(100);
  });

  it('reads a pipe to its end when its writer opens it later and writes in pieces', async () => {
    const path = fifo();
    const read = readUpTo(path, 100);
    spawn('sh', ['-c', `exec >'${path}'; printf one; sleep 0.1; printf two`]);
    expect((await read).bytes.toString()).toBe('onetwo');
  });

  it('ends a read of a pipe that no process writes to', async () => {
    await expect(readUpTo(fifo(), 10)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('passes on EISDIR for a folder', async () => {
    await expect(readUpTo(privateFolder().path, 10)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});

describe('readStreamUpTo', () => {
  it('returns all chunks, or the first bytes of a longer stream', async () => {
    expect((await readStreamUpTo(Readable.from(['ab', Buffer.from('cd')]), 10)).toString()).toBe('abcd');
    expect((await readStreamUpTo(Readable.from(['ab', 'cd', 'ef']), 3)).toString()).toBe('abc');
  });
});

describe('openFolderAbove', () => {
  it('finds the folder of a link in the middle of the way, to a file or to a folder', async () => {
    const [start, middle, end] = [privateFolder().path, privateFolder().path, privateFolder().path];
    mkdirSync(join(end, 'inner'));
    for (const file of ['file', 'inner/file']) writeFileSync(join(end, file), 'text');
    symlinkSync(join(end, 'file'), join(middle, 'file'));
    symlinkSync(join(end, 'inner'), join(middle, 'folder'));
    symlinkSync(join(middle, 'file'), join(start, 'file'));
    symlinkSync(relative(start, join(middle, 'folder')), join(start, 'folder'));
    const paths = ['file', 'folder/file', './folder/../file'].map((name) => `${start}/${name}`);
    paths.push(relative(process.cwd(), `${start}/file`));
    const found = () => Promise.all(paths.map(openFolderAbove));
    expect(await found()).toEqual(Array(4).fill(undefined));
    chmodSync(middle, 0o777);
    expect(await found()).toEqual(Array(4).fill(middle));
    chmodSync(middle, 0o1777);
    expect(await found()).toEqual(Array(4).fill(undefined));
  });

  it('ends at a loop of links', async () => {
    const { path } = privateFolder();
    symlinkSync('loop', join(path, 'loop'));
    await expect(openFolderAbove(join(path, 'loop'))).rejects.toMatchObject({ code: 'ELOOP' });
  });
});
