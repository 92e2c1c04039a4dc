// The platform in a process of its own, which can be stopped and continued from outside as Lambda does it.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { Reply } from '../stage.ts';

/** The SDK's whole patience is three times that. */
export const storeAttemptMs = 200;

export interface FrozenPlatform {
  call(request: object): Promise<Reply>;
  /** The lines that it wrote so far. */
  lines(): Promise<Record<string, unknown>[]>;
  /** Resolves when the kernel says that it stands still. Linux alone can tell. */
  freeze(): Promise<void>;
  thaw(): void;
}

/** It has this document as its identity, or takes what a Secrets Manager has and reads it again with every call. */
export async function forkPlatform(
  identity: { readonly document: string } | { readonly storeUrl: string },
): Promise<FrozenPlatform> {
  const store = 'storeUrl' in identity ? identity.storeUrl : 'http://127.0.0.1:9';
  const child = fork(new URL('./platform-process.ts', import.meta.url), {
    stdio: 'ignore',
    env: {
      ...process.env,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: store,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    },
  });
  onTestFinished(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  });
  await told(child);
  const ask = (message: object) => {
    const answer = told(child);
    child.send(message);
    return answer;
  };
  await ask('document' in identity ? identity : { attemptTimeoutMs: storeAttemptMs });
  return {
    call: (request) => ask({ request }) as Promise<Reply>,
    lines: () => ask({ wanted: 'lines' }) as Promise<Record<string, unknown>[]>,
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
