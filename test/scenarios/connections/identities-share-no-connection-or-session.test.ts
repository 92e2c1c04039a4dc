// Identities, versions, server names, trust settings and the demand for mutual TLS: what differs in one shares nothing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CustomerApi, destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient, openPlatform, type Platform } from '../../support/connections/platform.ts';
import { createAuthorities, type Reply } from '../../support/stage.ts';

const authorities = createAuthorities();
const stranger = createAuthorities().customerRoot.certificate;
/** Two identities that present the very same certificate are two identities all the same. */
const sameClient = newClient(authorities);
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

/** Who calls, and over what: `mutual` is the call's own demand. */
interface Caller {
  readonly identity: string;
  readonly host: string;
  readonly mutual: boolean;
}

/** One server name for them all, so that no server would refuse to resume the session of another. */
const serverName = 'api.acme.example';
const trustSettings = (api: CustomerApi) => [
  destinationAt(api, authorities, { host: 'a.acme.example', serverName }),
  destinationAt(api, authorities, { host: 'b.acme.example', serverName }),
  destinationAt(api, authorities, {
    host: 'roots.acme.example',
    serverName,
    serverRoots: authorities.customerRoot.certificate + stranger,
  }),
  destinationAt(api, authorities, { host: 'name.acme.example' }),
  destinationAt(api, authorities, { host: 'versions.acme.example', serverName, minTlsVersion: 'TLSv1.2' }),
  destinationAt(api, authorities, { host: 'mutual.acme.example', serverName, requireMutual: true }),
];
const hosts = [
  'a.acme.example',
  'b.acme.example',
  'roots.acme.example',
  'name.acme.example',
  'versions.acme.example',
  'mutual.acme.example',
];
const identities = ['acme', 'twin', 'other'];
const callers: readonly Caller[] = identities.flatMap((identity) =>
  hosts.flatMap((host) => [false, true].map((mutual) => ({ identity, host, mutual }))),
);

function publishAll(platform: Platform, api: CustomerApi, version: string): void {
  const destinations = trustSettings(api);
  platform.publish(version, { identity: 'acme', client: sameClient, destinations });
  platform.publish(version, { identity: 'twin', client: sameClient, destinations });
  platform.publish(version, { identity: 'other', destinations });
}

async function call(platform: Platform, api: CustomerApi, caller: Caller, tag: string): Promise<Reply> {
  const { identity, host, mutual } = caller;
  const request = { url: `https://${host}:${api.port}/`, headers: { 'x-tag': tag }, requireMutual: mutual };
  const reply = await platform.call(request, identity);
  expect(reply.statusCode, JSON.stringify(reply.body)).toBe(200);
  return reply;
}

/** `requireMutual` of the destination and of the call are one and the same demand. */
function sharedBy({ identity, host, mutual }: Caller): string {
  return `${identity} ${host} ${mutual || host === 'mutual.acme.example'}`;
}

describe.each(versions)('over %s', (maxVersion) => {
  it('each identity starts with a full handshake, whatever sessions other identities have', async () => {
    const api = await startApi(authorities, { maxVersion });
    const platform = openPlatform(authorities);
    publishAll(platform, api, 'v1');
    const seen = new Set<string>();
    for (const caller of callers) {
      const first = !seen.has(sharedBy(caller));
      seen.add(sharedBy(caller));
      const before = api.connections.length;
      const reply = await call(platform, api, caller, 'first');
      expect(reply.body.handshake.connection, sharedBy(caller)).toBe(first ? 'new' : 'reused');
      expect(api.connections.length - before).toBe(first ? 1 : 0);
    }
    await api.closeConnections();
    // The sessions were there to be resumed, each by its own caller.
    for (const caller of callers) {
      const before = api.connections.length;
      await call(platform, api, caller, 'second');
      const made = api.connections.slice(before);
      for (const connection of made) expect(connection.isResumed).toBe(true);
    }
  });

  it('a new version starts with a full handshake, even with the certificate of the previous version', async () => {
    const api = await startApi(authorities, { maxVersion });
    const platform = openPlatform(authorities);
    const caller = { identity: 'acme', host: 'a.acme.example', mutual: false };
    for (const version of ['v1', 'v2', 'v3']) {
      publishAll(platform, api, version);
      platform.clock.aheadMs += 5_001;
      await platform.stage.identities.reload('acme');
      const reply = await call(platform, api, caller, version);
      expect(reply.body.handshake.client.version).toBe(version);
      expect(reply.body.handshake.connection).toBe('new');
    }
    expect(api.connections.map(({ isResumed }) => isResumed)).toEqual([false, false, false]);
  });

  it('no connection is shared in any order of calls, closed connections and rotations', {
    timeout: 60_000,
  }, async () => {
    const api = await startApi(authorities, { maxVersion });
    const step = fc.record({
      calls: fc.array(fc.constantFrom(...callers), { minLength: 1, maxLength: 10 }),
      afterwards: fc.constantFrom('nothing', 'close', 'rotate'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
        const platform = openPlatform(authorities);
        const from = api.connections.length;
        let version = 1;
        publishAll(platform, api, 'v1');
        for (const { calls, afterwards } of steps) {
          const tag = (caller: Caller) => `${sharedBy(caller)} v${version}`;
          await Promise.all(calls.map((caller) => call(platform, api, caller, tag(caller))));
          if (afterwards === 'close') await api.closeConnections();
          if (afterwards === 'rotate') {
            publishAll(platform, api, `v${++version}`);
            platform.clock.aheadMs += 5_001;
            await Promise.all(identities.map((identity) => platform.stage.identities.reload(identity)));
          }
        }
        platform.stage.close();
        const began = new Set<string>();
        for (const connection of api.connections.slice(from)) {
          const tags = new Set(connection.requests.map((request) => request.headers['x-tag']));
          expect(tags.size, [...tags].join(' and ')).toBe(1);
          const [only] = tags;
          // No identity resumes a session before its own full handshake.
          if (connection.isResumed) expect(began).toContain(only);
          else began.add(String(only));
        }
      }),
      { numRuns: 25 },
    );
  });
});

it('the server receives the certificate of the calling identity and the server name of its destination', async () => {
  const api = await startApi(authorities);
  const platform = openPlatform(authorities);
  const destinations = trustSettings(api);
  const fingerprints = new Map(
    identities.map((identity) => [identity, platform.publish('v1', { identity, destinations })]),
  );
  await Promise.all(callers.map((caller) => call(platform, api, caller, sharedBy(caller))));
  for (const { fingerprint256, serverName: name, requests } of api.connections) {
    const [identity = '', host] = String(requests[0]?.headers['x-tag']).split(' ');
    expect(fingerprint256).toBe(fingerprints.get(identity));
    expect(name).toBe(host === 'name.acme.example' ? host : serverName);
    expect(requests[0]?.headers.host).toBe(`${name}:${api.port}`);
  }
});
