// `countersign diagnose` as a process: what it prints, as text and as JSON, and its exit codes.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Diagnosis } from '../../../core/diagnosis/diagnosis.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';
import { privateFolder } from '../../support/program.ts';
import { serveHttps } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

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

const run = (args: readonly string[], environment: Record<string, string> = {}, program?: string) =>
  runCommand(program ? args : ['diagnose', ...args], { environment, ...(program ? { program } : {}) });

/** Of util-linux: what it runs has a terminal. */
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

const serve = (ca: string) => serveHttps(server, (socket) => socket.write(ok), { rejectUnauthorized: true, ca });

describe('countersign diagnose', () => {
  it('prints five lines and a verdict, and ends with 0 if access is granted', async () => {
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

  it('prints the finding and the remedy otherwise, and ends with 1; the source can be in the environment', async () => {
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

  it('prints the report as JSON, and sends only the chosen probe', async () => {
    const api = await serve(platformRoot.certificate);
    const source = `directory:${directoryFor(api.port)}`;
    const asked = await run([`https://localhost:${api.port}`, '--json', '--probe', '/health', '--source', source]);
    expect(JSON.parse(asked.out) as Diagnosis).toMatchObject({ verdict: 'access-granted', probe: { path: '/health' } });
    expect(api.received()).toMatch(/^GET \/health /);
    const silent = await run([`https://localhost:${api.port}`, '--json', '--probe', 'none', '--source', source]);
    expect(JSON.parse(silent.out)).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
    expect(api.received().match(/GET/g)).toHaveLength(1);
  });

  it('prints a problem, and the address of an API that does not respond', async () => {
    const { port } = await serve(platformRoot.certificate);
    const source = `directory:${directoryFor(port)}`;
    const forbidden = await run(['https://other.example', '--source', source]);
    expect([forbidden.code, forbidden.out, forbidden.error]).toEqual([
      3,
      '',
      expect.stringMatching(
        /^The identity .+ \(destination-forbidden\)\nother\.example is not an allowed destination .+\nTo allow this destination: countersign identity destinations platform add HOST:PORT --source directory:\S+\n$/,
      ),
    ]);
    const network = join(source.slice('directory:'.length), 'platform/destinations.json');
    writeFileSync(network, JSON.stringify([{ host: 'localhost', port }]));
    const closed = await run([`https://localhost:${port}`, '--source', source, '--json']);
    expect(JSON.parse(closed.out).error.hint).toMatch(/ add it again with --network loopback: countersign identity /);
    const asJson = await run(['https://other.example', '--source', source, '--json']);
    expect([asJson.code, JSON.parse(asJson.out).error]).toEqual([
      3,
      expect.objectContaining({ code: 'destination-forbidden', status: 403, evidence: expect.anything() }),
    ]);
    const absent = await run(['https://localhost', '--source', source, '--identity', 'absent']);
    expect([absent.code, absent.error]).toEqual([3, expect.stringMatching(/\(identity-not-found\)\n/)]);
    const nowhere = await run(['https://localhost', '--api', 'http://127.0.0.1:1']);
    expect([nowhere.code, nowhere.error]).toEqual([
      3,
      'The API at http://127.0.0.1:1 gives no response (ECONNREFUSED). Nothing listens at that address.\n',
    ]);
  });

  it('reports in one sentence that another service responds at the address of the API', async () => {
    const other = createServer((_request, reply) => reply.writeHead(404).end('<h1>Not here</h1>'));
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void other.close());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { code, out, error } = await run(['https://localhost', '--api', url]);
    expect([code, out, error]).toEqual([
      3,
      '',
      `The API at ${url} responds with HTTP 404 and not with a response of Countersign. It has no such route. Check the path of --api.\n`,
    ]);
  });

  it.skipIf(!hasScript)('has colours on a terminal, and none with NO_COLOR (needs script)', async () => {
    const { port } = await serve(customerRoot.certificate);
    const source = `directory:${directoryFor(port)}`;
    const command = `'${process.execPath}' '${mainFile}' diagnose https://localhost:${port} --source '${source}'`;
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
    [[], "missing required argument 'url'"],
    [['a', 'b'], 'too many arguments'],
    [['a', '--bogus'], "unknown option '--bogus'"],
    [['a', '--identity', 'A b'], '--identity'],
    [['a', '--probe', 'health'], '--probe'],
    [['a', '--timeout', '0'], '--timeout'],
    [['a', '--timeout', '28001'], '--timeout'],
    [['a', '--source', 'secrets-manager', '--api', 'http://localhost'], 'Give --api, or --source'],
    [['a', '--api', 'localhost'], '--api must be an http or https URL.'],
    [['a', '--api', 'https://user:word@localhost'], '--api must be a URL without a user'],
    [['a', '--api', 'http://api.example'], '--api must be https, unless it is on loopback.'],
    [['a', '--source', 'foo'], '--source must be'],
    [['a', '--source', 'directory:'], '--source'],
    [['a', '--source', 'directory:/', '--cert', 'c'], 'need --api.'],
  ])('%j is a wrong command line', async (args, named) => {
    const { code, out, error } = await run(args);
    expect([code, out, error]).toEqual([2, '', expect.stringContaining(named)]);
  });

  it('has help, which names every option', async () => {
    const help = await run(['--help']);
    expect([help.code, help.out]).toEqual([0, expect.stringContaining('--identity')]);
  });
});
