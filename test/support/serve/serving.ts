// Starts `countersign serve` as a child process, writes its files, and sends requests to it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import type { RawServeOptions } from '../../../serve/options.ts';

/** Renames each file into place, so that it is never read half-written. */
export function writeIdentity(
  folder: string,
  name: string,
  issued: IssuedCertificate,
  destinations: readonly object[],
): void {
  mkdirSync(join(folder, name), { recursive: true });
  const files = {
    'private-key.pem': issued.privateKey,
    'certificate.pem': issued.certificate,
    'intermediates.pem': issued.intermediates,
    'root.pem': issued.root,
    'destinations.json': JSON.stringify(destinations),
  };
  for (const [file, content] of Object.entries(files)) replaceFile(join(folder, name, file), content);
}

export function replaceFile(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export interface Serving {
  readonly url: string;
  readonly child: ChildProcess;
  /** Each line so far, parsed. */
  lines(): Record<string, unknown>[];
  /** Resolves with the first line that is so, also one that was before. */
  line(matches: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  errors(): string;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>;
}

/** Resolves when it serves; rejects with its output if it exits. Ends with the test. */
export async function startServing(
  options: RawServeOptions,
  environment?: Record<string, string>,
  openFiles?: number,
): Promise<Serving> {
  const serving = startProgram({ port: '0', ...options }, environment, openFiles);
  const started = serving.line(({ message }) => message === 'serving');
  const first = await Promise.race([started, serving.ended]);
  if (typeof first !== 'object') throw new Error(`It ended with ${first}: ${serving.errors()}`);
  return { ...serving, url: String(first.url) };
}

/** `openFiles`: limit of file descriptors for each process. */
function startProgram(options: RawServeOptions, environment: Record<string, string> = {}, openFiles?: number): Serving {
  const command = [process.execPath, join(import.meta.dirname, 'program.ts'), JSON.stringify(options)];
  const limited = openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`];
  const [file = '', ...args] = [...limited, ...command];
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let out = '';
  let errors = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk;
    for (const look of waiting) look();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await ended;
    clearTimeout(hard);
  });
  const lines = () => {
    const whole = out.slice(0, out.lastIndexOf('\n') + 1).split('\n');
    return whole.filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return {
    url: '',
    child,
    ended,
    lines,
    errors: () => errors,
    line: (matches) =>
      new Promise((resolve) => {
        const look = () => {
          const found = lines().find(matches);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // Each test asserts the members that it needs.
  // biome-ignore lint/suspicious/noExplicitAny: reason above
  readonly body: any;
}

export interface Asked extends Pick<RequestOptions, 'ca' | 'cert' | 'key'> {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
}

/** Uses a new connection unless an agent is given. Rejects without a complete response. */
export function ask(url: string, path: string, asked: Asked = {}): Promise<Reply> {
  const { body, agent, method = body === undefined ? 'GET' : 'POST', ...options } = asked;
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const outgoing = request(url + path, { agent: agent ?? false, method, ...options }, (incoming) => {
      text(incoming).then((answer) => {
        const isJson = /json/.test(incoming.headers['content-type'] ?? '');
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          text: answer,
          body: isJson && answer !== '' ? JSON.parse(answer) : undefined,
        });
      }, reject);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

export function invoke(
  url: string,
  target: string,
  asked: Asked & { readonly identity?: string; readonly request?: object } = {},
): Promise<Reply> {
  const { identity = 'platform', request, headers, ...rest } = asked;
  return ask(url, `/v1/identities/${identity}/invocations`, {
    ...rest,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ url: target, ...request }),
  });
}

/** The process ids of its workers. Linux only (proc(5), /proc/pid/task/tid/children). */
export function workersOf({ child }: Pick<Serving, 'child'>): number[] {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

/** The number of open sockets of a process (proc(5), /proc/pid/fd). */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(join(folder, name)).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

export const canListWorkers = existsSync(`/proc/${process.pid}/task/${process.pid}/children`);

export function isRunning(pid: number): boolean {
  try {
    // State Z: the process has ended, but was not reaped.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
