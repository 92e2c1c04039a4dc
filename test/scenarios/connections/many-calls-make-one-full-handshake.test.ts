// Keep-alive and resumption: what is paid once is not paid again.
import { describe, expect, it } from 'vitest';
import { tap } from '../../support/connections/client-hello.ts';
import { destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform, type Platform } from '../../support/connections/platform.ts';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const clientRoots = authorities.platformRoot.certificate;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

function platformFor(api: { readonly port: number }, destination: object = {}) {
  const platform = openPlatform(authorities);
  platform.publish('v1', { destinations: [destinationAt(api, authorities, destination)] });
  const url = `https://api.acme.example:${api.port}/`;
  return { platform, url };
}

/** What each call's connection was, in order; every call succeeds. */
async function inTurn(platform: Platform, url: string, calls: number): Promise<string[]> {
  const kinds: string[] = [];
  for (let call = 0; call < calls; call++) kinds.push(await one(platform, url));
  return kinds;
}

async function one(platform: Platform, url: string): Promise<string> {
  const reply = await platform.call({ url });
  expect(reply.statusCode, JSON.stringify(reply.body)).toBe(200);
  return reply.body.handshake.connection;
}

function count(kinds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

describe.each(versions)('over %s', (maxVersion) => {
  it('500 calls in turn make one connection', async () => {
    const api = await startApi(authorities, { maxVersion });
    const { platform, url } = platformFor(api);
    expect(count(await inTurn(platform, url, 500))).toEqual({ new: 1, reused: 499 });
    expect(api.connections).toHaveLength(1);
  });

  it('20 concurrent calls make at most 20 connections, and later calls make no new one', async () => {
    const api = await startApi(authorities, { maxVersion });
    const { platform, url } = platformFor(api);
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 20 }, () => one(platform, url)));
    }
    expect(api.connections.length).toBeLessThanOrEqual(20);
    const before = api.connections.length;
    expect(count(await inTurn(platform, url, 100))).toEqual({ reused: 100 });
    expect(api.connections).toHaveLength(before);
  });

  it('closed connections are replaced by resumption, and no TLS 1.3 ticket is used twice', async () => {
    const api = await startApi(authorities, {
      maxVersion,
      answer: (_request, response) => {
        response.setHeader('connection', 'close').end();
      },
    });
    const wire = await tap(api.port);
    const { platform, url } = platformFor(wire);
    await one(platform, url);
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 6 }, () => one(platform, url)));
    }
    const offered = wire.hellos.map(({ ticket }) => ticket).filter((ticket) => ticket !== undefined);
    expect(offered.length).toBeGreaterThan(5);
    expect(api.connections.filter(({ isResumed }) => isResumed)).toHaveLength(offered.length);
    if (maxVersion === 'TLSv1.3') expect(new Set(offered).size).toBe(offered.length);
    else expect(offered).toHaveLength(18);
  });

  it('a server that lost its sessions gets a full handshake', async () => {
    const api = await startApi(authorities, { maxVersion });
    const { platform, url } = platformFor(api);
    expect(await one(platform, url)).toBe('new');
    api.forgetSessions();
    await api.closeConnections();
    expect(await one(platform, url)).toBe('new');
    await api.closeConnections();
    expect(await one(platform, url)).toBe('resumed');
  });
});

const opensslFlag = { 'TLSv1.2': '-tls1_2', 'TLSv1.3': '-tls1_3' };

describe.skipIf(!findPeer('openssl'))('openssl s_server, which closes after each answer (needs openssl)', () => {
  it.each(versions)('makes one full handshake over %s', async (version) => {
    const api = await startOpenssl(newServer(authorities), { clientRoots, args: [opensslFlag[version]] });
    const { platform, url } = platformFor(api);
    expect(count(await inTurn(platform, url, 8))).toEqual({ new: 1, resumed: 7 });
  });
});

describe.skipIf(!findPeer('nginx'))('nginx, which closes after each fifth answer (needs nginx)', () => {
  it.each(versions)('makes one full handshake over %s', async (maxTlsVersion) => {
    const api = await startNginx(newServer(authorities), { clientRoots, directives: 'keepalive_requests 5;' });
    const { platform, url } = platformFor(api, { maxTlsVersion });
    expect(count(await inTurn(platform, url, 20))).toEqual({ new: 1, resumed: 3, reused: 16 });
  });
});
