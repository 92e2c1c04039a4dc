// The console over HTTP: its files, its state without secrets, and the start of a rotation.
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { consoleFiles } from '../../../console/files.ts';
import type { ConsoleState } from '../../../console/state.ts';
import { defaults } from '../../../core/settings.ts';
import { rotationFunctionArn } from '../../../local/rotation.ts';
import { type ConsoleCloud, hostileName, startConsoleCloud } from '../../support/console/console-cloud.ts';
import { temporaryFolder } from '../../support/console/temporary-folder.ts';

let cloud: ConsoleCloud;
const folder = temporaryFolder();
beforeAll(async () => {
  cloud = await startConsoleCloud(folder.path);
});
afterAll(async () => {
  await cloud.close();
  folder.remove();
});

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const { body, method = body === undefined ? 'GET' : 'POST', headers = {} } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(cloud.gatewayUrl, { path, method, headers, agent: false }, (reply) => {
      text(reply).then(
        (answer) => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: answer }),
        reject,
      );
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

async function stateOf(): Promise<ConsoleState> {
  return JSON.parse((await ask('/console/api/state')).body);
}

const json = { 'content-type': 'application/json' };
const ofOthers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

describe('the files', () => {
  it.each(['/', '/console/', ...consoleFiles.map((name) => `/console/${name}`)])('%s', async (path) => {
    const { status, headers, body } = await ask(path);
    expect(status).toBe(200);
    expect(body.length).toBeGreaterThan(100);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['cross-origin-resource-policy']).toBe('same-origin');
    expect(headers['cross-origin-opener-policy']).toBe('same-origin');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['content-type']).toMatch(/^(text\/(html|css|javascript); charset=utf-8|image\/svg\+xml)$/);

    const again = await ask(path, { headers: { 'if-none-match': String(headers.etag) } });
    expect([again.status, again.body]).toEqual([304, '']);
    const head = await ask(path, { method: 'HEAD' });
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', headers['content-length']]);
  });

  it.each([
    '/console/files.ts',
    '/console/tsconfig.json',
    '/console/../files.ts',
    '/console/%2e%2e/files.ts',
    '/console/page/main.js',
    '/console/..%2f..%2fpackage.json',
    '/console/main.js/',
    '//console/main.js',
    '/favicon.ico',
  ])('%s is not found', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });

  it('answer GET and HEAD only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await ask('/', { method, body: '' })).status).toBe(404);
  });

  it('open from a link on another site, and from no other request of it', async () => {
    const visit = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await ask('/', { headers: visit })).status).toBe(200);
    expect((await ask('/console/api/state', { headers: visit })).status).toBe(403);
    expect((await ask('/', { headers: { ...visit, host: 'rebound.example' } })).status).toBe(403);
    expect((await ask('/', { headers: { ...visit, 'sec-fetch-dest': 'iframe' } })).status).toBe(403);
    expect((await ask('/console/main.js', { headers: { ...ofOthers, 'sec-fetch-mode': 'no-cors' } })).status).toBe(403);
  });
});

describe('the state', () => {
  it('has each identity with its versions, destinations and problems', async () => {
    const { identities, mayRotate, place, furtherIdentities } = await stateOf();
    expect([place, mayRotate, furtherIdentities]).toEqual(['local-cloud', true, 0]);
    expect(identities.map(({ name }) => name)).toEqual(['broken', 'ended', 'ends-soon', 'platform']);
    const [broken, ended, soon, platform] = identities;
    expect(broken?.current).toMatchObject({ problem: { code: 'identity-unusable' }, chain: [] });
    expect(ended?.current?.problem?.detail).toMatch(/expired/);
    expect(ended?.current?.chain.length).toBe(3);
    expect(soon?.current?.problem).toBeUndefined();
    expect(soon?.current?.chain.at(-1)?.subject).toContain(hostileName.replaceAll(/([<>,"])/g, '\\$1'));
    expect(soon?.destinations).toMatchObject([
      { host: '*', port: 443, network: 'public', requireMutual: false, verdicts: [] },
      { host: 'api.example', port: 8443, requireMutual: true, probe: 'GET /health' },
    ]);
    expect(soon?.rotation).toEqual({ isEnabled: false, isUnderWay: false });
    expect(platform?.rotation).toMatchObject({ isEnabled: true, schedule: 'rate(30 days)' });
    expect(platform?.destinations.length).toBe(cloud.hosts.length);
  });

  it('has the last verdict of each destination, also below a wildcard', async () => {
    const diagnose = (url: string) =>
      ask('/v1/identities/platform/diagnoses', { headers: json, body: JSON.stringify({ url, timeoutMs: 2000 }) });
    await Promise.all(['accounts', 'rejects', 'silent'].map((host) => diagnose(cloud.urlOf(host))));
    const platform = (await stateOf()).identities.find(({ name }) => name === 'platform');
    const verdicts = (host: string) => platform?.destinations.find((one) => one.host === host)?.verdicts;
    expect(verdicts('accounts.demo.localhost')).toMatchObject([{ verdict: 'access-granted' }]);
    expect(verdicts('rejects.demo.localhost')).toMatchObject([{ verdict: 'access-refused', failedStep: 5 }]);
    expect(verdicts('*.demo.localhost')).toMatchObject([{ verdict: 'unreachable', host: 'silent.demo.localhost' }]);
    expect(verdicts('pins.demo.localhost')).toEqual([]);
  });

  it('has no key, and no certificate body', async () => {
    const { body, headers } = await ask('/console/api/state');
    expect(body).not.toMatch(/PRIVATE|BEGIN|must never/);
    for (const key of cloud.privateKeys)
      for (const line of key.split('\n').slice(1, -2)) expect(body).not.toContain(line);
    expect([headers['cache-control'], headers['x-content-type-options']]).toEqual(['no-store', 'nosniff']);
  });

  it('is not readable by other pages', async () => {
    expect((await ask('/console/api/state', { headers: ofOthers })).status).toBe(403);
    expect((await ask('/console/api/state', { headers: { host: 'rebound.example' } })).status).toBe(403);
    expect((await ask('/console/api/state', { body: '{}', headers: json })).status).toBe(404);
    expect((await ask('/console/api/%E0%A4%A')).status).toBe(400);
  });
});

describe('a rotation', () => {
  const begin = (identity: string, headers: Record<string, string> = json, body = '{}') =>
    ask(`/console/api/identities/${identity}/rotations`, { headers, body });

  it.each([
    ['a form of another page', { 'content-type': 'text/plain' }, '{}', 415],
    ['no type', {}, '{}', 415],
    ['another body', json, '{"token":1}', 400],
    ['no body', json, '', 400],
    ['another origin', { ...json, ...ofOthers }, '{}', 403],
    ['another name of this machine', { ...json, host: 'rebound.example' }, '{}', 403],
  ])('is not begun by %s', async (_, headers, body, status) => {
    expect((await begin('platform', headers as Record<string, string>, body)).status).toBe(status);
  });

  it('does not start for an unknown identity, or without rotation set up', async () => {
    expect((await begin('unknown')).status).toBe(404);
    expect((await begin('No%20Name')).status).toBe(404);
    expect([(await begin('ended')).status, (await begin('ended')).body]).toEqual([
      409,
      '{"message":"Rotation is not set up for this identity."}',
    ]);
  });

  it('starts once, is visible at once, and ends with a new certificate and its events', {
    timeout: 60_000,
  }, async () => {
    const platform = async () => (await stateOf()).identities.find(({ name }) => name === 'platform');
    await expect.poll(async () => (await platform())?.rotation?.isUnderWay, { timeout: 20_000 }).toBe(false);
    const before = (await platform())?.current?.version;
    const replies = await Promise.all([begin('platform'), begin('platform')]);
    expect(replies.map(({ status }) => status).sort()).toEqual([202, 409]);
    await expect.poll(async () => (await platform())?.current?.version, { timeout: 20_000 }).not.toBe(before);
    await expect.poll(async () => (await platform())?.rotation?.isUnderWay, { timeout: 20_000 }).toBe(false);
    const after = await platform();
    expect([after?.previous?.version, after?.next]).toEqual([before, undefined]);
    const { events = [] } = await stateOf();
    expect(events.map(({ type }) => type)).toEqual([
      'Certificate Activated',
      'Certificate Rejected',
      'Certificate Pending',
    ]);
    expect(events[1]?.rejectedBy).toEqual([new URL(cloud.urlOf('pins')).host]);
  });

  it('stays in progress after a failure, and no second one starts', { timeout: 60_000 }, async () => {
    const SecretId = `${defaults.secretPrefix}ends-soon`;
    await cloud.client.send(
      new RotateSecretCommand({
        SecretId,
        RotationLambdaARN: rotationFunctionArn,
        RotationRules: { AutomaticallyAfterDays: 30 },
      }),
    );
    // It has no renewal, so its first step fails, and Secrets Manager retries it later.
    await expect
      .poll(async () => (await stateOf()).identities.find(({ name }) => name === 'ends-soon'), { timeout: 20_000 })
      .toMatchObject({ rotation: { isUnderWay: true, isEnabled: true }, current: { chain: expect.any(Array) } });
    expect((await begin('ends-soon')).status).toBe(409);
  });
});
