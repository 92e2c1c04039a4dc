// The platform in a process of its own, which can be stopped and continued from outside as Lambda does it.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { Reply } from '../support/stage.ts';

export interface FrozenPlatform {
  call(request: object): Promise<Reply>;
  /** Resolves when the kernel says that it stands still. Linux alone can tell. */
  freeze(): Promise<void>;
  thaw(): void;
}

export async function forkPlatform(document: string): Promise<FrozenPlatform> {
  const child = fork(new URL('./platform-process.ts', import.meta.url), { stdio: 'ignore' });
  onTestFinished(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  });
  await told(child);
  child.send({ document });
  await told(child);
  return {
    async call(request) {
      const reply = told(child);
      child.send({ request });
      return (await reply) as Reply;
    },
    async freeze() {
      child.kill('SIGSTOP');
      // State T, behind the name in parentheses (proc(5), /proc/pid/stat).
      while (!/\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))) await new Promise(setImmediate);
    },
    thaw() {
      child.kill('SIGCONT');
    },
  };
}

function told(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`The platform ended with ${code}.`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message);
    });
  });
}
