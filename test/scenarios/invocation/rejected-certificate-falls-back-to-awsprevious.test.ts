// AWSCURRENT is rejected and there is nothing newer: the call is repeated with AWSPREVIOUS where that is safe.
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import type { Identity } from '../../../core/identity/identity.ts';
import { createFallback } from '../../../core/invocation/fallback.ts';
import { startApi } from '../../support/connections/customer-api.ts';
import { newClient } from '../../support/connections/platform.ts';
import {
  alertingApi,
  authorities,
  clientRoots,
  newcomers,
  rotated,
  url,
  versions,
} from '../../support/invocation/not-yet-trusted.ts';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import type { Reply } from '../../support/stage.ts';

const past = { notBefore: new Date(Date.now() - 20 * 86_400_000), notAfter: new Date(Date.now() - 86_400_000) };

function expectRejection(reply: Reply): void {
  expect(reply.body).toMatchObject({ code: 'client-certificate-rejected' });
}

describe.skipIf(!findPeer('openssl'))('a rejection by an alert, from openssl s_server (needs openssl)', () => {
  it.each(versions)('a GET is repeated over %s, and the response shows which certificate was used', async (version) => {
    const api = await alertingApi(version);
    const { platform, fingerprints } = rotated(api);
    const reply = await platform.call({ url: url(api) });
    const client = { version: 'v1', stage: 'AWSPREVIOUS', fingerprint256: fingerprints.v1 };
    expect(reply.body).toMatchObject({ status: 200, handshake: { client, connection: 'new' } });
    expect(platform.attempts()).toEqual([2]);
    expect(platform.shelf.stagesRead).toEqual(['AWSCURRENT', 'AWSCURRENT', 'AWSPREVIOUS']);
  });

  it.each(versions)('a POST, which cannot have been processed, is repeated too over %s', async (version) => {
    const api = await alertingApi(version, false);
    const { platform } = rotated(api);
    const reply = platform.call({ url: url(api), method: 'POST', body: 'paid once' });
    await expect.poll(() => api.program.output(), { timeout: 10_000 }).toContain('paid once');
    api.program.child.stdin?.write('HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n');
    expect((await reply).body).toMatchObject({ status: 201, handshake: { client: { stage: 'AWSPREVIOUS' } } });
    expect(api.program.output().match(/paid once/g)).toHaveLength(1);
  });
});

describe.each(versions)('a rejection without an alert, from a Node server, over %s', (maxVersion) => {
  it.each(['GET', 'PUT', 'DELETE'])('a %s is repeated', async (method) => {
    const api = await startApi(authorities, { maxVersion });
    const { platform } = rotated(api);
    const reply = await platform.call({ url: url(api), method });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } });
  });
});

describe('a POST after a rejection without an alert', () => {
  it('is repeated over TLS 1.2, where no request was sent before the rejection', async () => {
    const api = await startApi(authorities, { maxVersion: 'TLSv1.2' });
    const { platform } = rotated(api);
    const reply = await platform.call({ url: url(api), method: 'POST', body: 'paid once' });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } });
    expect(api.connections.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('is not repeated over TLS 1.3, and AWSPREVIOUS is not remembered', async () => {
    const api = await startApi(authorities, { maxVersion: 'TLSv1.3' });
    const { platform, othersRead } = rotated(api);
    for (let call = 0; call < 2; call++) {
      expectRejection(await platform.call({ url: url(api), method: 'POST', body: 'paid once' }));
    }
    expect(platform.attempts()).toEqual([1, 1]);
    expect(othersRead()).toEqual([]);
  });

  it('uses AWSPREVIOUS first over TLS 1.3 after a GET succeeded with it', async () => {
    const api = await startApi(authorities, { maxVersion: 'TLSv1.3' });
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    const reply = await platform.call({ url: url(api), method: 'POST', body: 'paid once' });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } });
  });
});

describe.skipIf(!findPeer('nginx'))('a rejection in HTTP, from nginx (needs nginx)', () => {
  const server = () =>
    authorities.customerRoot.issue({ commonName: 'api', names: ['api.acme.example'], usage: 'server' });

  it('a GET is repeated', async () => {
    const api = await startNginx(server(), { clientRoots });
    const { platform } = rotated(api);
    const { body } = await platform.call({ url: url(api) });
    expect(body).toMatchObject({ status: 200, body: 'granted\n', handshake: { client: { stage: 'AWSPREVIOUS' } } });
    expect(body).not.toHaveProperty('advice');
    expect(platform.stage.lines.at(-1)).toMatchObject({ attempts: 2, rejections: 1, earlierConnections: ['new'] });
  });

  it('a GET is repeated with a newer version first', async () => {
    const api = await startNginx(server(), { clientRoots });
    const { platform, othersRead } = rotated(api);
    await platform.stage.identities.get('platform');
    platform.publish('v3', { destinations: platform.destinationsOf(api) });
    const { body } = await platform.call({ url: url(api) });
    expect(body).toMatchObject({ status: 200, handshake: { client: { version: 'v3', stage: 'AWSCURRENT' } } });
    expect(othersRead()).toEqual([]);
  });

  it('a POST is not repeated, because it may have been processed; later POSTs start with AWSPREVIOUS', async () => {
    const api = await startNginx(server(), { clientRoots });
    const { platform } = rotated(api);
    const pay = () => platform.call({ url: url(api), method: 'POST', body: 'paid once' });
    const { body } = await pay();
    expect(body).toMatchObject({ status: 400, handshake: { client: { version: 'v2', stage: 'AWSCURRENT' } } });
    expect(body.advice).toMatch(/refused the client certificate/);
    for (let call = 0; call < 2; call++) {
      expect((await pay()).body).toMatchObject({ status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } });
    }
    expect(platform.attempts()).toEqual([1, 1, 1]);
  });

  it('POSTs that fail with AWSPREVIOUS too return to AWSCURRENT for ten minutes', async () => {
    const api = await startNginx(server(), { clientRoots });
    const { platform } = rotated(api, { v1: { client: newClient(newcomers) } });
    const presented = async () => {
      const { body } = await platform.call({ url: url(api), method: 'POST' });
      expect(body.status).toBe(400);
      return body.handshake.client.version;
    };
    expect([await presented(), await presented(), await presented(), await presented()]).toEqual([
      'v2',
      'v1',
      'v2',
      'v2',
    ]);
    platform.clock.aheadMs += 600_001;
    expect([await presented(), await presented()]).toEqual(['v2', 'v1']);
    expect(new Set(platform.attempts())).toEqual(new Set([1]));
  });

  it('if AWSPREVIOUS is rejected too, the first response is returned', async () => {
    const api = await startNginx(server(), { clientRoots });
    const { platform } = rotated(api, { v1: { client: newClient(newcomers) } });
    const { body } = await platform.call({ url: url(api) });
    expect(body).toMatchObject({ status: 400, handshake: { client: { version: 'v2', stage: 'AWSCURRENT' } } });
    expect(body.advice).toMatch(/refused the client certificate/);
    expect(platform.stage.lines.at(-1)).toMatchObject({ attempts: 2, rejections: 2, stage: 'AWSCURRENT' });
  });
});

describe('a response that is not a rejection', () => {
  it.each([
    ['asks for the certificate after the handshake', 'Reason: Cannot perform Post-Handshake Authentication.<br />'],
    ['has other reasons', '<h1>Forbidden</h1>'],
  ])('because the server %s is returned unchanged', async (_why, page) => {
    const api = await startApi(authorities, {
      ca: newcomers.platformRoot.certificate,
      answer: (_request, response) => response.writeHead(403, { 'content-type': 'text/html' }).end(page),
    });
    const { platform, othersRead } = rotated(api);
    expect((await platform.call({ url: url(api) })).body).toMatchObject({ status: 403, body: page });
    expect(platform.stage.lines.at(-1)).toMatchObject({ attempts: 1, stage: 'AWSCURRENT' });
    expect(platform.stage.lines.at(-1)).not.toHaveProperty('rejections');
    expect(othersRead()).toEqual([]);
  });
});

describe('the rejection is reported', () => {
  it.each([
    ['there is no AWSPREVIOUS', null],
    ['AWSPREVIOUS is rejected as well', { client: newClient(newcomers) }],
    ['AWSPREVIOUS has expired', { client: authorities.platformIssuer.issue({ commonName: 'old', ...past }) }],
  ])('when %s', async (_when, v1) => {
    const api = await startApi(authorities);
    const { platform } = rotated(api, { v1 });
    expectRejection(await platform.call({ url: url(api) }));
    expect(platform.stage.lines).toMatchObject([{ message: 'invocation', version: 'v2', stage: 'AWSCURRENT' }]);
  });

  it.each(['v2', 'v1'])('when AWSPREVIOUS has the same certificate, in version %s', async (version) => {
    const api = await startApi(authorities);
    const client = newClient(newcomers);
    const { platform } = rotated(api, { v2: { client }, v1: null });
    platform.publish(version, { client, destinations: platform.destinationsOf(api), stage: 'AWSPREVIOUS' });
    expectRejection(await platform.call({ url: url(api) }));
    expect(platform.attempts()).toEqual([1]);
  });

  it.each([
    ['broken', 'no document'],
    ['still waiting for its certificate', JSON.stringify({ csr: 'a request' })],
  ])('when the document of AWSPREVIOUS is %s', async (_what, document) => {
    const api = await startApi(authorities);
    const { platform } = rotated(api, { v1: null });
    platform.shelf.put('platform', 'v1', document, 'AWSPREVIOUS');
    expectRejection(await platform.call({ url: url(api) }));
    expect(platform.attempts()).toEqual([1]);
  });

  it('when the store is down, which is read for AWSPREVIOUS at most once in 5 s', async () => {
    const api = await startApi(authorities);
    const { platform, othersRead } = rotated(api);
    await platform.stage.identities.get('platform');
    platform.shelf.beforeRead = () => {
      throw new CountersignError('identity-unavailable', 'The store is down.');
    };
    for (let call = 0; call < 3; call++) expectRejection(await platform.call({ url: url(api) }));
    expect(othersRead()).toEqual(['AWSPREVIOUS']);
    const told = platform.stage.lines.filter(({ message }) => message === 'identity refresh failed');
    // Of AWSCURRENT, which is read again, and of AWSPREVIOUS.
    expect(told).toMatchObject([{ code: 'identity-unavailable' }, { code: 'identity-unavailable' }]);
    platform.shelf.beforeRead = undefined;
    platform.clock.aheadMs += 5_001;
    expect((await platform.call({ url: url(api) })).body.handshake.client.stage).toBe('AWSPREVIOUS');
  });

  it('but AWSPREVIOUS is read again when AWSCURRENT has changed', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api, { v1: null, ttlMs: 1_000 });
    expectRejection(await platform.call({ url: url(api) }));
    platform.publish('v3', { client: newClient(newcomers), destinations: platform.destinationsOf(api) });
    platform.publish('v1', { destinations: platform.destinationsOf(api), stage: 'AWSPREVIOUS' });
    platform.clock.aheadMs += 1_001;
    await platform.stage.identities.get('platform');
    await platform.stage.identities.refreshing('platform');
    expect((await platform.call({ url: url(api) })).body.handshake.client.stage).toBe('AWSPREVIOUS');
  });

  it('when the store does not return AWSPREVIOUS before the deadline', async () => {
    const api = await startApi(authorities);
    const { platform, othersRead } = rotated(api);
    platform.shelf.beforeRead = () =>
      platform.shelf.stagesRead.at(-1) === 'AWSPREVIOUS' ? new Promise(() => {}) : undefined;
    expectRejection(await platform.call({ url: url(api), timeoutMs: 500 }));
    expect(othersRead()).toEqual(['AWSPREVIOUS']);
    expect(platform.attempts()).toEqual([1]);
  });

  it('but a timeout is reported when the server does not respond to AWSPREVIOUS', async () => {
    const api = await startApi(authorities, { answer: () => {} });
    const { platform } = rotated(api);
    expect((await platform.call({ url: url(api), timeoutMs: 500 })).body.code).toBe('response-timeout');
  });
});

describe('AWSCURRENT is presented first, then only AWSPREVIOUS', () => {
  it('AWSPENDING is never read', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api, { v1: null });
    platform.publish('v3', { destinations: platform.destinationsOf(api), stage: 'AWSPENDING' });
    expectRejection(await platform.call({ url: url(api) }));
    expect(platform.shelf.stagesRead).not.toContain('AWSPENDING');
    expect(api.connections).toEqual([]);
  });

  it('an AWSCURRENT that has expired is not replaced by an AWSPREVIOUS that has not', async () => {
    const api = await startApi(authorities);
    const { platform, othersRead } = rotated(api, {
      v2: { client: authorities.platformIssuer.issue({ commonName: 'expired', ...past }) },
    });
    expect((await platform.call({ url: url(api) })).body).toMatchObject({
      code: 'identity-unusable',
      evidence: { reason: 'expired', stage: 'AWSCURRENT' },
    });
    expect(othersRead()).toEqual([]);
  });

  it('a newer version comes before AWSPREVIOUS', async () => {
    const api = await startApi(authorities);
    const { platform, othersRead } = rotated(api);
    await platform.stage.identities.get('platform');
    platform.publish('v3', { destinations: platform.destinationsOf(api) });
    expect((await platform.call({ url: url(api) })).body.handshake.client).toMatchObject({ version: 'v3' });
    expect(othersRead()).toEqual([]);
  });

  it('after a newer version is rejected too, its AWSPREVIOUS is tried', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.stage.identities.get('platform');
    platform.publish('v3', { client: newClient(newcomers), destinations: platform.destinationsOf(api) });
    const { body } = await platform.call({ url: url(api) });
    expect(body.handshake.client).toMatchObject({ version: 'v1', stage: 'AWSPREVIOUS' });
    expect(platform.stage.lines.at(-1)).toMatchObject({ attempts: 4, rejections: 2 });
  });

  it('AWSPREVIOUS is not tried if it was rejected first', async () => {
    const api = await startApi(authorities);
    const client = newClient(newcomers);
    const { platform } = rotated(api, { v2: { client }, v1: null });
    await platform.stage.identities.get('platform');
    const destinations = platform.destinationsOf(api);
    platform.publish('v2', { client, destinations, stage: 'AWSPREVIOUS' });
    platform.publish('v3', { client: newClient(newcomers), destinations });
    expectRejection(await platform.call({ url: url(api) }));
    expect(platform.attempts()).toEqual([2]);
  });
});

it('50 concurrent rejected calls share one read of AWSPREVIOUS, and all succeed', async () => {
  const api = await startApi(authorities);
  const { platform, othersRead } = rotated(api);
  const replies = await Promise.all(Array.from({ length: 50 }, () => platform.call({ url: url(api) })));
  for (const { body } of replies) expect(body.handshake?.client.stage).toBe('AWSPREVIOUS');
  expect(othersRead()).toEqual(['AWSPREVIOUS']);
});

it('50 concurrent calls without AWSPREVIOUS log it once', async () => {
  const told: string[] = [];
  const fallback = createFallback({
    source: { read: () => Promise.reject(new CountersignError('identity-unavailable', 'The store is down.')) },
    ttlMs: 60_000,
    onUnavailable: (name, { code }) => told.push(`${name}: ${code}`),
  });
  const current = { name: 'platform' } as Identity;
  const found = await Promise.all(Array.from({ length: 50 }, () => fallback.previousOf(current)));
  expect(new Set(found)).toEqual(new Set([undefined]));
  expect(told).toEqual(['platform: identity-unavailable']);
});
