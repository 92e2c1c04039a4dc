// `npm start` and `npm run demo` as real processes: what they print, how they end, and what they leave behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAuthority } from '../../local/authority/authority.ts';
import { demoHosts } from '../../local/demo-api/hosts.ts';
import { setEnvironment } from '../../local/gateway/functions.ts';
import { startSecretsManager } from '../../local/secrets-manager/server.ts';

const root = resolve(import.meta.dirname, '../..');
const portOptions = ['--port', '--secrets-port', '--authority-port', '--events-port', '--api-port'];
const freePorts = portOptions.flatMap((option) => [option, '0']);

let folder: string;
let state: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-start-'));
  state = join(folder, 'state');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly error: () => string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Waits until standard output matches. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
}

function start(args: readonly string[], environment: Record<string, string> = {}): Run {
  const env = { ...process.env, TMPDIR: folder, ...environment };
  const child = spawn(process.execPath, ['local/start.ts', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    error += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  const says = async (pattern: RegExp) => {
    for (;;) {
      const match = pattern.exec(out);
      if (match) return match;
      if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}: ${out}${error}`);
      await Promise.race([once(child.stdout, 'data'), ended]);
    }
  };
  return { child, out: () => out, error: () => error, ended, says };
}

async function startCloud(): Promise<Run & { url: string }> {
  const run = start(['--state', state, ...freePorts]);
  const [, url = ''] = await run.says(/gateway +(http:\S+)[\s\S]*Ctrl-C stops it/);
  return { ...run, url };
}

async function takenPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

describe('npm run demo', () => {
  it('calls every host with the documented result, ends with 0 and leaves no files', async () => {
    const run = start(['--demo'], { NO_COLOR: '1' });
    expect([await run.ended, run.error()]).toEqual([0, '']);
    for (const line of [
      /✓ HTTP 200 {2}\{"account":"1","balance":"[\d.]+","currency":"EUR"\}\n/,
      /TLSv1\.3, .+, new connection, as SHA-256 .+, AWSCURRENT\n/,
      /name .+ ms, TCP .+ ms, TLS .+ ms, first byte .+ ms, .+ ms in all\n/,
      /1 ✓ request the endpoint +.+ ms {2}127\.0\.0\.1\n/,
      /2 ✓ server presents its certificate +.+ ms {2}CN=accounts\.demo\.localhost, TLSv1\.3\n/,
      /3 ✓ verify the server +.+ ms {2}issued by CN=Countersign demo customer CA, valid to \d{4}-/,
      /4 ✓ send the client certificate +.+ ms {2}CN=countersign-platform, AWSCURRENT: issuers /,
      /5 ✓ server verifies the client +.+ ms {2}GET \/: HTTP 404\n/,
      /access-granted {2}Access is granted\./,
    ]) {
      expect(run.out()).toMatch(line);
    }
    // One rendering and one naming of the five steps: the diagnosis's.
    expect(run.out().match(/^ +1 ✓ /gm)).toHaveLength(1);
    for (const { host, expected } of demoHosts) {
      if (expected) expect(run.out()).toMatch(new RegExp(`✓ step ${expected.step} {2}${expected.code} +${host}\n`));
    }
    expect(run.out()).not.toContain('✗');
    expect(run.out()).not.toContain('\u001b');
    expect(readdirSync(folder).filter((name) => name.startsWith('countersign-demo-'))).toEqual([]);
  });
});

describe('the environment of the user', () => {
  it('reaches neither the functions nor the SDK', async () => {
    const run = start(['--demo'], {
      NO_COLOR: '1',
      // Each of these alone would break the calls, or say so on standard error.
      AWS_PROFILE: 'stranger',
      AWS_CONFIG_FILE: join(folder, 'no-such-file'),
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1',
      AWS_USE_FIPS_ENDPOINT: 'true',
      COUNTERSIGN_SECRET_PREFIX: 'stranger/',
      COUNTERSIGN_IDENTITY_TTL_SECONDS: 'never',
      COUNTERSIGN_DOCS_URL: 'nowhere',
    });
    expect([await run.ended, run.error()]).toEqual([0, '']);
  });

  it.each([
    'AWS_PROFILE',
    'AWS_SESSION_TOKEN',
    'COUNTERSIGN_IDENTITY_SOURCE',
    'COUNTERSIGN_IDENTITY_TTL_SECONDS',
    'COUNTERSIGN_DOCS_URL',
  ])('%s is removed', (name) => {
    const before = { ...process.env };
    try {
      process.env[name] = 'stranger';
      setEnvironment({ secretsManagerUrl: 'http://127.0.0.1:1', eventBusUrl: 'http://127.0.0.1:2' });
      expect(Object.values(process.env)).not.toContain('stranger');
      expect(process.env.AWS_ENDPOINT_URL_SECRETS_MANAGER).toBe('http://127.0.0.1:1');
      expect(process.env.AWS_ENDPOINT_URL_EVENTBRIDGE).toBe('http://127.0.0.1:2');
      expect(process.env.PATH).toBe(before.PATH);
    } finally {
      for (const added of Object.keys(process.env)) if (!(added in before)) delete process.env[added];
      Object.assign(process.env, before);
    }
  });
});

describe('npm start', () => {
  it('prints commands that work unchanged', async () => {
    const run = await startCloud();
    const lines = [...run.out().matchAll(/# (.+)\n {2}curl -s (\S+) -H (\S+):(\S+) -d '(.+)'\n/g)];
    expect(lines.length).toBe(demoHosts.length);
    for (const [, why = '', url = '', name = '', value = '', body] of lines) {
      const reply = await fetch(url, { method: 'POST', headers: { [name]: value }, body: body as string });
      const answer = (await reply.json()) as { code?: string; step?: number; status: number };
      if (why.startsWith('access granted: ')) expect(answer.status).toBe(200);
      else expect(why).toContain(`${answer.code}, step ${answer.step}: `);
    }
    const [, certificateUrl = ''] = await run.says(/trust\n {2}curl -s (\S+)\n/);
    expect((await fetch(certificateUrl)).status).toBe(200);
  });

  it('has as many threads for name resolution as the functions of the stack', async () => {
    const { child } = await startCloud();
    // Proc(5): one folder for each thread; without the setting libuv makes four.
    expect(readdirSync(`/proc/${child.pid}/task`).length).toBeGreaterThan(64);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s closes everything and ends with 0', async (signal) => {
    const run = await startCloud();
    expect(await (await fetch(`${run.url}/v1/health`)).json()).toEqual({ status: 'ok' });
    run.child.kill(signal);
    expect([await run.ended, run.error()]).toEqual([0, '']);
    await expect(fetch(`${run.url}/v1/health`)).rejects.toThrow();
  });

  it('a Ctrl-C that npm forwards counts once; a second one ends the process at once', async () => {
    const run = await startCloud();
    // A call whose body never comes: the gateway has begun it once it says that it may be continued.
    const headers = { expect: '100-continue', 'content-length': 10 };
    const underWay = request(`${run.url}/v1/identities/platform/invocations`, { method: 'POST', headers });
    underWay.on('error', () => undefined);
    underWay.flushHeaders();
    await once(underWay, 'continue');
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    await run.says(/\nWaiting up to 5 s for 1 call; Ctrl-C again ends it at once\.\n/);
    await wait(100);
    expect(run.child.exitCode).toBeNull();
    while (run.child.exitCode === null) {
      run.child.kill('SIGINT');
      await wait(100);
    }
    expect(await run.ended).toBe(130);
  });

  it('after kill -9 it starts again with the state it had', async () => {
    const first = await startCloud();
    const certificate = async (url: string) => (await fetch(`${url}/v1/identities/platform/certificate`)).text();
    const before = await certificate(first.url);
    const authorities = readFileSync(join(state, 'demo-authorities.json'), 'utf8');
    first.child.kill('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');
    const second = await startCloud();
    expect(second.out()).toContain('access granted');
    const stable = (text: string) => JSON.parse(text).certificate;
    expect(stable(await certificate(second.url))).toEqual(stable(before));
    expect(readFileSync(join(state, 'demo-authorities.json'), 'utf8')).toBe(authorities);
  });
});

it('after kill -9 during a rotation the next start continues it', { timeout: 90_000 }, async () => {
  const SecretId = 'countersign/identities/platform';
  const first = await startCloud();
  const client = secretsOf(first);
  // Refused while the schedule is being tested.
  const rotating = () => client.send(new RotateSecretCommand({ SecretId }));
  const { VersionId = '' } = await vi.waitFor(rotating, { timeout: 30_000, interval: 100 });
  first.child.kill('SIGKILL');
  await first.ended;
  const after = secretsOf(await startCloud());
  await vi.waitFor(async () => {
    const { VersionIdsToStages } = await after.send(new DescribeSecretCommand({ SecretId }));
    expect(VersionIdsToStages?.[VersionId]).toEqual(['AWSCURRENT']);
    expect(Object.values(VersionIdsToStages ?? {}).flat()).not.toContain('AWSPENDING');
  }, 30_000);
});

function secretsOf({ out }: Run): SecretsManagerClient {
  const endpoint = /secrets manager +(http:\S+)/.exec(out())?.[1] ?? '';
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new SecretsManagerClient({ endpoint, region: 'us-east-1', credentials });
  onTestFinished(() => client.destroy());
  return client;
}

describe('an identity of the user', () => {
  const secret = 'countersign/identities/platform';

  async function startedWith(SecretString: string): Promise<Run> {
    const secrets = await startSecretsManager({ folder: join(state, 'secrets-manager'), port: 0 });
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new SecretsManagerClient({ endpoint: secrets.url, region: 'us-east-1', credentials });
    await client.send(new CreateSecretCommand({ Name: secret, SecretString }));
    client.destroy();
    await secrets.close();
    return startCloud();
  }

  it('that is broken does not stop the cloud, which reports the fault', async () => {
    mkdirSync(state);
    const { out } = await startedWith('{"privateKey": "hunter2');
    expect(out()).toContain(
      `\nThe secret ${secret} of the local Secrets Manager holds no identity document: delete it`,
    );
    expect(out()).toContain('identity-unusable');
    expect(out()).not.toContain('hunter2');
  });

  it('that is valid causes a notice that the demo API rejects it', async () => {
    mkdirSync(state);
    const root = createAuthority({ commonName: 'My own root' });
    const { certificate, privateKey } = root.issue({ commonName: 'mine', usage: 'client' });
    const { out } = await startedWith(JSON.stringify({ certificate, privateKey, rootCertificate: root.certificate }));
    expect(out()).toContain(`\nThe secret ${secret} holds an identity of your own, whose root the demo API does not`);
    expect(out()).toContain('client-certificate-rejected');
  });
});

describe('an error at the start', () => {
  it('another source of identities is one sentence and exit code 2, and no file is created', async () => {
    const run = start(['--state', state], { COUNTERSIGN_IDENTITY_SOURCE: 'directory:/nowhere' });
    expect([await run.ended, run.out()]).toEqual([2, '']);
    expect(run.error()).toMatch(/^The local cloud reads identities from its own [^\n]+: unset COUNTERSIGN_\w+\.\n$/);
    expect(existsSync(state)).toBe(false);
  });

  it.each([
    [
      'a lock that is not a lock',
      'secrets-manager/lock',
      (path: string) => writeFileSync(path, 'garbage'.repeat(1000)),
    ],
    ['a folder as the lock', 'secrets-manager/lock', (path: string) => mkdirSync(path)],
    ['a folder as the list of events', 'events.jsonl', (path: string) => mkdirSync(path)],
    ['a folder as the log', 'functions.log', (path: string) => mkdirSync(path)],
    ['a folder as the former log', 'functions.log.1', (path: string) => mkdirSync(path)],
  ])('%s is one sentence that names the file, and exit code 1', async (_what, name, make) => {
    const path = join(state, name);
    mkdirSync(dirname(path), { recursive: true });
    make(path);
    const run = start(['--state', state, ...freePorts]);
    expect([await run.ended, run.out()]).toEqual([1, '']);
    expect(run.error()).toMatch(/^[^\n]*: delete it\.\n$/);
    expect(run.error()).toContain(path);
  });

  it.each([
    ['--port', 'the gateway'],
    ['--secrets-port', 'Secrets Manager'],
    ['--authority-port', 'the authority'],
    ['--events-port', 'the event bus'],
    ['--api-port', 'accounts.demo.localhost'],
  ])('a taken %s is one sentence and exit code 1', async (option, who) => {
    const { port, server } = await takenPort();
    const run = start(['--state', state, ...freePorts, option, String(port)]);
    expect([await run.ended, run.out()]).toEqual([1, '']);
    expect(run.error()).toMatch(new RegExp(`^[^\n]*\\b${port}\\b[^\n]*\n$`));
    expect(run.error()).toContain(who);
    expect(run.error()).toContain('is in use');
    server.close();
  });

  it('a broken state is one sentence and exit code 1, and is left as it is', async () => {
    mkdirSync(state);
    const file = join(state, 'demo-authorities.json');
    writeFileSync(file, '{"customer":{"certifi');
    const run = start(['--state', state, ...freePorts]);
    expect(await run.ended).toBe(1);
    expect(run.error()).toBe(
      `The file ${file} is broken: delete its folder to start afresh (its secrets go with it).\n`,
    );
    expect(readFileSync(file, 'utf8')).toBe('{"customer":{"certifi');
  });

  it('a state folder that is in use is one sentence and exit code 1', async () => {
    const first = await startCloud();
    const run = start(['--state', state, ...freePorts]);
    expect(await run.ended).toBe(1);
    expect(run.error()).toMatch(/^[^\n]*in use[^\n]*\n$/);
    expect((await fetch(`${first.url}/v1/health`)).status).toBe(200);
  });

  it('an unknown option is one sentence and exit code 2, and no file is created', async () => {
    const run = start(['--state', state, '--prot', '1']);
    expect([await run.ended, run.out()]).toEqual([2, '']);
    expect(run.error()).toBe('There is no option --prot; --help lists the options.\n');
    expect(existsSync(state)).toBe(false);
  });

  it('--help lists the options and ends with 0', async () => {
    const run = start(['--help']);
    expect(await run.ended).toBe(0);
    for (const option of [...portOptions, '--state', '--demo']) {
      expect(run.out()).toContain(option);
    }
  });
});
