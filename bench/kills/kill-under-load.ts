// Calls through `countersign serve` while its workers are killed, identities are replaced and the API restarts; checks
// each answer, and each request that the API processed.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Authority, createAuthority } from '../../local/authority/authority.ts';
import { startLoad, wallClock } from '../../local/load-generator.ts';
import { findPeer } from '../../test/support/peers.ts';
import { freePort } from '../../test/support/port.ts';
import { accepting } from '../peers.ts';

export interface KillOptions {
  readonly calls: number;
  readonly callers: number;
  readonly workers: number;
  /** Milliseconds between two kills, two restarts of the API, and two replaced identities. */
  readonly killEveryMs: number;
  readonly restartEveryMs: number;
  readonly replaceEveryMs: number;
  /** Private, and empty. */
  readonly folder: string;
}

export interface Kill {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Calls without an answer whose connection was open at that time. */
  readonly lost: number;
}

export interface KillFindings {
  readonly calls: number;
  readonly answered: number;
  /** Answered with a problem document; by method and code. */
  readonly failed: Readonly<Record<string, number>>;
  /** Calls without an answer. */
  readonly lost: number;
  /** Of these, on a connection that no kill can have ended. */
  readonly lostElsewhere: number;
  readonly kills: readonly Kill[];
  /** Answers to another call, or for another identity. */
  readonly crossed: number;
  /** POST requests that the API processed twice. */
  readonly twice: number;
  readonly restarts: number;
  readonly replacements: number;
  readonly seconds: number;
  /** Resident memory of all processes of `serve` at the end, in bytes. */
  readonly residentBytes: number;
}

const names = ['bot-0', 'bot-1', 'bot-2', 'bot-3'];

interface CallRecord {
  /** Milliseconds since 1970, of the connection and the call. */
  readonly connectedAt: number;
  readonly endedAt: number;
  readonly outcome: 'answered' | 'lost' | 'crossed' | { readonly code: string };
}

export async function killUnderLoad(options: KillOptions): Promise<KillFindings> {
  const { folder, workers } = options;
  const platform = createAuthority({ commonName: 'Platform Root' });
  const customer = createAuthority({ commonName: 'Customer Root' });
  const api = await startApi(join(folder, 'api'), platform, customer);
  const identities = join(folder, 'identities');
  const destinations = [{ host: 'localhost', port: api.port, network: 'loopback', serverRoots: customer.certificate }];
  const replace = (name: string) => writeIdentity(join(identities, name), platform, name, destinations);
  for (const name of names) replace(name);
  const serving = await startServe(identities, workers, folder);
  const timers: NodeJS.Timeout[] = [];
  try {
    const url = `https://localhost:${api.port}/`;
    const agents = Array.from({ length: options.callers }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const call = (caller: number, n: number) => callOnce(serving.port, agents[caller] as Agent, url, n);
    // V8 compiles the workers' code; every caller has a connection.
    await startLoad({ callers: options.callers, call: (caller, n) => call(caller, -n) }).stop(options.callers * 20);
    const startedAt = wallClock();
    const killedAt: number[] = [];
    let restarts = 0;
    let replacements = 0;
    const kill = async () => {
      // A worker that is still starting has no calls to lose.
      if ((await serving.openWorkers()) < workers) return;
      const members = serving.workers();
      killedAt.push(wallClock());
      process.kill(members[killedAt.length % members.length] as number, 'SIGKILL');
    };
    timers.push(setInterval(() => void kill().catch(() => {}), options.killEveryMs));
    timers.push(setInterval(() => replace(names[replacements++ % names.length] as string), options.replaceEveryMs));
    timers.push(
      setInterval(() => {
        restarts += 1;
        api.restart();
      }, options.restartEveryMs),
    );
    const load = startLoad({ callers: options.callers, call });
    await load.stop(options.calls);
    for (const timer of timers.splice(0)) clearInterval(timer);
    const seconds = (wallClock() - startedAt) / 1_000;
    const residentBytes = serving.residentBytes();
    await wait(500);
    return { ...findingsOf(load.results, killedAt, api.processed()), restarts, replacements, seconds, residentBytes };
  } finally {
    for (const timer of timers) clearInterval(timer);
    await serving.stop();
    await api.stop();
  }
}

function findingsOf(calls: readonly CallRecord[], killedAt: readonly number[], processed: readonly string[]) {
  const lost = calls.filter(({ outcome }) => outcome === 'lost');
  /** Of the last kill before the call ended, if its connection was open then; -1 otherwise. */
  const killOf = ({ connectedAt, endedAt }: CallRecord) => {
    const index = killedAt.findLastIndex((at) => at <= endedAt);
    return connectedAt <= (killedAt[index] ?? 0) ? index : -1;
  };
  const failed: Record<string, number> = {};
  for (const { outcome } of calls) {
    if (typeof outcome === 'object') failed[outcome.code] = (failed[outcome.code] ?? 0) + 1;
  }
  return {
    calls: calls.length,
    answered: calls.filter(({ outcome }) => outcome === 'answered').length,
    failed,
    lost: lost.length,
    lostElsewhere: lost.filter((one) => killOf(one) === -1).length,
    kills: killedAt.map((at, index) => ({ at, lost: lost.filter((one) => killOf(one) === index).length })),
    crossed: calls.filter(({ outcome }) => outcome === 'crossed').length,
    twice: processed.length - new Set(processed).size,
  };
}

const connectedAtOf = new WeakMap<Socket, number>();

/** Odd calls are POST. The API answers with the number of the call and the subject that it saw. */
function callOnce(port: number, agent: Agent, url: string, n: number): Promise<CallRecord> {
  const name = names[Math.abs(n) % names.length] as string;
  const method = n % 2 === 0 ? 'GET' : 'POST';
  const payload = JSON.stringify({
    url,
    method,
    headers: { 'x-call': String(n) },
    ...(n % 2 === 0 ? {} : { body: '{}' }),
  });
  let connectedAt = Number.POSITIVE_INFINITY;
  const { promise, resolve } = Promise.withResolvers<CallRecord>();
  const end = (outcome: CallRecord['outcome']) => resolve({ connectedAt, endedAt: wallClock(), outcome });
  const path = `/v1/identities/${name}/invocations`;
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
  const outgoing = request({ host: '127.0.0.1', port, agent, method: 'POST', path, headers }, (incoming) => {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => {
      text += chunk;
    });
    incoming.once('error', () => end('lost'));
    incoming.once('end', () => {
      const answer = JSON.parse(text);
      if (incoming.statusCode !== 200) end({ code: `${method} ${answer.code ?? incoming.statusCode}` });
      else end(answer.body === `${method} ${n} CN=${name}` ? 'answered' : 'crossed');
    });
  });
  outgoing.once('socket', (socket) => {
    connectedAt = connectedAtOf.get(socket) ?? wallClock();
    connectedAtOf.set(socket, connectedAt);
  });
  outgoing.once('error', () => end('lost'));
  outgoing.end(payload);
  return promise;
}

function writeIdentity(
  folder: string,
  authority: Authority,
  commonName: string,
  destinations: readonly object[],
): void {
  const issued = authority.issue({ commonName, usage: 'client' });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = {
    'private-key.pem': issued.privateKey,
    'certificate.pem': issued.certificate,
    'intermediates.pem': '',
    'root.pem': issued.root,
    'destinations.json': JSON.stringify(destinations),
  };
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(join(folder, `${file}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${file}.new`), join(folder, file));
  }
}

/** nginx with one worker process, which requires a client certificate and logs each request that it processed. */
async function startApi(folder: string, platform: Authority, customer: Authority) {
  mkdirSync(folder, { mode: 0o700 });
  const server = customer.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const port = await freePort();
  const log = file('processed', '');
  const configuration = file(
    'nginx.conf',
    `daemon off; pid ${folder}/pid; error_log stderr error; worker_processes 1;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http {
      log_format processed '$request_method $http_x_call $status'; access_log ${log} processed;
      keepalive_requests 1000000; keepalive_timeout 3600;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      server {
        listen 127.0.0.1:${port} ssl backlog=4096; ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate ${file('server.pem', server.certificate)};
        ssl_certificate_key ${file('server.key', server.privateKey)};
        ssl_client_certificate ${file('clients.pem', platform.certificate)}; ssl_verify_client on;
        location / { default_type text/plain; return 200 '$request_method $http_x_call $ssl_client_s_dn'; }
      }
    }`,
  );
  const program = findPeer('nginx');
  if (program === undefined) throw new Error('This needs nginx: apt-get install nginx');
  const child = spawn(program, ['-c', configuration, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'inherit'] });
  await accepting(port);
  return {
    port,
    /** As a rolling restart: a new worker process takes over, the old one ends its answers and idle connections. */
    restart: () => void child.kill('SIGHUP'),
    /** Method and number of each POST that was answered, also where the answer was lost. */
    processed: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('POST ')),
    stop: () => stop(child, 'SIGTERM'),
  };
}

async function startServe(identities: string, workers: number, folder: string) {
  const port = await freePort();
  const main = join(import.meta.dirname, '../../cli/main.ts');
  const options = ['--port', String(port), '--workers', String(workers), '--identity-ttl-seconds', '1'];
  const lines = openSync(join(folder, 'lines'), 'a', 0o600);
  const child = spawn(process.execPath, [main, 'serve', '--identities', identities, ...options], {
    stdio: ['ignore', lines, 'inherit'],
  });
  await accepting(port);
  const childrenOf = () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
  return {
    port,
    workers: () => childrenOf().filter(Boolean).map(Number),
    openWorkers: async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return Number(/^countersign_workers (\d+)$/m.exec(text)?.[1]);
    },
    residentBytes: () =>
      [String(child.pid), ...childrenOf().filter(Boolean)].reduce((sum, pid) => sum + residentOf(pid), 0),
    stop: () => stop(child, 'SIGTERM'),
  };
}

/** In bytes (proc(5), statm: pages of 4 KiB). */
function residentOf(pid: string): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(hard);
}
