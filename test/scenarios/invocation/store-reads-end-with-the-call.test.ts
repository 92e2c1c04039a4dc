// What a call waits for the store: all it has when it needs the identity, hardly at all when the next call needs it.

import { describe, expect, it } from 'vitest';
import { diagnosisRoute } from '../../../core/diagnosis/diagnose.ts';
import { noTelemetry } from '../../../core/telemetry/telemetry.ts';
import { deadlineIn, refreshBefore } from '../../../core/tls/attempt.ts';
import { apiHandler } from '../../../functions/api-gateway/handler.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities, invocationEvent, lambdaContext } from '../../support/stage.ts';

const authorities = createAuthorities();

async function setUp() {
  const api = await startApi(authorities);
  const platform = openPlatform(authorities);
  const destinations = [destinationAt(api, authorities)];
  const url = `https://api.acme.example:${api.port}/`;
  platform.publish('v1', { destinations });
  /** v1 is held and due to be read again; the store has v2, and takes its time. */
  const makeDue = async (beforeRead: () => Promise<void>) => {
    await platform.stage.identities.get('platform');
    platform.publish('v2', { destinations });
    platform.clock.aheadMs += 60_000;
    platform.shelf.beforeRead = beforeRead;
  };
  return { platform, url, makeDue };
}

const slowly = () => new Promise<void>((resolve) => setTimeout(resolve, 100));
const never = () => new Promise<void>(() => {});

describe('the first read of an identity', () => {
  it('that never ends is abandoned at the deadline', async () => {
    const { platform, url } = await setUp();
    platform.shelf.beforeRead = never;
    const { statusCode, body } = await platform.call({ url, timeoutMs: 300 });
    expect(statusCode).toBe(503);
    expect(body).toMatchObject({ code: 'identity-unavailable', evidence: { reason: 'timeout' }, retryable: true });
    expect(body.detail).toContain('300 ms');
    expect(platform.stage.lines.at(-1)).toMatchObject({ code: 'identity-unavailable', attempts: 0 });
  });
});

describe('a background read during a call', () => {
  it('has ended when the response is returned, because the process may be frozen then', async () => {
    const { platform, url, makeDue } = await setUp();
    await makeDue(slowly);
    expect((await platform.call({ url })).body.handshake.client.version).toBe('v1');
    expect(platform.stage.identities.get('platform')).toMatchObject({ version: 'v2' });
  });

  it('has ended also when the call fails', async () => {
    const { platform, makeDue } = await setUp();
    await makeDue(slowly);
    expect((await platform.call({ url: 'https://other.acme.example/' })).body.code).toBe('destination-forbidden');
    expect(platform.stage.identities.get('platform')).toMatchObject({ version: 'v2' });
  });

  it('that never ends does not delay the response', async () => {
    const { platform, url, makeDue } = await setUp();
    await makeDue(never);
    expect((await platform.call({ url, timeoutMs: 28_000 })).statusCode).toBe(200);
    expect((await platform.call({ url, timeoutMs: 300 })).statusCode).toBe(200);
    // Below the deadline of the first.
  }, 15_000);

  it('is awaited by one call, not by every call, while the store hangs', async () => {
    const hanging = new Promise<void>(() => {});
    const identities = { refreshing: () => hanging };
    await refreshBefore(deadlineIn(0), identities, 'platform');
    const first = refreshBefore(deadlineIn(10_000), identities, 'platform');
    expect(first).toBeInstanceOf(Promise);
    await first;
    expect(refreshBefore(deadlineIn(10_000), identities, 'platform')).toBeUndefined();
    const next = { refreshing: () => Promise.resolve() };
    expect(refreshBefore(deadlineIn(10_000), next, 'platform')).toBeInstanceOf(Promise);
  });

  it('has ended when the diagnosis is returned', async () => {
    const { platform, makeDue } = await setUp();
    await makeDue(slowly);
    const door = apiHandler(
      { docsUrl: 'https://docs.example/' },
      diagnosisRoute({ ...platform.stage, telemetry: noTelemetry }),
    );
    const event = invocationEvent({ url: 'https://other.acme.example/' }, 'platform');
    expect(await door(event, lambdaContext(29_000))).toMatchObject({ statusCode: 403 });
    expect(platform.stage.identities.get('platform')).toMatchObject({ version: 'v2' });
  });
});
