// The command as a process: what it is given, what it prints on both streams, and what it ends with.
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../../..');
export const mainFile = join(root, 'cli/main.ts');

export interface Ran {
  /** The exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
  /** Of standard output. */
  readonly bytes: Buffer;
}

export interface RunOptions {
  /** Nothing of this process's own but PATH reaches the command. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  readonly cwd?: string;
  /** In place of Node and the command. */
  readonly program?: string;
}

export async function runCommand(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { environment, stdin, cwd = root, program } = options;
  // No metadata service of a cloud is asked for credentials.
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, NODE_COMPILE_CACHE, AWS_EC2_METADATA_DISABLED: 'true', ...environment };
  const [path, all] = program ? [program, args] : [process.execPath, [mainFile, ...args]];
  const child = spawn(path, all, { cwd, env });
  const chunks: Buffer[] = [];
  let error = '';
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    error += chunk;
  });
  // A process that does not read its input may end before all is written.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  const bytes = Buffer.concat(chunks);
  return { code, out: bytes.toString(), error, bytes };
}
