// A version that is let go, for a newer one or for good: its calls finish, its connections close, its sessions are
// dropped.
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { invocationRoute } from '../../../core/invocation/invoke.ts';
import { noTelemetry } from '../../../core/telemetry/telemetry.ts';
import { createPool } from '../../../core/tls/connection-pool.ts';
import { apiHandler } from '../../../functions/api-gateway/handler.ts';
import { type CustomerApi, destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient, openPlatform, type Platform } from '../../support/connections/platform.ts';
import { createAuthorities, documentOf, invocationEvent, lambdaContext, type Reply } from '../../support/stage.ts';

const authorities = createAuthorities();
const url = (api: CustomerApi) => `https://api.acme.example:${api.port}/`;

/** Calls whose answers are held back until `release`. */
async function inFlight(platform: Platform, api: CustomerApi, calls: number, method = 'GET') {
  const held: ServerResponse[] = [];
  const allHeld = new Promise<void>((resolve) => {
    api.answerWith((request, response) => {
      request.resume();
      if (held.push(response) === calls) resolve();
    });
  });
  const replies = Array.from({ length: calls }, () => platform.call({ url: url(api), method }));
  await allHeld;
  return async (): Promise<Reply[]> => {
    for (const response of held) response.end('done');
    return Promise.all(replies);
  };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  it.each(['GET', 'POST'])('50 calls in flight (%s) finish over their open connections', async (method) => {
    const api = await startApi(authorities, { maxVersion });
    const platform = openPlatform(authorities);
    const old = platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const release = await inFlight(platform, api, 50, method);
    const oldConnections = api.connections.length;
    expect(oldConnections).toBe(50);

    const fresh = platform.publish('v2', { destinations: [destinationAt(api, authorities)] });
    await platform.stage.identities.reload('platform');
    api.answerWith((_request, response) => response.end());
    const during = await Promise.all(Array.from({ length: 10 }, () => platform.call({ url: url(api) })));
    for (const { statusCode, body } of during) {
      expect(statusCode).toBe(200);
      expect(body.handshake.client).toMatchObject({ version: 'v2', fingerprint256: fresh });
    }
    // Of the sessions that the old version had, none was resumed.
    expect(api.connections.slice(oldConnections).every(({ isResumed }) => !isResumed)).toBe(true);

    for (const { statusCode, body } of await release()) {
      expect(statusCode).toBe(200);
      expect(body).toMatchObject({ body: 'done', handshake: { client: { version: 'v1', fingerprint256: old } } });
    }
    await expect.poll(() => platform.stage.pool.openConnections).toBe(api.connections.length - oldConnections);
    await expect.poll(() => api.openSockets).toBe(api.connections.length - oldConnections);

    const before = api.connections.length;
    expect((await platform.call({ url: url(api) })).body.handshake.connection).toBe('reused');
    expect(api.connections).toHaveLength(before);
    for (const { fingerprint256 } of api.connections.slice(oldConnections)) expect(fingerprint256).toBe(fresh);
  });

  it('idle connections of the old version close at once', async () => {
    const api = await startApi(authorities, { maxVersion });
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    await platform.call({ url: url(api) });
    expect(platform.stage.pool.openConnections).toBe(1);
    platform.publish('v2', { destinations: [destinationAt(api, authorities)] });
    await platform.stage.identities.reload('platform');
    await expect.poll(() => api.openSockets).toBe(0);
    expect(platform.stage.pool).toMatchObject({ openConnections: 0, agents: 0 });
  });
});

describe('a deleted identity', () => {
  it('finishes its calls in flight, then its connections close', async () => {
    const api = await startApi(authorities);
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    await platform.call({ url: url(api) });
    const release = await inFlight(platform, api, 5);
    platform.shelf.remove('platform');
    for (let refusal = 0; refusal < 2; refusal++) {
      platform.clock.aheadMs += 5_001;
      await platform.stage.identities.reload('platform').catch(() => {});
    }
    expect((await platform.call({ url: url(api) })).body.code).toBe('identity-not-found');
    for (const { statusCode } of await release()) expect(statusCode).toBe(200);
    await expect.poll(() => api.openSockets).toBe(0);
    expect(platform.stage.pool.agents).toBe(0);
  });
});

describe('an identity that is evicted over capacity', () => {
  it('finishes its calls in flight, and connections that they open are not kept', async () => {
    const api = await startApi(authorities);
    const document = documentOf(newClient(authorities), [destinationAt(api, authorities)]);
    const pool = createPool({ lookup: async () => [{ address: '127.0.0.1' }] });
    const identities = createIdentityCache({
      source: { read: async () => ({ version: 'v1', stage: 'AWSCURRENT', document }) },
      ttlMs: 60_000,
      capacity: 1,
      onEvicted: pool.retire,
    });
    const door = apiHandler(
      { docsUrl: 'https://docs.example/' },
      invocationRoute({ telemetry: noTelemetry, identities, pool }),
    );
    const call = (identity: string) => door(invocationEvent({ url: url(api) }, identity), lambdaContext(29_000));

    // The connection dies, and the identity is let go, while the call is under way: it is repeated on a fresh one.
    expect((await call('first')).statusCode).toBe(200);
    let isFirst = true;
    api.answerWith((request, response) => {
      if (!isFirst) return response.end();
      isFirst = false;
      Promise.resolve(identities.get('second')).then(() => request.socket.destroy());
      return undefined;
    });
    expect((await call('first')).statusCode).toBe(200);
    expect(api.connections).toHaveLength(2);
    await expect.poll(() => pool.openConnections).toBe(0);
    pool.close();
  });
});
