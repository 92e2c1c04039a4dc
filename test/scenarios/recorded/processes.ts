// The programs under test as processes: what they print, and what they end with.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { root } from './programs.ts';

export interface Run {
  readonly child: ChildProcess;
  out(): string;
  error(): string;
  /** Resolves with the first match in standard output. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>;
  /** SIGTERM, then SIGKILL after ten seconds. */
  stop(): Promise<number | string>;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Of Node, before the file. */
  readonly node?: readonly string[];
}

/** Nothing of the environment of the tests reaches it but what is needed to run. */
export function start(file: string, args: readonly string[], options: RunOptions = {}): Run {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [...(options.node ?? []), file, ...args], {
    cwd: options.cwd ?? root,
    env: { PATH, NODE_COMPILE_CACHE, AWS_EC2_METADATA_DISABLED: 'true', ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let error = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk;
    for (const look of waiting) look();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    error += chunk;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin);
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return {
    child,
    ended,
    out: () => out,
    error: () => error,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(out);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
        void ended.then((how) => reject(new Error(`It ended with ${how}: ${out}${error}`)));
      }),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
      const how = await ended;
      clearTimeout(hard);
      return how;
    },
  };
}
