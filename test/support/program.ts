// Other people's servers as child processes: private files for each, waited for by connecting, ended by process id.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { connects } from './port.ts';

export interface Folder {
  readonly path: string;
  /** Writes a file that only its owner may read; returns its path. */
  write(name: string, text: string): string;
}

/** Gone with the test. */
export function privateFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'countersign-peer-'));
  // nginx's worker gives up root: it must still be able to enter. The files themselves stay private.
  chmodSync(path, 0o711);
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return {
    path,
    write(name, text) {
      const file = join(path, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    },
  };
}

export interface Program {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/** Stopped with the test at the latest. */
export function startProgram(path: string, args: readonly string[], cwd: string): Program {
  const child = spawn(path, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.on('error', (error) => {
    text += error.message;
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(stop);
  return { child, output: () => text, stop };
}

/** Resolves when something accepts connections there; throws with the program's own words when it ended instead. */
export async function accepting(program: Program, port: number): Promise<void> {
  for (const until = Date.now() + 20_000; Date.now() < until; ) {
    if (program.child.exitCode !== null) break;
    if (await connects(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`The server did not start: ${program.output()}`);
}
