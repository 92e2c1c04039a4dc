// The hops under measurement, each with the same number of processes: ours, a bare Node program, nginx; and the CPU
// time they took.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from '../test/support/peers.ts';
import { freePort } from '../test/support/port.ts';
import { accepting } from './peers.ts';

export interface Hop {
  readonly name: string;
  readonly port: number;
  /** What is sent to it for one call. */
  readonly request: Buffer;
  /** Of all its processes so far, in milliseconds. */
  cpuMs(): number;
  stop(): Promise<void>;
}

export interface Api {
  /** The port of the API behind the hops. */
  readonly port: number;
  /** With its query. */
  readonly path: string;
}

interface IdentityFiles {
  readonly folder: string;
  /** The folder of folders. */
  readonly all: string;
}

/** The files of `document`, under the names that a directory of identities has. */
export function writeIdentity(all: string, document: string): IdentityFiles {
  const folder = join(all, 'platform');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { privateKey, certificate, intermediateCertificates, rootCertificate, destinations } = JSON.parse(document);
  const files = {
    'private-key.pem': privateKey,
    'certificate.pem': certificate,
    'intermediates.pem': intermediateCertificates,
    'root.pem': rootCertificate,
    'destinations.json': JSON.stringify(destinations),
    'server-roots.pem': destinations[0].serverRoots,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
  return { folder, all };
}

export async function startOurs(workers: number, api: Api, files: IdentityFiles, scratch: string): Promise<Hop> {
  const port = await freePort();
  const options = ['serve', '--identities', files.all, '--port', `${port}`, '--workers', `${workers}`];
  const lines = openSync(join(scratch, 'lines'), 'a', 0o600);
  const child = spawn(process.execPath, [join(import.meta.dirname, '../cli/main.ts'), ...options], {
    stdio: ['ignore', lines, 'inherit'],
  });
  return hop('countersign serve', child, port, envelope(api));
}

export async function startBare(workers: number, api: Api, files: IdentityFiles): Promise<Hop> {
  const port = await freePort();
  const script = join(import.meta.dirname, 'programs/serve-bare.ts');
  const child = spawn(process.execPath, [script, String(port), String(workers), files.folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return hop('bare Node hop', child, port, envelope(api));
}

export async function startNginxHop(workers: number, api: Api, files: IdentityFiles, scratch: string): Promise<Hop> {
  const port = await freePort();
  const folder = join(scratch, `nginx-hop-${workers}`);
  mkdirSync(folder, { mode: 0o700 });
  const pem = (name: string) => join(files.folder, name);
  writeFileSync(
    join(folder, 'chain.pem'),
    readFileSync(pem('certificate.pem'), 'utf8') + readFileSync(pem('intermediates.pem'), 'utf8'),
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log stderr warn; worker_processes ${workers};
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http {
      access_log off; keepalive_requests 100000000; keepalive_timeout 3600;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      upstream api { server 127.0.0.1:${api.port}; keepalive 64; keepalive_requests 100000000; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass https://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost:${api.port};
          proxy_ssl_certificate ${folder}/chain.pem; proxy_ssl_certificate_key ${pem('private-key.pem')};
          proxy_ssl_trusted_certificate ${pem('server-roots.pem')}; proxy_ssl_verify on; proxy_ssl_verify_depth 3;
          proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3;
        }
      }
    }`,
  );
  const program = findPeer('nginx') ?? 'nginx';
  const child = spawn(program, ['-c', join(folder, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const request = `GET ${api.path} HTTP/1.1\r\nHost: localhost\r\naccept: application/json\r\n\r\n`;
  return hop('nginx', child, port, Buffer.from(request));
}

/** The invocation that ours reads, and the bare hop as well: the same bytes for both. */
function envelope({ port, path }: Api): Buffer {
  const body = JSON.stringify({
    url: `https://localhost:${port}${path}`,
    method: 'GET',
    headers: { accept: 'application/json' },
  });
  const head = [
    'POST /v1/identities/platform/invocations HTTP/1.1',
    'Host: localhost',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

async function hop(name: string, child: ChildProcess, port: number, request: Buffer): Promise<Hop> {
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await accepting(port);
  return {
    name,
    port,
    request,
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** With its children. In clock ticks of 10 ms (proc(5), utime and stime). */
function cpuMsOf(pid: number): number {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  let ticks = 0;
  for (const name of processes) {
    try {
      // Behind the name in parentheses, which may hold blanks.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      if (Number(name) === pid || Number(fields[1]) === pid) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10;
}
