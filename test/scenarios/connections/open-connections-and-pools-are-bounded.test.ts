// Unused pools are evicted. Above the limit of connections, the least recently used ones close.
import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import type { PoolLimits } from '../../../core/tls/connection-pool.ts';
import { type CustomerApi, destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform, type Platform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const never = { maxIdleMs: 1e9, sweepEveryMs: 1e9 };
const names = Array.from('abcdefgh', (letter) => `${letter}.acme.example`);

function platformWith(api: CustomerApi, poolLimits: Omit<PoolLimits, 'maxAgents'> & { maxAgents?: number }) {
  const platform = openPlatform(authorities, { poolLimits: { maxAgents: 100, ...poolLimits } });
  platform.publish('v1', { destinations: [destinationAt(api, authorities, { host: '*.acme.example' })] });
  return platform;
}

async function call(platform: Platform, api: CustomerApi, host: string, method = 'GET'): Promise<string> {
  const reply = await platform.call({ url: `https://${host}:${api.port}/`, method });
  expect(reply.statusCode, JSON.stringify(reply.body)).toBe(200);
  return reply.body.handshake.connection;
}

it('the least recently used connections close first, and the next call opens a new one', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { ...never, maxConnections: 3 });
  const [a, b, c, d] = names as [string, string, string, string];
  for (const host of [a, b, c]) expect(await call(platform, api, host)).toBe('new');
  expect(await call(platform, api, a)).toBe('reused');
  expect(await call(platform, api, d)).toBe('new');
  await expect.poll(() => api.openSockets).toBe(3);
  // b was the one; its session is still there.
  for (const host of [a, c, d]) expect(await call(platform, api, host)).toBe('reused');
  expect(await call(platform, api, b)).toBe('resumed');
  await expect.poll(() => platform.stage.pool.openConnections).toBe(3);
});

it('idle connections of all identities together never exceed the limit', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { ...never, maxConnections: 4 });
  for (let round = 0; round < 5; round++) {
    await Promise.all(names.flatMap((host) => [call(platform, api, host), call(platform, api, host)]));
    for (const host of names) await call(platform, api, host);
    await expect.poll(() => platform.stage.pool.openConnections).toBeLessThanOrEqual(4);
    await expect.poll(() => api.openSockets).toBeLessThanOrEqual(4);
  }
});

it('connections above the limit close when they become idle', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { ...never, maxConnections: 4 });
  const held: ServerResponse[] = [];
  const allHeld = new Promise<void>((resolve) => {
    api.answerWith((_request, response) => {
      if (held.push(response) === 2 * names.length) resolve();
    });
  });
  const calls = [...names, ...names].map((host) => call(platform, api, host));
  await allHeld;
  expect(platform.stage.pool.openConnections).toBe(2 * names.length);
  for (const response of held) response.end();
  await Promise.all(calls);
  await expect.poll(() => api.openSockets).toBe(4);
});

it('an agent with a call in flight closes its idle connections, and the call is not disturbed', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { ...never, maxConnections: 3 });
  const [busy = '', other = ''] = names;
  const held: ServerResponse[] = [];
  const reached = new Promise<void>((resolve) => {
    api.answerWith((request, response) => {
      held.push(response);
      if (request.method !== 'PUT') for (const each of held.length === 3 ? held.splice(0) : []) each.end();
      else resolve();
    });
  });
  await Promise.all([1, 2, 3].map(() => call(platform, api, busy)));
  const inFlight = call(platform, api, busy, 'PUT');
  await reached;
  expect(platform.stage.pool.openConnections).toBe(3);
  api.answerWith((_request, response) => response.end());
  await call(platform, api, other);
  await expect.poll(() => api.openSockets).toBe(2);
  for (const response of held) response.end();
  expect(await inFlight).toBe('reused');
});

it('an agent without a recent call is evicted by the next call of another agent', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { maxConnections: 100, maxIdleMs: 300_000, sweepEveryMs: 30_000 });
  for (const host of names) await call(platform, api, host);
  expect(platform.stage.pool.agents).toBe(names.length);
  platform.clock.aheadMs += 299_000;
  await call(platform, api, names[0] ?? '');
  expect(platform.stage.pool.agents).toBe(names.length);
  // The interval of the sweep is by the process's clock, which a freeze stops; the wall clock goes on.
  platform.clock.aheadMs += 90_000;
  expect(await call(platform, api, names[0] ?? '')).not.toBe('new');
  expect(platform.stage.pool.agents).toBe(1);
  await expect.poll(() => api.openSockets).toBe(1);
});

it('the sweep evicts unused agents without a further call', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { maxConnections: 100, maxIdleMs: 60_000, sweepEveryMs: 5 });
  for (const host of names) await call(platform, api, host);
  expect(platform.stage.pool.agents).toBe(names.length);
  platform.clock.aheadMs += 61_000;
  await expect.poll(() => platform.stage.pool.agents).toBe(0);
  await expect.poll(() => api.openSockets).toBe(0);
});

it('an agent with a call in flight is not evicted', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { maxConnections: 100, maxIdleMs: 60_000, sweepEveryMs: 5 });
  const held = new Promise<ServerResponse>((resolve) => {
    api.answerWith((_request, response) => resolve(response));
  });
  const inFlight = call(platform, api, names[0] ?? '');
  const response = await held;
  platform.clock.aheadMs += 61_000;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(platform.stage.pool.agents).toBe(1);
  response.end();
  expect(await inFlight).toBe('new');
  await expect.poll(() => platform.stage.pool.agents).toBe(0);
});

it('calls to ever new hosts do not create an unbounded number of agents', async () => {
  const api = await startApi(authorities);
  const platform = platformWith(api, { ...never, maxConnections: 100, maxAgents: 10 });
  for (let host = 0; host < 35; host++) {
    expect(await call(platform, api, `host-${host}.acme.example`)).toBe('new');
    expect(platform.stage.pool.agents).toBeLessThanOrEqual(10);
  }
  // What was used last is kept.
  expect(await call(platform, api, 'host-34.acme.example')).toBe('reused');
});
