// The customer no longer trusts the certificate in use: perhaps the identity was rotated, and the store has one that it
// trusts.
import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { type CustomerApi, destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { newClient, openPlatform, type Platform } from '../../support/connections/platform.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { createAuthorities, type Reply } from '../../support/stage.ts';

const authorities = createAuthorities();
/** Issued by an authority that the customer does not trust (any more). */
const former = createAuthorities();
const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const opensslFlag = { 'TLSv1.2': '-tls1_2', 'TLSv1.3': '-tls1_3' };
const clientRoots = authorities.platformRoot.certificate;

const url = ({ port }: { readonly port: number }) => `https://api.acme.example:${port}/`;

/** In use: v1, which is rejected. On the shelf, not yet read: v2, which is not. */
async function rotatedUnseen(api: { readonly port: number }, members: object = {}): Promise<Platform> {
  const platform = openPlatform(authorities);
  const destinations = [destinationAt(api, authorities)];
  platform.publish('v1', { client: newClient(former), destinations });
  await platform.stage.identities.get('platform');
  platform.publish('v2', { destinations: [destinationAt(api, authorities, members)] });
  return platform;
}

function expectRejection(reply: Reply, certainty: string): void {
  expect(reply.body).toMatchObject({ code: 'client-certificate-rejected', evidence: { certainty } });
}

describe.skipIf(!findPeer('openssl'))('a rejection by an alert, from openssl s_server (needs openssl)', () => {
  it.each(versions)('a GET is repeated with the new version over %s', async (version) => {
    const api = await startOpenssl(newServer(authorities), { clientRoots, args: [opensslFlag[version]] });
    const platform = await rotatedUnseen(api);
    const reply = await platform.call({ url: url(api) });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { version: 'v2' } } });
    expect(platform.attempts()).toEqual([2]);
    expect(platform.shelf.reads).toBe(2);
  });

  it.each(versions)('a POST, which cannot have been processed, is repeated too over %s', async (version) => {
    const options = { clientRoots, page: false, args: [opensslFlag[version]] };
    const { port, program } = await startOpenssl(newServer(authorities), options);
    const api = { port };
    const platform = await rotatedUnseen(api);
    const reply = platform.call({ url: url(api), method: 'POST', body: 'paid once' });
    await expect.poll(() => program.output(), { timeout: 10_000 }).toContain('paid once');
    program.child.stdin?.write('HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n');
    expect((await reply).body).toMatchObject({ status: 201, handshake: { client: { version: 'v2' } } });
    expect(program.output().match(/paid once/g)).toHaveLength(1);
    expect(platform.attempts()).toEqual([2]);
  });
});

describe.each(versions)('a rejection without an alert, from a Node server, over %s', (maxVersion) => {
  it.each(['GET', 'PUT', 'DELETE'])('a %s is repeated with the new version', async (method) => {
    const api = await startApi(authorities, { maxVersion });
    const platform = await rotatedUnseen(api);
    const reply = await platform.call({ url: url(api), method });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { version: 'v2' } } });
    expect(platform.attempts()).toEqual([2]);
  });
});

describe('a POST after a rejection without an alert', () => {
  // In TLS 1.2 the handshake is not over before the rejection, so no request was sent.
  it('is repeated over TLS 1.2', async () => {
    const api = await startApi(authorities, { maxVersion: 'TLSv1.2' });
    const platform = await rotatedUnseen(api);
    const reply = await platform.call({ url: url(api), method: 'POST' });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { version: 'v2' } } });
    expect(api.connections.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('is not repeated over TLS 1.3, because the server may have processed it', async () => {
    const api = await startApi(authorities, { maxVersion: 'TLSv1.3' });
    const platform = await rotatedUnseen(api);
    expectRejection(await platform.call({ url: url(api), method: 'POST' }), 'inferred');
    expect(platform.attempts()).toEqual([1]);
    expect(platform.shelf.reads).toBe(2);
    expect((await platform.call({ url: url(api), method: 'POST' })).body.handshake.client.version).toBe('v2');
  });
});

describe('the rejection is reported', () => {
  async function rejected(api: CustomerApi): Promise<Platform> {
    const platform = openPlatform(authorities);
    platform.publish('v1', { client: newClient(former), destinations: [destinationAt(api, authorities)] });
    await platform.stage.identities.get('platform');
    return platform;
  }

  it('when the store has the same version and no AWSPREVIOUS, which are read at most once in 5 s', async () => {
    const api = await startApi(authorities);
    const platform = await rejected(api);
    for (let call = 0; call < 3; call++) expectRejection(await platform.call({ url: url(api) }), 'inferred');
    const stages = ['AWSCURRENT', 'AWSPREVIOUS'];
    expect(platform.shelf.stagesRead).toEqual(['AWSCURRENT', ...stages]);
    platform.clock.aheadMs += 5_001;
    await Promise.all(Array.from({ length: 20 }, () => platform.call({ url: url(api) })));
    expect(platform.shelf.stagesRead).toEqual(['AWSCURRENT', ...stages, ...stages]);
    expect(new Set(platform.attempts())).toEqual(new Set([1]));
  });

  it('when the new version, which is tried once, is rejected as well', async () => {
    const api = await startApi(authorities);
    const platform = await rejected(api);
    platform.publish('v2', { client: newClient(former), destinations: [destinationAt(api, authorities)] });
    expectRejection(await platform.call({ url: url(api) }), 'inferred');
    expect(platform.attempts()).toEqual([2]);
  });

  it('when the store is down', async () => {
    const api = await startApi(authorities);
    const platform = await rejected(api);
    platform.shelf.beforeRead = () => {
      throw new CountersignError('identity-unavailable', 'The store is down.');
    };
    expectRejection(await platform.call({ url: url(api) }), 'inferred');
  });

  it('when the store has no answer before the deadline', async () => {
    const api = await startApi(authorities);
    const platform = await rejected(api);
    platform.shelf.beforeRead = () => new Promise(() => {});
    expectRejection(await platform.call({ url: url(api), timeoutMs: 300 }), 'inferred');
    expect(platform.attempts()).toEqual([1]);
  });

  it.each([
    ['broken', 'no document'],
    ['without a key', JSON.stringify({ certificate: newClient(authorities).certificate })],
  ])('when the new document is %s', async (_what, document) => {
    const api = await startApi(authorities);
    const platform = await rejected(api);
    platform.shelf.put('platform', 'v2', document);
    expectRejection(await platform.call({ url: url(api) }), 'inferred');
    expect(platform.attempts()).toEqual([1]);
  });
});

describe('the new version applies with its destinations and trust settings', () => {
  it('a destination that it no longer has is forbidden', async () => {
    const api = await startApi(authorities);
    const platform = await rotatedUnseen(api, { host: 'other.acme.example' });
    const { body } = await platform.call({ url: url(api) });
    expect(body).toMatchObject({ code: 'destination-forbidden', evidence: { version: 'v2', destinations: 1 } });
    expect(platform.stage.lines.at(-1)).toMatchObject({ code: 'destination-forbidden', version: 'v2' });
  });

  it('its trust settings apply', async () => {
    const api = await startApi(authorities);
    const platform = await rotatedUnseen(api, { serverRoots: former.customerRoot.certificate });
    expect((await platform.call({ url: url(api) })).body.code).toBe('server-certificate-untrusted');
  });

  it('concurrent rejected calls share one read of the store, and all are repeated', async () => {
    const api = await startApi(authorities);
    const platform = await rotatedUnseen(api);
    const replies = await Promise.all(Array.from({ length: 20 }, () => platform.call({ url: url(api) })));
    for (const { body } of replies) expect(body.handshake?.client.version).toBe('v2');
    expect(platform.shelf.reads).toBe(2);
    expect(platform.attempts()).toEqual(Array(20).fill(2));
  });
});

describe('a dead connection and a rejection in one call', () => {
  /**
   * A call under v1 that is rejected once v2 has been taken up and has a connection, which dies under the repeated
   * call. `before` says what the rejection comes after.
   */
  async function overtaken(before: 'nothing' | 'a dead connection') {
    const api = await startApi(authorities);
    const platform = openPlatform(authorities);
    const destinations = [destinationAt(api, authorities)];
    platform.publish('v1', { destinations });
    await platform.stage.identities.get('platform');
    if (before === 'a dead connection') await platform.call({ url: url(api) });
    let hasDied = before === 'nothing';
    const dying: IncomingMessage[] = [];
    api.answerWith(async (request, response, { fingerprint256 }) => {
      if (!hasDied) {
        hasDied = true;
        // The repeated call must not resume, or its end would say nothing of the certificate.
        api.forgetSessions();
        request.socket.destroy();
      } else if (fingerprint256 !== fresh && dying.push(request) === 1) {
        fresh = platform.publish('v2', { destinations });
        await platform.stage.identities.reload('platform');
        await platform.call({ url: `${url(api)}other` });
        request.socket.destroy();
      } else if (fingerprint256 === fresh && request.url === '/' && dying.push(request) === 2) request.socket.destroy();
      else response.end();
    });
    let fresh = '';
    return { platform, reply: await platform.call({ url: url(api) }) };
  }

  it('a dead connection of the new version is replaced', async () => {
    const { platform, reply } = await overtaken('nothing');
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { version: 'v2' } } });
    expect(platform.attempts()).toEqual([1, 3]);
  });

  it('a second dead connection is not replaced', async () => {
    const { platform, reply } = await overtaken('a dead connection');
    expect(reply.body).toMatchObject({ code: 'response-incomplete', evidence: { connection: 'reused' } });
    expect(platform.attempts()).toEqual([1, 1, 3]);
  });

  it('one dead connection and one rejection are both handled', async () => {
    // Trusted at first, so that there is a connection to die.
    const api = await startApi(authorities, { ca: [clientRoots, former.platformRoot.certificate] });
    const platform = openPlatform(authorities);
    const destinations = [destinationAt(api, authorities)];
    platform.publish('v1', { client: newClient(former), destinations });
    expect((await platform.call({ url: url(api) })).statusCode).toBe(200);
    platform.publish('v2', { destinations });
    let isFirst = true;
    api.answerWith((request, response) => {
      if (!isFirst) return response.end();
      isFirst = false;
      api.trust(clientRoots);
      return request.socket.destroy();
    });
    const reply = await platform.call({ url: url(api) });
    expect(reply.body).toMatchObject({ status: 200, handshake: { client: { version: 'v2' } } });
    expect(platform.attempts()).toEqual([1, 3]);
  });
});
