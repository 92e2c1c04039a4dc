// After a call succeeded with AWSPREVIOUS, calls to that destination begin with it for ten minutes. The destinations of
// AWSCURRENT apply.
import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { admit } from '../../../core/destination/guard.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import { checkIdentity } from '../../../core/identity/check.ts';
import type { Identity } from '../../../core/identity/identity.ts';
import { createAcceptanceCache } from '../../../core/invocation/fallback.ts';
import { createPool } from '../../../core/tls/connection-pool.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient } from '../../support/connections/platform.ts';
import { authorities, clientRoots, newcomers, rotated, url } from '../../support/invocation/not-yet-trusted.ts';
import { documentOf } from '../../support/stage.ts';

const tenMinutes = 600_000;
const bothRoots = [clientRoots, newcomers.platformRoot.certificate].join('');

describe('while AWSPREVIOUS is remembered', () => {
  it('calls use AWSPREVIOUS at once, over its open connection', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    const reads = platform.shelf.reads;
    for (const method of ['GET', 'POST']) {
      const { body } = await platform.call({ url: url(api, '/other'), method });
      expect(body.handshake).toMatchObject({ connection: 'reused', client: { version: 'v1', stage: 'AWSPREVIOUS' } });
    }
    expect(platform.attempts()).toEqual([3, 1, 1]);
    expect(platform.shelf.reads).toBe(reads);
    expect(api.connections).toHaveLength(1);
  });

  it('a dead connection of AWSPREVIOUS is replaced by another of AWSPREVIOUS', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    let isFirst = true;
    api.answerWith((request, response) => {
      if (!isFirst) return response.end();
      isFirst = false;
      api.forgetSessions();
      return request.socket.destroy();
    });
    const { body } = await platform.call({ url: url(api) });
    expect(body.handshake).toMatchObject({ connection: 'new', client: { stage: 'AWSPREVIOUS' } });
    expect(platform.stage.lines.at(-1)).toMatchObject({ attempts: 2, earlierConnections: ['reused'] });
    expect(platform.stage.lines.at(-1)).not.toHaveProperty('rejections');
  });

  it('another destination is called with AWSCURRENT', async () => {
    const [api, other] = [await startApi(authorities), await startApi(authorities, { ca: bothRoots })];
    const destinations = [api, other].map((one) => destinationAt(one, authorities));
    const { platform } = rotated(api, { v2: { destinations }, v1: { destinations } });
    await platform.call({ url: url(api) });
    expect((await platform.call({ url: url(other) })).body.handshake.client.stage).toBe('AWSCURRENT');
    expect(platform.attempts()).toEqual([3, 1]);
  });

  it('another identity starts with its own AWSCURRENT', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    platform.publish('w2', { identity: 'other', destinations: platform.destinationsOf(api) });
    expect((await platform.call({ url: url(api) }, 'other')).body.handshake.client.version).toBe('w2');
  });

  it('background reads have ended when the response is returned', async () => {
    const api = await startApi(authorities);
    const { platform, othersRead } = rotated(api);
    await platform.call({ url: url(api) });
    platform.clock.aheadMs += 60_001;
    let ended = 0;
    platform.shelf.beforeRead = async () => {
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      ended++;
    };
    await platform.call({ url: url(api) });
    expect(othersRead()).toEqual(['AWSPREVIOUS', 'AWSPREVIOUS']);
    expect(ended).toBe(2);
  });
});

describe('AWSPREVIOUS is no longer used first', () => {
  it('after ten minutes: AWSCURRENT is tried again, and AWSPREVIOUS after it', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    platform.clock.aheadMs += tenMinutes - 1_000;
    await platform.call({ url: url(api) });
    platform.clock.aheadMs += 1_001;
    expect((await platform.call({ url: url(api) })).body.handshake.client.stage).toBe('AWSPREVIOUS');
    expect(platform.attempts()).toEqual([3, 1, 3]);
    api.trust(bothRoots);
    platform.clock.aheadMs += tenMinutes + 1;
    expect((await platform.call({ url: url(api) })).body.handshake.client.stage).toBe('AWSCURRENT');
    expect(platform.attempts()).toEqual([3, 1, 3, 1]);
  });

  it('when the customer trusts only AWSCURRENT: the call succeeds with it', async () => {
    const api = await startApi(authorities, { keepAliveTimeout: 0 });
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    api.trust(newcomers.platformRoot.certificate);
    await api.closeConnections();
    platform.clock.aheadMs += 60_001;
    for (let call = 0; call < 2; call++) {
      const { body } = await platform.call({ url: url(api) });
      expect(body.handshake.client).toMatchObject({ version: 'v2', stage: 'AWSCURRENT' });
    }
    expect(platform.attempts()).toEqual([3, 2, 1]);
  });

  it('but not when a connection of AWSPREVIOUS is only closed', async () => {
    // As nginx does, which keeps the connection open.
    const page = '<html><head><title>400 The SSL certificate error</title></head></html>';
    let closes = false;
    const api = await startApi(authorities, {
      rejectUnauthorized: false,
      answer: (request, response, { fingerprint256 }) => {
        if (closes) request.socket.destroy();
        else if (fingerprint256 === fingerprints.v1) response.end();
        else response.writeHead(400, { 'content-type': 'text/html' }).end(page);
      },
    });
    const { platform, fingerprints } = rotated(api);
    await platform.call({ url: url(api) });
    const pay = async () => (await platform.call({ url: url(api), method: 'POST' })).body;
    closes = true;
    api.forgetSessions();
    await api.closeConnections();
    platform.clock.aheadMs += 5_000;
    expect(await pay()).toMatchObject({ code: 'client-certificate-rejected', evidence: { certainty: 'inferred' } });
    closes = false;
    expect(await pay()).toMatchObject({ status: 400, handshake: { client: { stage: 'AWSCURRENT' } } });
    expect(await pay()).toMatchObject({ status: 200, handshake: { client: { stage: 'AWSPREVIOUS' } } });
  });

  it('when AWSCURRENT is another version', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    expect(platform.stage.fallback.size).toBe(1);
    platform.publish('v3', { destinations: platform.destinationsOf(api) });
    platform.clock.aheadMs += 5_001;
    await platform.stage.identities.reload('platform');
    expect(platform.stage.fallback.size).toBe(0);
    expect((await platform.call({ url: url(api) })).body.handshake.client).toMatchObject({ version: 'v3' });
    expect(platform.attempts()).toEqual([3, 1]);
  });

  it('when AWSPREVIOUS is another version: the connections of the earlier one close', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api);
    await platform.call({ url: url(api) });
    platform.publish('v1b', { destinations: platform.destinationsOf(api), stage: 'AWSPREVIOUS' });
    platform.clock.aheadMs += 60_001;
    const versions = [];
    for (let call = 0; call < 2; call++) {
      versions.push((await platform.call({ url: url(api) })).body.handshake.client.version);
    }
    expect(versions).toEqual(['v1', 'v1b']);
    await expect.poll(() => api.openSockets).toBe(1);
  });

  it('when AWSPREVIOUS expires', async () => {
    const api = await startApi(authorities);
    const notAfter = new Date(Date.now() + 300_000);
    const client = authorities.platformIssuer.issue({ commonName: 'ending', notAfter });
    const { platform } = rotated(api, { v1: { client } });
    await platform.call({ url: url(api) });
    platform.clock.aheadMs += 301_000;
    expect((await platform.call({ url: url(api) })).body.code).toBe('client-certificate-rejected');
    await expect.poll(() => api.openSockets).toBe(0);
  });

  it('for the oldest entry over capacity, and for all entries of a replaced version', () => {
    const clock = { now: 0 };
    const versions = createAcceptanceCache(() => clock.now, 3);
    const [current, next, previous] = [1, 2, 3].map((version) => ({ name: 'platform', version })) as unknown as [
      Identity,
      Identity,
      Identity,
    ];
    const targets = [1, 2, 3, 4].map((port) => parseTarget(`https://api.acme.example:${port}/`));
    for (const target of targets) versions.remember(current, previous, target);
    expect(versions.size).toBe(3);
    expect(targets.map((target) => versions.find(current, target))).toEqual([undefined, previous, previous, previous]);
    const [, second, third, fourth] = targets;
    if (!second || !third || !fourth) throw new Error('There are four targets.');
    expect(versions.find(next, second)).toBeUndefined();
    versions.remember(next, previous, second);
    versions.evictAll(current);
    expect([second, third, fourth].map((target) => versions.find(next, target))).toEqual([
      previous,
      undefined,
      undefined,
    ]);
    clock.now = tenMinutes;
    expect(versions.find(next, second)).toBeUndefined();
    expect(versions.size).toBe(0);
  });
});

describe('the destinations of AWSCURRENT decide', () => {
  it('one that AWSPREVIOUS alone has is forbidden', async () => {
    const api = await startApi(authorities);
    const { platform, othersRead } = rotated(api, {
      v2: { destinations: [destinationAt(api, authorities, { host: 'other.acme.example' })] },
    });
    const { body } = await platform.call({ url: url(api) });
    expect(body).toMatchObject({ code: 'destination-forbidden', evidence: { version: 'v2' } });
    expect(othersRead()).toEqual([]);
    expect(api.arrived).toBe(0);
  });

  it('one that AWSCURRENT alone has is open to AWSPREVIOUS', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api, { v1: { destinations: [] } });
    expect((await platform.call({ url: url(api) })).body.handshake.client.stage).toBe('AWSPREVIOUS');
  });

  it('its trust settings apply too', async () => {
    const api = await startApi(authorities);
    const { platform } = rotated(api, {
      v1: { destinations: [destinationAt(api, authorities, { serverRoots: newcomers.customerRoot.certificate })] },
    });
    expect((await platform.call({ url: url(api) })).body.handshake.client.stage).toBe('AWSPREVIOUS');
  });

  it('a forbidden new address of the name is rejected as with AWSCURRENT', async () => {
    const api = await startApi(authorities);
    let address = '127.0.0.1';
    const { platform } = rotated(api, { lookup: async () => [{ address }] });
    await platform.call({ url: url(api) });
    await api.closeConnections();
    address = '169.254.169.254';
    platform.clock.aheadMs += 60_001;
    const { body } = await platform.call({ url: url(api) });
    expect(body).toMatchObject({ code: 'destination-forbidden', evidence: { version: 'v2' } });
  });

  it('a changed destination of AWSCURRENT creates a new agent, and the old agent closes', () => {
    const pool = createPool();
    const target = parseTarget('https://api.acme.example/');
    const client = newClient(authorities);
    const [v1, v2] = ['TLSv1.2', 'TLSv1.3'].map((minTlsVersion) => {
      const document = documentOf(client, [{ host: 'api.acme.example', minTlsVersion }]);
      return checkIdentity('platform', { version: minTlsVersion, stage: 'AWSPREVIOUS', document }, Date.now());
    }) as [Identity, Identity];
    const [one, other] = [admit(target, v1.destinations), admit(target, v2.destinations)];
    const before = pool.agent(v1, one, target, false);
    expect(pool.agent(v1, one, target, false)).toBe(before);
    const after = pool.agent(v1, other, target, false);
    expect(after).not.toBe(before);
    expect(pool.agents).toBe(1);
    pool.close();
  });
});

describe('a rotation while AWSPREVIOUS is in use', () => {
  it('lets its calls finish, closes what is idle, and keeps nothing for it', async () => {
    const api = await startApi(authorities);
    const { platform, fingerprints } = rotated(api);
    await platform.call({ url: url(api) });
    const held: ServerResponse[] = [];
    api.answerWith((_request, response) => held.push(response));
    const calls = Array.from({ length: 5 }, () => platform.call({ url: url(api) }));
    await expect.poll(() => held.length).toBe(5);
    expect(new Set(api.connections.map(({ fingerprint256 }) => fingerprint256))).toEqual(new Set([fingerprints.v1]));

    platform.publish('v3', { destinations: platform.destinationsOf(api) });
    platform.clock.aheadMs += 5_001;
    await platform.stage.identities.reload('platform');
    for (const response of held) response.end();
    for (const reply of calls) expect((await reply).body.handshake.client.version).toBe('v1');
    await expect.poll(() => api.openSockets).toBe(0);
    expect(platform.stage.pool.agents).toBe(0);
  });
});
