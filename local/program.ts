// What `npm start` and `npm run demo:rotation` are as programs: signals, colours, a folder of their own, and what is said when they fail.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Paint, painter } from '../cli/output.ts';

export interface Program {
  /** Standard output is one. */
  readonly isTerminal: boolean;
  readonly paint: Paint;
  /** Aborted by the first Ctrl-C or SIGTERM; the second ends the process. */
  readonly signal: AbortSignal;
}

/** A terminal's Ctrl-C reaches this process twice under npm, which passes it on as well: that is still the first. */
const oneKeyPressMs = 500;

/** To be called before anything else. */
export function openProgram(): Program {
  // As the stack sets it for the functions; libuv reads it when it first uses a thread, which nothing has done up to here.
  process.env.UV_THREADPOOL_SIZE ??= '64';
  const stop = new AbortController();
  let firstSignalAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (firstSignalAt !== undefined && performance.now() - firstSignalAt > oneKeyPressMs) process.exit(130);
      firstSignalAt ??= performance.now();
      stop.abort();
    });
  }
  // Whoever reads the output may go away first (`npm start | head`): then there is nobody to tell.
  process.stdout.on('error', () => process.exit(0));
  const isTerminal = process.stdout.isTTY === true;
  return { isTerminal, paint: painter(isTerminal && !process.env.NO_COLOR), signal: stop.signal };
}

/** Removed however this process ends, short of SIGKILL. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What was thrown, in a sentence on standard error. @returns `code` */
export function complain(error: unknown, code: number): number {
  const { message, code: reason } = error as NodeJS.ErrnoException;
  const missing = reason === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(message)?.[1];
  console.error(missing ? `The package ${missing} is not installed: run npm ci first.` : message);
  return code;
}
