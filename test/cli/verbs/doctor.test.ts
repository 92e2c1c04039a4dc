// `countersign doctor` in installations with one thing wrong each: what it says, what to do, and the exit code.
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import type { Check } from '../../../cli/doctor/check.ts';
import {
  authorities,
  customerRoot,
  directoryFor,
  listen,
  listening,
  platformIssuer,
} from '../../support/cli/customer.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';
import { startServer } from '../../support/local-secrets-manager/local-server.ts';
import { privateFolder } from '../../support/program.ts';
import { newToken } from '../../support/serve/installation.ts';
import { startServing, writeIdentity } from '../../support/serve/serving.ts';
import { serveTcp } from '../../support/servers.ts';
import { documentOf } from '../../support/stage.ts';

interface Examined {
  readonly code: number | null;
  readonly ok: boolean;
  readonly failures: number;
  readonly warnings: number;
  readonly checks: readonly Check[];
}

async function examine(args: readonly string[], environment: Record<string, string> = {}): Promise<Examined> {
  const { code, out, error } = await runCommand(['doctor', '--json', ...args], { environment });
  expect(error).toBe('');
  return { code, ...(JSON.parse(out) as Omit<Examined, 'code'>) };
}

const canBeNobody = process.getuid?.() === 0 && spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;

const found = ({ checks }: Examined, status: Check['status']) => checks.filter((one) => one.status === status);

/** The one failure of it, which says what to do. */
function onlyFailure(examined: Examined): Check {
  const failures = found(examined, 'failure');
  expect([examined.code, examined.ok, examined.failures, failures.length]).toEqual([1, false, 1, 1]);
  const [failure] = failures;
  if (!failure?.remedy) throw new Error(`Nothing is said that helps: ${JSON.stringify(failure)}`);
  return failure;
}

function onlyWarning(examined: Examined): Check {
  const warnings = found(examined, 'warning');
  expect([examined.code, examined.ok, examined.failures, warnings.length]).toEqual([0, true, 0, 1]);
  const [warning] = warnings;
  if (!warning?.remedy) throw new Error(`Nothing is said that helps: ${JSON.stringify(warning)}`);
  return warning;
}

async function installation(): Promise<{ path: string; source: string[]; port: number }> {
  const { port } = await listen((_request, response) => response.end('ok'));
  const path = directoryFor(port);
  return { path, source: ['--source', `directory:${path}`], port };
}

/** With one destination, which has that probe. */
function probing(port: number, probe: object): string[] {
  const { path } = privateFolder();
  writeIdentity(path, 'platform', platformIssuer.issue({ commonName: 'p', usage: 'client' }), [
    { host: 'localhost', port, network: 'loopback', serverRoots: customerRoot.certificate, probe },
  ]);
  return ['--source', `directory:${path}`];
}

/** With that certificate in place of a sound one, and no destination with one host. */
function identityFolder(issued: ReturnType<typeof platformIssuer.issue>): string[] {
  const { path } = privateFolder();
  writeIdentity(path, 'platform', issued, [{ host: '*.acme.example' }]);
  return ['--source', `directory:${path}`];
}

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);

describe('countersign doctor', () => {
  it('reports no fault for a sound installation whose destinations respond to the probe', async () => {
    const { port, received } = await listen((_request, response) => response.end('ok'));
    const source = probing(port, { path: '/health?key=secret-word' });
    const examined = await examine(source);
    expect([examined.code, examined.ok, examined.failures, examined.warnings]).toEqual([0, true, 0, 0]);
    expect(found(examined, 'ok').map(({ check }) => check)).toEqual(
      expect.arrayContaining(['node', 'settings', 'store', 'identity', 'files', 'destination']),
    );
    expect(examined.checks.at(-1)).toMatchObject({
      subject: `https://localhost:${port} as platform`,
      status: 'ok',
      isAnswered: true,
      detail: expect.stringMatching(/^handshake done, TLSv1.3, \d+ ms; GET \/health was answered with HTTP 200$/),
    });
    expect(JSON.stringify(examined)).not.toContain('secret-word');
    expect(received.length).toBe(1);
    const { code, out } = await runCommand(['doctor', ...source]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^✓ node [\s\S]+\n\nNothing is wrong\.\n$/)]);
  });

  it('does not report success if no request got a response', async () => {
    const { source } = await installation();
    const untold = 'a server can complete the handshake and refuse every request.\n';
    expect(await runCommand(['doctor', ...source])).toMatchObject({
      code: 0,
      out: expect.stringContaining(`No failure was found. No request was answered by 1 of 1 destination: ${untold}`),
    });
    expect(await runCommand(['doctor', '--no-reach', ...source])).toMatchObject({
      code: 0,
      out: expect.stringContaining(`No failure was found. No destination was tried: ${untold}`),
    });
  });

  const refusal = '<html><head><title>400 The SSL certificate error</title></head></html>';
  it.each([
    ['with a page', 400, refusal, { path: '/' }, 1, /^it refuses the client certificate: /],
    ['with 403', 403, 'no', { path: '/' }, 1, /^it refuses the client certificate: /],
    ['with another status than expected', 401, 'no', { path: '/', expectStatus: 204 }, 1, /HTTP 401, not 204/],
    ['with a status that has many reasons', 500, 'no', { path: '/' }, 1, /HTTP 500, not 200/],
  ])(
    'reports a server that completes the handshake and rejects every request, %s',
    async (_how, status, body, probe, code, says) => {
      const { port } = await listen((_request, response) => response.writeHead(status).end(body));
      const source = probing(port, probe);
      const examined = await examine(source);
      expect([examined.code, examined.checks.at(-1)]).toMatchObject([code, { isAnswered: false }]);
      expect(examined.checks.at(-1)?.detail).toMatch(says);
      expect((await runCommand(['doctor', ...source])).out).not.toContain('Nothing is wrong');
    },
  );

  it('reports a probe whose response is not complete', async () => {
    const { port } = await listen((_request, response) => {
      response.socket?.end('HTTP/1.1 200 OK\r\ncont');
    });
    const { code, checks } = await examine(probing(port, { path: '/' }));
    expect([code, checks.at(-1)]).toMatchObject([1, { check: 'destination', status: 'failure', isAnswered: false }]);
    expect(checks.at(-1)?.remedy).toMatch(/^customer: Check in the log of the API/);
  });

  it('reports a setting that cannot be read', async () => {
    const { source } = await installation();
    const examined = await examine(source, { COUNTERSIGN_IDENTITY_TTL_SECONDS: 'soon' });
    const { check, detail } = onlyFailure(examined);
    expect([check, detail]).toEqual(['settings', expect.stringMatching(/^COUNTERSIGN_IDENTITY_TTL_SECONDS must be/)]);
    // The other checks still run.
    expect(found(examined, 'ok').map(({ check }) => check)).toContain('identity');
    expect(found(examined, 'skipped')).toContainEqual(expect.objectContaining({ check: 'destination' }));
  });

  it('reports an invalid source in the environment, or one with an impossible prefix', async () => {
    const source = onlyFailure(await examine([], { COUNTERSIGN_IDENTITY_SOURCE: 'somewhere' }));
    expect([source.check, source.detail]).toEqual([
      'settings',
      expect.stringMatching(/^COUNTERSIGN_IDENTITY_SOURCE must/),
    ]);
    const prefix = onlyFailure(await examine([], { COUNTERSIGN_SECRET_PREFIX: 'a b' }));
    expect([prefix.check, prefix.detail]).toEqual([
      'settings',
      expect.stringMatching(/^COUNTERSIGN_SECRET_PREFIX can contain/),
    ]);
    // A value on the command line is not a fault of the installation.
    expect((await runCommand(['doctor', '--source', 'somewhere'])).code).toBe(2);
    expect((await runCommand(['doctor', '--prefix', 'a b'])).code).toBe(2);
  });

  it.each([
    [{ COUNTERSIGN_IDENTITY_TLL: '5' }, 'COUNTERSIGN_IDENTITY_TLL', 'is not a setting of Countersign'],
    [{ HTTPS_PROXY: 'http://user:word@proxy.example' }, 'HTTPS_PROXY', 'connects to destinations directly'],
  ])('reports a variable without effect: %j', async (environment, subject, said) => {
    const { source } = await installation();
    const warning = onlyWarning(await examine(source, environment));
    expect([warning.check, warning.subject, warning.detail]).toEqual([
      'settings',
      subject,
      expect.stringContaining(said),
    ]);
    expect(JSON.stringify(warning)).not.toContain('user:word');
  });

  it('reports a missing store', async () => {
    const { path } = privateFolder();
    const missing = onlyFailure(await examine(['--source', `directory:${path}/nothing`]));
    expect([missing.check, missing.detail]).toEqual(['store', expect.stringContaining('There is no directory')]);
    const empty = onlyFailure(await examine(['--source', `directory:${path}`]));
    expect([empty.check, empty.detail]).toEqual(['store', expect.stringContaining('has no identity')]);
    const failure = onlyFailure(await examine(['--source', 'local', '--endpoint', 'http://127.0.0.1:1']));
    expect([failure.check, failure.remedy]).toEqual(['store', expect.stringContaining('npm start')]);
    const noCredentials = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
    const aws = onlyFailure(await examine(['--source', 'aws', '--region', 'eu-central-1'], noCredentials));
    expect([aws.check, aws.remedy]).toEqual(['store', expect.stringContaining('AWS_PROFILE')]);
  });

  it('reports an identity that cannot be used', async () => {
    const expired = platformIssuer.issue({
      commonName: 'p',
      usage: 'client',
      notBefore: inDays(-9),
      notAfter: inDays(-1),
    });
    const failure = onlyFailure(await examine(identityFolder(expired)));
    expect([failure.check, failure.subject]).toEqual(['identity', 'platform']);
    expect(failure.detail).toMatch(/expired/);
    const { path, source } = await installation();
    writeFileSync(join(path, 'platform/private-key.pem'), readFileSync(join(path, 'platform/certificate.pem')));
    expect(onlyFailure(await examine(source)).check).toBe('identity');
  });

  it('reports an identity that expires soon, and one without destinations', async () => {
    const soon = onlyWarning(
      await examine(identityFolder(platformIssuer.issue({ commonName: 'p', usage: 'client', notAfter: inDays(9.5) }))),
    );
    expect([soon.check, soon.detail]).toEqual(['identity', expect.stringMatching(/^can be used until .+, 9 days$/)]);
    const { path, source } = await installation();
    rmSync(join(path, 'platform/destinations.json'));
    const anywhere = onlyWarning(await examine(source));
    expect([anywhere.check, anywhere.detail]).toEqual(['identity', 'can be presented to any host']);
  });

  it('reports a key that other users can read, and files that they can change', async () => {
    const { path, source } = await installation();
    const key = join(path, 'platform/private-key.pem');
    chmodSync(key, 0o644);
    chmodSync(join(path, 'platform'), 0o755);
    chmodSync(path, 0o755);
    const readable = onlyWarning(await examine(source));
    expect([readable.check, readable.subject]).toEqual(['files', key]);
    expect(readable.remedy).toMatch(/^chmod o-r /);
    // In a folder that no other user can enter, the mode of the file does not matter.
    chmodSync(join(path, 'platform'), 0o700);
    expect((await examine(source)).warnings).toBe(0);
    chmodSync(join(path, 'platform'), 0o757);
    chmodSync(key, 0o600);
    const folder = join(path, 'platform');
    expect(found(await examine(source), 'failure')).toEqual([
      // The service refuses the identity; the second failure says what to do.
      expect.objectContaining({ check: 'identity', subject: 'platform' }),
      expect.objectContaining({ check: 'files', subject: folder, remedy: `chmod o-w '${folder}'` }),
    ]);
    // It only looks.
    expect(statSync(join(path, 'platform')).mode & 0o777).toBe(0o757);
  });

  it.skipIf(!canBeNobody)(
    'reports files that the user of the service cannot read (needs root and setpriv)',
    async () => {
      const { path, source } = await installation();
      const [folder, key] = [join(path, 'platform'), join(path, 'platform/private-key.pem')];
      const asService = async (args: readonly string[]) => {
        const words = ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, mainFile, 'doctor'];
        const { out } = await runCommand([...words, '--json', '--no-reach', ...args], { program: 'setpriv' });
        return JSON.parse(out) as Examined;
      };
      for (const one of [path, folder]) chmodSync(one, 0o755);
      const failure = found(await asService(source), 'failure')[0];
      expect(failure).toMatchObject({
        check: 'identity',
        subject: 'platform',
        detail: `User 65534, who runs this, cannot read ${key}. It belongs to user 0 and group 0, mode 0600.`,
        remedy: expect.stringMatching(/^Give that user /),
      });
      // What it could not look at is not called sound.
      chmodSync(folder, 0o700);
      const closed = await asService(source);
      const files = closed.checks.filter(({ check }) => check === 'files');
      expect(files.map(({ status, detail }) => [status, detail])).toEqual([
        ['skipped', `${folder}: this user cannot read it`],
      ]);
      expect(found(closed, 'failure')[0]?.detail).toContain(`cannot read ${folder}. It belongs to user 0`);
      chmodSync(path, 0o700);
      expect(found(await asService(source), 'failure')[0]?.detail).toContain('this user cannot read');
    },
  );

  it('reports a folder that is an identity itself', async () => {
    const { path } = await installation();
    const below = ['--source', `directory:${join(path, 'platform')}`];
    const sentence = `The directory ${join(path, 'platform')} is the folder of one identity. Name the directory above it, ${path}.`;
    expect(onlyFailure(await examine(below))).toMatchObject({ check: 'store', detail: sentence });
    for (const words of [
      ['identity', 'list'],
      ['diagnose', 'https://localhost'],
    ]) {
      expect(await runCommand([...words, ...below])).toMatchObject({ code: 2, out: '', error: `${sentence}\n` });
    }
  });

  it('reports a destination that has no address, is down, is not trusted, or rejects the certificate', async () => {
    const strict = { rejectUnauthorized: true, ca: customerRoot.certificate };
    const refusing = await listen((_request, response) => response.end(), strict);
    const closed = await serveTcp((socket) => socket.destroy());
    const { path } = privateFolder();
    const at = (port: number, more = {}) => ({
      host: 'localhost',
      port,
      network: 'loopback',
      serverRoots: customerRoot.certificate,
      ...more,
    });
    const granting = await listen((_request, response) => response.end());
    writeIdentity(path, 'platform', platformIssuer.issue({ commonName: 'p', usage: 'client' }), [
      { host: 'nothing.invalid' },
      at(closed.port),
      at(granting.port, { serverRoots: authorities.platformRoot.certificate }),
      at(refusing.port),
    ]);
    const examined = await examine(['--source', `directory:${path}`]);
    expect([examined.code, examined.failures]).toEqual([1, 4]);
    const failures = found(examined, 'failure');
    expect(failures.map(({ check, subject }) => [check, subject])).toEqual([
      ['destination', 'https://nothing.invalid:443 as platform'],
      ['destination', `https://localhost:${closed.port} as platform`],
      ['destination', `https://localhost:${granting.port} as platform`],
      ['destination', `https://localhost:${refusing.port} as platform`],
    ]);
    const [unknown, down, untrusted, refused] = failures;
    expect(unknown?.detail).toMatch(/^no TLS connection can be made: .*nothing\.invalid/);
    expect(down?.detail).toMatch(/^no TLS connection can be made: /);
    expect(untrusted?.detail).toMatch(/^it is not trusted: /);
    expect(refused?.detail).toMatch(/^it refuses the client certificate: /);
    for (const { remedy } of failures) expect(remedy).toMatch(/^(customer|platform|network|caller): /);
    // Nothing was asked for beyond the handshake.
    expect([...granting.received, ...refusing.received]).toEqual([]);
    expect((await examine(['--source', `directory:${path}`, '--no-reach'])).failures).toBe(0);
  });

  it('reports a server that lists other issuers than ours and completes every handshake, as nginx does', async () => {
    const { port, received } = await listen((_request, response) => response.writeHead(400).end(), {
      ca: customerRoot.certificate,
    });
    const source = ['--source', `directory:${directoryFor(port)}`];
    const failure = onlyFailure(await examine(source));
    expect([failure.check, failure.subject]).toEqual(['destination', `https://localhost:${port} as platform`]);
    expect(failure.detail).toMatch(/^handshake done: The server accepts certificates from .+; ours is issued by /);
    expect(failure.detail).toContain(
      '; no request was sent, so it is unknown whether a call succeeds; run countersign',
    );
    expect(failure.remedy).toMatch(/set a probe of the destination to prove it\.$/);
    expect(received).toEqual([]);
  });

  it('reports each handshake without a probe as such', async () => {
    const { source, port } = await installation();
    const [{ detail = '' } = {}] = (await examine(source)).checks.filter(({ check }) => check === 'destination');
    expect(detail).toMatch(
      /^handshake done, TLSv1.3, \d+ ms; no request was sent, so .+; run countersign diagnose https:/,
    );
    expect(detail.endsWith(`https://localhost:${port}`)).toBe(true);
  });

  it.each([
    [true, 'failure', 1],
    [false, 'warning', 0],
  ] as const)(
    'reports a server that requests no certificate although it is required: %s',
    async (requireMutual, status, code) => {
      const { port } = await listen((_request, response) => response.end(), { requestCert: false });
      const { path } = privateFolder();
      const serverRoots = customerRoot.certificate;
      writeIdentity(path, 'platform', platformIssuer.issue({ commonName: 'p', usage: 'client' }), [
        { host: 'localhost', port, network: 'loopback', serverRoots, requireMutual },
      ]);
      const examined = await examine(['--source', `directory:${path}`]);
      expect(examined.code).toBe(code);
      expect(examined.checks.at(-1)).toMatchObject({
        status,
        detail: expect.stringMatching(/did not ask for the client certificate/),
      });
    },
  );
});

/** An API whose clock is off by that many seconds. */
async function apiWithClock(seconds: number): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('date', new Date(Date.now() + seconds * 1000).toUTCString());
    response.end(request.url === '/v1/health' ? '{"status":"ok"}' : '{}');
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

describe('countersign doctor --api', () => {
  it.each([
    [0, 'ok', 0],
    [120, 'warning', 0],
    [-120, 'warning', 0],
    [3600, 'failure', 1],
    [-3600, 'failure', 1],
  ] as const)('compares the clock: %d s is %s', async (seconds, status, code) => {
    const examined = await examine(['--api', await apiWithClock(seconds)]);
    expect(examined.code).toBe(code);
    const clock = examined.checks.find(({ check }) => check === 'clock');
    expect(clock).toMatchObject({ status, detail: expect.stringMatching(/the API at/) });
    if (seconds === 0) return;
    expect(clock?.detail).toMatch(seconds > 0 ? / s behind the API/ : / s ahead of the API/);
    expect(clock?.remedy).toMatch(/^Set the clock/);
  });

  it('checks whether the caller is known and can use the identity', async () => {
    const { path } = await installation();
    const [one, other] = [newToken(), newToken()];
    const callers = privateFolder().write(
      'callers.json',
      JSON.stringify([{ name: 'bot', tokenSha256: one.tokenSha256, identities: ['platform'] }]),
    );
    const { url } = await startServing({ identities: path, workers: '1', callers });
    const tokens = privateFolder();
    const known = ['--api', url, '--token-file', tokens.write('one', one.token)];
    expect(await examine(known)).toMatchObject({ code: 0, ok: true, warnings: 0 });
    const stranger = onlyFailure(await examine(['--api', url, '--token-file', tokens.write('other', other.token)]));
    expect([stranger.check, stranger.remedy]).toEqual(['api', expect.stringMatching(/\.$/)]);
    const forbidden = onlyFailure(await examine([...known, '--identity', 'acme']));
    expect(forbidden).toMatchObject({ check: 'api', subject: 'acme' });
    const failure = onlyFailure(await examine(['--api', 'http://127.0.0.1:1']));
    expect([failure.check, failure.detail]).toEqual([
      'api',
      expect.stringContaining('Nothing listens at that address.'),
    ]);
  });
});

it('doctor checks Secrets Manager, and compares its clock', async () => {
  const { port } = await listen((_request, response) => response.end());
  const { server, client } = await startServer();
  const there = ['--source', 'local', '--endpoint', server.url];
  expect(onlyFailure(await examine(there)).detail).toContain('has no identity');
  const issued = platformIssuer.issue({ commonName: 'platform', usage: 'client' });
  const destination = { host: 'localhost', port, network: 'loopback', serverRoots: customerRoot.certificate };
  const SecretString = documentOf(issued, [destination]);
  await client.send(new CreateSecretCommand({ Name: 'countersign/identities/platform', SecretString }));
  const examined = await examine(there);
  expect([examined.code, examined.warnings]).toEqual([0, 0]);
  expect(found(examined, 'ok')).toContainEqual({
    check: 'clock',
    status: 'ok',
    detail: 'agrees with Secrets Manager',
  });
  await client.send(new CreateSecretCommand({ Name: 'countersign/identities/broken', SecretString: '{}' }));
  expect(onlyFailure(await examine(there))).toMatchObject({ check: 'identity', subject: 'broken' });
});
