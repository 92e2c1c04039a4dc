// What a run of the matrix leaves open and takes back: private folders, free ports and other people's programs.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connects } from '../support/port.ts';

export interface Folder {
  readonly path: string;
  /** Writes a file, by default one that only its owner may read; returns its path. */
  write(name: string, text: string, mode?: number): string;
  makeFolder(name: string): void;
}

export interface Program {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  output(): string;
}

interface ProgramOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Resources {
  folder(): Folder;
  start(path: string, args: readonly string[], options: ProgramOptions): Program;
  /** Runs when the scope ends, the last one first. */
  onEnd(action: () => Promise<void> | void): void;
  end(): Promise<void>;
}

/** The test runner's own hooks would do, but the same servers are started by a command as well. */
export function openResources(): Resources {
  const actions: (() => Promise<void> | void)[] = [];
  return {
    folder() {
      const path = mkdtempSync(join(tmpdir(), 'countersign-server-'));
      // Servers that give up root must still be able to enter. The files themselves stay private.
      chmodSync(path, 0o711);
      actions.push(() => rmSync(path, { recursive: true, force: true }));
      return {
        path,
        write(name, text, mode = 0o600) {
          const file = join(path, name);
          writeFileSync(file, text, { mode });
          return file;
        },
        makeFolder: (name) => mkdirSync(join(path, name), { mode: 0o700 }),
      };
    },
    start(path, args, { cwd, env }) {
      const child = spawn(path, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
      let text = '';
      const keep = (chunk: Buffer | string) => {
        text = (text + chunk.toString()).slice(-20_000);
      };
      child.stdout.on('data', keep);
      child.stderr.on('data', keep);
      child.stdin.on('error', () => {});
      child.on('error', (error) => keep(error.message));
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      actions.push(async () => {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        await ended;
        if (process.argv.includes('-v')) console.log(text);
      });
      return { child, output: () => text };
    },
    onEnd: (action) => actions.push(action),
    async end() {
      for (const action of actions.splice(0).reverse()) await action();
    },
  };
}

/**
 * Resolves when something accepts connections on every one; throws with the program's own words when it ended instead.
 */
export async function accepting(program: Program, ports: readonly number[]): Promise<void> {
  const until = Date.now() + 60_000;
  for (const port of ports) {
    while (!(await connects(port))) {
      if (program.child.exitCode !== null || Date.now() > until) {
        throw new Error(`The server did not start: ${program.output()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
