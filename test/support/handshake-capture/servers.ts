// Servers to record flights of: openssl s_server, nginx and Node's own, on loopback, each ended by its own id.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { findPeer } from '../peers.ts';
import { freePort } from '../port.ts';

export interface RunningServer {
  readonly port: number;
  /** What the server printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/** A folder for the files of one suite. */
export function createFolder(): {
  path: string;
  write(name: string, content: string | Buffer): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'countersign-capture-'));
  return {
    path,
    write(name, content) {
      writeFileSync(join(path, name), content, { mode: 0o600 });
      return join(path, name);
    },
    remove() {
      rmSync(path, { recursive: true });
    },
  };
}

/** Answers GET requests with a page and closes. `more`: the arguments beside those of the address. */
export async function startOpenssl(more: readonly string[]): Promise<RunningServer> {
  return await running(spawnOpenssl(['-www', ...more]), opensslListens);
}

/** Prints what it receives; takes the commands of s_server, `r` to renegotiate, on its standard input. */
export async function startInteractiveOpenssl(
  more: readonly string[],
): Promise<RunningServer & { say(line: string): void }> {
  const child = spawnOpenssl(more);
  return { ...(await running(child, opensslListens)), say: (line) => child.stdin?.write(`${line}\n`) };
}

const opensslListens = /ACCEPT 127\.0\.0\.1:(\d+)/;

function spawnOpenssl(more: readonly string[]): ChildProcess {
  return spawn(findPeer('openssl') ?? '', ['s_server', '-accept', '127.0.0.1:0', ...more]);
}

async function running(child: ChildProcess, listening: RegExp): Promise<RunningServer> {
  let text = '';
  const exited = once(child, 'exit');
  const port = await new Promise<number>((resolve, reject) => {
    function look(chunk: Buffer): void {
      text += chunk.toString();
      const found = listening.exec(text);
      if (found) resolve(Number(found[1]));
    }
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', () => reject(new Error(`The server ended: ${text}`)));
  });
  return {
    port,
    output: () => text,
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** `server`: the lines inside nginx's server block, without `listen`. */
export async function startNginx(folder: string, server: string): Promise<RunningServer> {
  const port = await freePort();
  const configuration = join(folder, 'nginx.conf');
  writeFileSync(
    configuration,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr notice;
     events {} http { access_log off;
     client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
     uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
     server { listen 127.0.0.1:${port} ssl; ${server} location / { return 200 "ok"; } } }`,
  );
  const child = spawn(findPeer('nginx') ?? '', ['-p', folder, '-e', 'stderr', '-c', configuration], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { ...(await running(child, /using the "[a-z]+" event method/)), port };
}

/** Node's own server; it answers the first bytes with `ok` and ends. */
export async function startNode(options: TlsOptions): Promise<RunningServer> {
  const server = createServer(options, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nok'));
    socket.once('end', () => socket.end());
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    output: () => '',
    async stop() {
      server.close();
      await once(server, 'close');
    },
  };
}
