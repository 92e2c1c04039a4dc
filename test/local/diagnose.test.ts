// `npm run diagnose` as a process: what it prints, as text and as JSON, and its exit codes.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Diagnosis } from '../../functions/diagnosis/diagnosis.ts';
import { readDiagnoseOptions } from '../../local/diagnose-options.ts';
import { diagnoseInLocalCloud } from '../../local/diagnosis-call.ts';
import { privateFolder } from '../support/program.ts';
import { serveHttps } from '../support/servers.ts';
import { createAuthorities } from '../support/stage.ts';

const root = resolve(import.meta.dirname, '../..');
const { platformRoot, platformIssuer, customerRoot } = createAuthorities();
const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
const client = platformIssuer.issue({ commonName: 'platform', usage: 'client' });
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

/** A directory with the identity `platform`, which may be presented to that port. */
function directoryFor(port: number): string {
  const folder = privateFolder();
  const files = {
    'private-key.pem': client.privateKey,
    'certificate.pem': client.certificate,
    'intermediates.pem': client.intermediates,
    'root.pem': client.root,
    'destinations.json': JSON.stringify([
      { host: 'localhost', port, network: 'loopback', serverRoots: customerRoot.certificate },
    ]),
  };
  mkdirSync(join(folder.path, 'platform'), { mode: 0o700 });
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder.path, 'platform', name), text, { mode: 0o600 });
  return folder.path;
}

async function run(args: readonly string[], environment: Record<string, string> = {}, program?: string) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const [path, all] = program ? [program, args] : [process.execPath, ['local/diagnose.ts', ...args]];
  const child = spawn(path, all, { cwd: root, env });
  let [out, error] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    error += chunk;
  });
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, out, error };
}

/** Of util-linux: what it runs has a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

const serve = (ca: string) => serveHttps(server, (socket) => socket.write(ok), { rejectUnauthorized: true, ca });

describe('npm run diagnose', () => {
  it('prints five lines and a verdict, and ends with 0 where access is granted', async () => {
    const { port } = await serve(platformRoot.certificate);
    const source = `directory:${directoryFor(port)}`;
    const { code, out, error } = await run([`https://localhost:${port}`, '--identity', 'platform', '--source', source]);
    expect([code, error]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^https:\/\/localhost:\d+ as platform, version /);
    for (const [index, line] of lines.slice(2, 7).entries())
      expect(line).toMatch(new RegExp(`^ {2}${index + 1} ✓ .+ ms`));
    expect(lines[8]).toBe('  access-granted  Access is granted.');
    // Not a terminal: no colours.
    expect(out).not.toContain('\u001b');
  });

  it('names the finding and the remedy where it is not, and ends with 1; the source may be in the environment', async () => {
    const { port } = await serve(customerRoot.certificate);
    const environment = { COUNTERSIGN_IDENTITY_SOURCE: `directory:${directoryFor(port)}` };
    const { code, out } = await run([`localhost:${port}`], environment);
    expect(code).toBe(1);
    expect(out).toMatch(/^ {2}4 ! .+issuers CN=Customer Root$/m);
    expect(out).toMatch(/^ {2}5 ✗ /m);
    expect(out).toMatch(/^ {2}access-refused {2}The server refuses.+inferred/m);
    expect(out).toMatch(
      /^ {2}4 client-issuer-not-accepted: The server accepts certificates from CN=Customer Root; ours/m,
    );
    expect(out).toMatch(/^ {2}5 client-certificate-rejected \(inferred\): /m);
    expect(out).toMatch(/^Remedies\n {2}customer: Add the root certificate/m);
  });

  it('prints the report as JSON, and sends only what it is told to', async () => {
    const api = await serve(platformRoot.certificate);
    const source = `directory:${directoryFor(api.port)}`;
    const asked = await run([`https://localhost:${api.port}`, '--json', '--probe', '/health', '--source', source]);
    expect(JSON.parse(asked.out) as Diagnosis).toMatchObject({ verdict: 'access-granted', probe: { path: '/health' } });
    expect(api.received()).toMatch(/^GET \/health /);
    const silent = await run([`https://localhost:${api.port}`, '--json', '--probe', 'none', '--source', source]);
    expect(JSON.parse(silent.out)).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
    expect(api.received().match(/GET/g)).toHaveLength(1);
  });

  it('tells a problem, and where nobody answers', async () => {
    const { port } = await serve(platformRoot.certificate);
    const source = `directory:${directoryFor(port)}`;
    const forbidden = await run(['https://other.example', '--source', source]);
    expect([forbidden.code, forbidden.out]).toEqual([1, expect.stringMatching(/^destination-forbidden: .+\n.+\.\n$/)]);
    const nobody = await run(['https://localhost', '--source', source, '--identity', 'nobody']);
    expect(nobody.out).toMatch(/^identity-not-found: /);
    const nowhere = await run(['https://localhost', '--api', 'http://127.0.0.1:1']);
    expect([nowhere.code, nowhere.error]).toEqual([
      1,
      'The API at http://127.0.0.1:1 gives no diagnosis (ECONNREFUSED).\n',
    ]);
  });

  it('tells in one sentence of something else that answers in the place of the API', async () => {
    const other = createServer((_request, reply) => reply.writeHead(404).end('<h1>Not here</h1>'));
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void other.close());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { code, out, error } = await run(['https://localhost', '--api', url]);
    expect([code, out, error]).toEqual([1, '', `The API at ${url} gives no diagnosis (HTTP 404).\n`]);
    const question = { url: 'https://localhost' };
    await expect(diagnoseInLocalCloud(url, 'platform', question)).rejects.toThrow('gives no diagnosis (HTTP 404).');
    await expect(diagnoseInLocalCloud('http://127.0.0.1:1', 'platform', question)).rejects.toThrow(
      'There is no local cloud on http://127.0.0.1:1: run npm start',
    );
  });

  it.skipIf(!hasScript)('has colours on a terminal, and none with NO_COLOR (needs script)', async () => {
    const { port } = await serve(customerRoot.certificate);
    const source = `directory:${directoryFor(port)}`;
    const command = `'${process.execPath}' local/diagnose.ts https://localhost:${port} --source '${source}'`;
    const onTerminal = (environment: Record<string, string>) =>
      run(['-qec', command, '/dev/null'], { TERM: 'xterm', ...environment }, 'script');
    const coloured = await onTerminal({});
    expect(coloured.code).toBe(1);
    expect(coloured.out).toContain('\u001b[31m✗\u001b[39m');
    expect(coloured.out).toContain('\u001b[31maccess-refused\u001b[39m');
    const plain = await onTerminal({ NO_COLOR: '1' });
    expect(plain.out).toMatch(/^ {2}access-refused {2}The server refuses/m);
    expect(plain.out).not.toContain('\u001b');
  });

  it.each([
    [[], 'Give one URL'],
    [['a', 'b'], 'Give one URL'],
    [['a', '--bogus'], 'Unknown option'],
    [['a', '--identity', 'A b'], '--identity'],
    [['a', '--probe', 'health'], '--probe'],
    [['a', '--timeout', '0'], '--timeout'],
    [['a', '--source', 'secrets-manager', '--api', 'http://localhost'], '--source or --api'],
    [['a', '--api', 'localhost'], '--api'],
    [['a', '--source', 'foo'], '--source must be secrets-manager, or directory: and a path.'],
    [['a', '--source', 'directory:'], '--source'],
  ])('%j is a wrong command line', (args, named) => {
    expect(() => readDiagnoseOptions(args)).toThrow(named);
  });

  it('ends with 2 for one, and with 0 for --help', async () => {
    const source = await run(['localhost', '--source', 'foo']);
    expect([source.code, source.error]).toEqual([2, expect.stringMatching(/^--source must be .+\.\n$/)]);
    const wrong = await run(['--bogus']);
    expect([wrong.code, wrong.out, wrong.error]).toEqual([
      2,
      '',
      expect.stringMatching(/^Unknown option .+--help.+\n$/),
    ]);
    const help = await run(['--help']);
    expect([help.code, help.out]).toEqual([0, expect.stringContaining('--identity')]);
  });
});
