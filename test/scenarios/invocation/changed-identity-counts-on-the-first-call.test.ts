// A destination that was added and a version that was replaced count on the first call, within 300 ms of the store.
import { expect, it } from 'vitest';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { newClient, openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const elsewhere = { host: 'other.acme.example', port: 443 };

async function start() {
  const api = await startApi(authorities);
  const platform = openPlatform(authorities);
  const url = `https://api.acme.example:${api.port}/`;
  const call = (method: string) => platform.call({ url, method });
  const lastLine = () => platform.stage.lines.at(-1);
  return { api, platform, call, lastLine, destinations: platform.destinationsOf(api) };
}

it('an added destination is allowed on the first call; a forbidden one causes at most one read in 5 s', async () => {
  const { platform, call, destinations } = await start();
  const client = newClient(authorities);
  platform.publish('v1', { client, destinations: [elsewhere] });
  expect((await call('GET')).body.code).toBe('destination-forbidden');
  expect(platform.shelf.reads).toBe(1);
  expect((await call('GET')).body.code).toBe('destination-forbidden');
  expect(platform.shelf.reads).toBe(2);
  platform.publish('v2', { client, destinations });
  expect((await call('GET')).body).toMatchObject({ code: 'destination-forbidden', evidence: { version: 'v1' } });
  expect(platform.shelf.reads).toBe(2);
  platform.clock.aheadMs = 5_000;
  expect((await call('GET')).body.status).toBe(200);
  expect(platform.shelf.reads).toBe(3);
});

it('a network that was widened is allowed on the first call', async () => {
  const { api, platform, call, destinations } = await start();
  const client = newClient(authorities);
  platform.publish('v1', { client, destinations: [destinationAt(api, authorities, { network: 'public' })] });
  expect((await call('GET')).body.code).toBe('destination-forbidden');
  platform.publish('v2', { client, destinations });
  expect((await call('GET')).body.status).toBe(200);
});

it('after the TTL a POST uses the new version, and a GET the cached one', async () => {
  const { platform, call, lastLine, destinations } = await start();
  platform.publish('v1', { destinations });
  await call('GET');
  expect(lastLine()).not.toHaveProperty('identityAgeMs');
  platform.publish('v2', { destinations });
  // As after a freeze of 150 s on Lambda.
  platform.clock.aheadMs = 150_000;
  expect((await call('POST')).body.handshake.client.version).toBe('v2');
  expect(lastLine()).not.toHaveProperty('identityAgeMs');

  platform.publish('v3', { destinations });
  platform.clock.aheadMs = 300_000;
  expect((await call('GET')).body.handshake.client.version).toBe('v2');
  expect(lastLine()?.identityAgeMs).toBeGreaterThanOrEqual(150_000);
});

it.each([
  ['fails', () => Promise.reject(new Error('The store is down.'))],
  ['hangs', () => new Promise<never>(() => {})],
])('if the store %s, a POST uses the cached version, and the log line has its age', async (_how, beforeRead) => {
  const { platform, call, lastLine, destinations } = await start();
  platform.publish('v1', { destinations });
  await call('GET');
  platform.shelf.beforeRead = beforeRead;
  platform.clock.aheadMs = 150_000;
  expect((await call('POST')).body.handshake.client.version).toBe('v1');
  expect(lastLine()?.identityAgeMs).toBeGreaterThanOrEqual(150_000);
});

it('the TTL begins when the store was asked, not when its answer arrived after a freeze', async () => {
  const { platform, call, lastLine, destinations } = await start();
  platform.publish('v1', { destinations });
  platform.shelf.beforeRead = () => {
    platform.clock.aheadMs = 90_000;
    platform.shelf.beforeRead = undefined;
  };
  await call('GET');
  expect(lastLine()?.identityAgeMs).toBeGreaterThanOrEqual(90_000);
  platform.publish('v2', { destinations });
  expect((await call('POST')).body.handshake.client.version).toBe('v2');
});
