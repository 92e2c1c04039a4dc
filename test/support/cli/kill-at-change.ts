// Loaded with --import: kills the process with SIGKILL before the change of the file system that KILL_AT_CHANGE
// numbers.

import * as promises from 'node:fs/promises';
import { type FileHandle, open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const killAt = Number(process.env.KILL_AT_CHANGE);
let changes = 0;

function count(): void {
  changes += 1;
  if (changes === killAt) process.kill(process.pid, 'SIGKILL');
}

// biome-ignore lint/suspicious/noExplicitAny: functions of any shape are wrapped
type Functions = Record<string, (...args: any[]) => unknown>;

function countCalls(object: Functions, names: readonly string[], isChange: (args: unknown[]) => boolean): void {
  for (const name of names) {
    const original = object[name];
    if (original === undefined) throw new Error(`There is no ${name}.`);
    object[name] = function (this: unknown, ...args: unknown[]) {
      if (isChange(args)) count();
      return original.apply(this, args);
    };
  }
}

const handle: FileHandle = await open(import.meta.filename);
countCalls(Object.getPrototypeOf(handle), ['writeFile', 'sync', 'chmod', 'chown'], () => true);
await handle.close();
const { default: exported } = promises as unknown as { default: Functions };
countCalls(exported, ['rename', 'link', 'symlink', 'rm', 'mkdir', 'chmod', 'chown'], () => true);
countCalls(exported, ['open'], ([, flags]) => flags === 'wx');
syncBuiltinESMExports();
