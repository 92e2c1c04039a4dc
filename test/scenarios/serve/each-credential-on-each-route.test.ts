// Every kind of credentials on every route.
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import {
  callersAuthority,
  newServerCertificate,
  newToken,
  serverAuthority,
  surroundings,
} from '../../support/serve/installation.ts';
import { type Asked, ask, invoke, type Reply, startServing } from '../../support/serve/serving.ts';

const tokens = { platform: newToken(), acme: newToken(), scraper: newToken(), unknown: newToken() };
const callers = JSON.stringify([
  { name: 'bot', subject: 'CN=bot', identities: ['platform'] },
  { name: 'batch', commonName: 'batch', identities: '*' },
  { name: 'token-platform', tokenSha256: tokens.platform.tokenSha256, identities: ['platform'] },
  { name: 'token-acme', tokenSha256: tokens.acme.tokenSha256, identities: ['acme'] },
  { name: 'scraper', tokenSha256: tokens.scraper.tokenSha256, identities: [], metrics: true },
]);

const certificate = (commonName: string, change: object = {}, authority = callersAuthority): Asked => {
  const issued = authority.issue({ commonName, usage: 'client', ...change });
  return { cert: issued.certificate + issued.intermediates, key: issued.privateKey };
};
const bearer = (token: string, scheme = 'Bearer'): Asked => ({ headers: { authorization: `${scheme} ${token}` } });
const yesterday = new Date(Date.now() - 86_400_000);

const stranger = 'not-authenticated' as const;
const forbidden = 'caller-forbidden' as const;
type Cell = 200 | 404 | typeof stranger | typeof forbidden;

/** Expected status of the routes for `platform`, an invocation for `acme`, the metrics, and an unknown path. */
type Row = readonly [who: string, shown: Asked, platform: Cell, acme: Cell, metrics: Cell, nowhere: Cell];

const byToken: readonly Row[] = [
  ['no credentials', {}, stranger, stranger, stranger, stranger],
  ['an unknown token', bearer(tokens.unknown.token), stranger, stranger, stranger, stranger],
  ['a token that is too short', bearer('a'.repeat(31)), stranger, stranger, stranger, stranger],
  ['a token that is too long', bearer('a'.repeat(513)), stranger, stranger, stranger, stranger],
  ['the SHA-256 of a token', bearer(tokens.platform.tokenSha256), stranger, stranger, stranger, stranger],
  ['a token and more', bearer(`${tokens.platform.token} x`), stranger, stranger, stranger, stranger],
  ['a token under another scheme', bearer(tokens.platform.token, 'Basic'), stranger, stranger, stranger, stranger],
  ['the token for platform', bearer(tokens.platform.token), 200, forbidden, forbidden, 404],
  ['the same, its scheme in small letters', bearer(tokens.platform.token, 'bearer'), 200, forbidden, forbidden, 404],
  ['the token for acme', bearer(tokens.acme.token), forbidden, 200, forbidden, 404],
  ['the token for metrics', bearer(tokens.scraper.token), forbidden, forbidden, 200, 404],
];

const right = certificate('bot');
const byCertificate: readonly Row[] = [
  [
    'a certificate of another authority',
    certificate('bot', {}, createAuthority({ commonName: 'Callers Root' })),
    stranger,
    stranger,
    stranger,
    stranger,
  ],
  ['the right authority, another subject', certificate('other'), stranger, stranger, stranger, stranger],
  [
    'an expired certificate',
    certificate('bot', { notBefore: new Date(0), notAfter: yesterday }),
    stranger,
    stranger,
    stranger,
    stranger,
  ],
  ['a certificate for servers', certificate('bot', { usage: 'server' }), stranger, stranger, stranger, stranger],
  ['the certificate for platform', right, 200, forbidden, forbidden, 404],
  ['the certificate for every identity', certificate('batch'), 200, 200, forbidden, 404],
  [
    'the certificate for platform with a wrong token',
    { ...right, ...bearer(tokens.unknown.token) },
    stranger,
    stranger,
    stranger,
    stranger,
  ],
  [
    'the certificate for platform with the token for acme',
    { ...right, ...bearer(tokens.acme.token) },
    forbidden,
    200,
    forbidden,
    404,
  ],
];

function outcomeOf({ status, body }: Reply): number | string {
  return body?.code ?? status;
}

async function cellsOf(url: string, target: string, shown: Asked): Promise<Record<string, number | string>> {
  const diagnosis = {
    ...shown,
    headers: { 'content-type': 'application/json', ...shown.headers },
    body: JSON.stringify({ url: target }),
  };
  return {
    invoke: outcomeOf(await invoke(url, target, shown)),
    diagnose: outcomeOf(await ask(url, '/v1/identities/platform/diagnoses', diagnosis)),
    certificate: outcomeOf(await ask(url, '/v1/identities/platform/certificate', shown)),
    invokeAcme: outcomeOf(await invoke(url, target, { ...shown, identity: 'acme' })),
    metrics: outcomeOf(await ask(url, '/metrics', shown)),
    nowhere: outcomeOf(await ask(url, '/v1/nowhere', shown)),
    health: (await ask(url, '/v1/health', shown)).status,
    ready: (await ask(url, '/v1/ready', shown)).status,
  };
}

function expected([, , platform, acme, metrics, nowhere]: Row): Record<string, number | string> {
  const always = { health: 200, ready: 200 };
  return {
    invoke: platform,
    diagnose: platform,
    certificate: platform,
    invokeAcme: acme,
    metrics,
    nowhere,
    ...always,
  };
}

describe('access', () => {
  it('over TLS with client certificates and tokens', async () => {
    const { target, folder, identities } = await surroundings();
    const server = newServerCertificate();
    const serving = await startServing({
      identities,
      workers: '1',
      tlsCert: folder.write('tls.crt', server.certificate + server.intermediates),
      tlsKey: folder.write('tls.key', server.privateKey),
      clientCa: folder.write('ca.crt', callersAuthority.certificate),
      callers: folder.write('callers.json', callers),
    });
    for (const row of [...byToken, ...byCertificate]) {
      const shown = { ...row[1], ca: serverAuthority.certificate };
      expect(await cellsOf(serving.url, target, shown), row[0]).toEqual(expected(row));
    }
  });

  it('on loopback with tokens', async () => {
    const { target, folder, identities } = await surroundings();
    const tokensOnly = JSON.stringify(JSON.parse(callers).filter((caller: object) => 'tokenSha256' in caller));
    const serving = await startServing({ identities, workers: '1', callers: folder.write('callers.json', tokensOnly) });
    for (const row of byToken) expect(await cellsOf(serving.url, target, row[1]), row[0]).toEqual(expected(row));
  });

  it('is logged, without the token', async () => {
    const { target, folder, identities } = await surroundings();
    const tokensOnly = JSON.stringify(JSON.parse(callers).filter((caller: object) => 'tokenSha256' in caller));
    const serving = await startServing({ identities, workers: '1', callers: folder.write('callers.json', tokensOnly) });
    await invoke(serving.url, target, bearer(tokens.platform.token));
    await invoke(serving.url, target, { ...bearer(tokens.platform.token), identity: 'acme' });
    const metrics = await ask(serving.url, '/metrics', bearer(tokens.platform.token));
    // The metrics are no identity.
    expect(`${metrics.body?.title} ${metrics.body?.detail}`).not.toContain('identity');
    await invoke(serving.url, target, bearer(tokens.unknown.token));
    const reasons = { message: 'request refused', code: stranger, reason: 'token-unknown', sourceIp: '127.0.0.1' };
    await serving.line(({ reason }) => reason === 'token-unknown');
    expect(serving.lines()).toContainEqual(expect.objectContaining(reasons));
    expect(serving.lines()).toContainEqual(
      expect.objectContaining({
        message: 'request refused',
        code: 'caller-forbidden',
        caller: 'token-platform',
        identity: 'acme',
      }),
    );
    expect(serving.lines()).toContainEqual(
      expect.objectContaining({ message: 'invocation', caller: 'token-platform' }),
    );
    const told = JSON.stringify(serving.lines());
    for (const { token, tokenSha256 } of Object.values(tokens)) {
      expect(told).not.toContain(token);
      expect(told).not.toContain(tokenSha256);
    }
  });

  it('on loopback without callers: every request is allowed', async () => {
    const { target, identities } = await surroundings();
    const serving = await startServing({ identities, workers: '1' });
    const row: Row = ['no credentials', {}, 200, 200, 200, 404];
    expect(await cellsOf(serving.url, target, {})).toEqual(expected(row));
    expect(await cellsOf(serving.url, target, bearer(tokens.unknown.token))).toEqual(expected(row));
  });

  it('a 401 says how to authenticate', async () => {
    const { folder, identities } = await surroundings();
    const tokensOnly = JSON.stringify(JSON.parse(callers).filter((caller: object) => 'tokenSha256' in caller));
    const serving = await startServing({ identities, workers: '1', callers: folder.write('callers.json', tokensOnly) });
    const anonymous = await ask(serving.url, '/v1/identities/platform/certificate');
    expect(anonymous.headers['www-authenticate']).toBe('Bearer realm="countersign"');
    expect(anonymous.body).toMatchObject({ status: 401, code: stranger, evidence: { reason: 'no-credentials' } });
    expect(anonymous.headers['x-request-id']).toBe(anonymous.body.requestId);
    const wrong = await ask(serving.url, '/v1/identities/platform/certificate', bearer(tokens.unknown.token));
    expect(wrong.headers['www-authenticate']).toBe('Bearer realm="countersign", error="invalid_token"');
  });
});

describe('the server does not start', () => {
  it.each([
    ['with a callers file that is broken', { callers: '[' }, 'callers.json is not JSON.'],
    [
      'with subjects but no --client-ca',
      { callers },
      'callers.json names subjects of client certificates, which needs --client-ca.',
    ],
    ['without its folder', { identities: '/nonexistent' }, 'The folder of --identities cannot be read (ENOENT).'],
  ])(
    '%s, whatever the number of workers',
    async (_, { callers: text, identities: other }: { callers?: string; identities?: string }, sentence) => {
      const { folder, identities } = await surroundings();
      for (const workers of ['1', '2']) {
        const options = {
          identities: other ?? identities,
          workers,
          ...(text ? { callers: folder.write('callers.json', text) } : {}),
        };
        await expect(startServing(options)).rejects.toThrow(`It ended with 1: ${sentence}\n`);
      }
    },
  );

  it('with a callers file that every user can write', async () => {
    const { folder, identities } = await surroundings();
    const path = folder.write('callers.json', callers);
    const { chmodSync } = await import('node:fs');
    chmodSync(path, 0o666);
    await expect(startServing({ identities, workers: '1', callers: path })).rejects.toThrow(
      'can be written by every user',
    );
  });

  it('with the key of another certificate', async () => {
    const { folder, identities } = await surroundings();
    const tls = {
      tlsCert: folder.write('tls.crt', newServerCertificate().certificate),
      tlsKey: folder.write('tls.key', newServerCertificate().privateKey),
    };
    await expect(startServing({ identities, workers: '1', ...tls })).rejects.toThrow('cannot be used together');
  });
});
