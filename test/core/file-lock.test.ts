import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileIsLocked, lockFile } from '../../core/file-lock.ts';
import { privateFolder } from '../support/program.ts';

const moduleUrl = new URL(`file://${resolve(import.meta.dirname, '../../core/file-lock.ts')}`).href;

describe('lockFile', () => {
  it('excludes another process until that process is killed', async () => {
    const path = join(privateFolder().path, 'lock');
    const script = `import { lockFile } from '${moduleUrl}'; lockFile(${JSON.stringify(path)}, 0); console.log('held'); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['--input-type=module-typescript', '-e', script]);
    await once(holder.stdout, 'data');
    expect(() => lockFile(path, 0)).toThrow(FileIsLocked);
    holder.kill('SIGKILL');
    await once(holder, 'close');
    lockFile(path, 0).release();
  });

  it('is free again after release', () => {
    const path = join(privateFolder().path, 'lock');
    lockFile(path, 0).release();
    lockFile(path, 0).release();
  });

  it('passes on the error of SQLite for a file that is not a lock', () => {
    const path = join(privateFolder().path, 'lock');
    writeFileSync(path, 'garbage'.repeat(1000));
    expect(() => lockFile(path, 0)).toThrow(/not a database/);
  });
});
