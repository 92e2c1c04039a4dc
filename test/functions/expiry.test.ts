// The door as Lambda calls it: the prefix of the settings, Secrets Manager, the real time, and no answer.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from 'aws-lambda';
import { expect, it, onTestFinished, vi } from 'vitest';
import { secretList } from '../../core/versions/secret-list.ts';
import { telemetry } from '../../functions/telemetry.ts';
import { makeChain, makeKeys } from '../support/identity/identities.ts';
import { day, type Line, lastOf, openStore, prefix, useStore } from '../support/inspection/inspection.ts';

it('logs each identity, and returns nothing', async () => {
  const { put } = await openStore();
  await put('platform', makeKeys(makeChain(), { notAfter: new Date(Date.now() + 20.05 * day) }));
  vi.stubEnv('COUNTERSIGN_SECRET_PREFIX', prefix);
  const lines: Line[] = [];
  vi.spyOn(telemetry, 'write').mockImplementation((line) => lines.push(JSON.parse(line) as Line));
  const { handler } = await import('../../functions/expiry.ts');
  const context = { awsRequestId: 'r-1', getRemainingTimeInMillis: () => 300_000 } as Context;
  expect(await handler({}, context)).toBeUndefined();
  expect(lastOf(lines)).toMatchObject({ IdentitiesInspected: 1, BrokenIdentities: 0, DaysToExpiry: 20 });
});

it('lists the secrets under the prefix, not those of the whole account', async () => {
  let asked = '';
  const server = createServer(async (request, response) => {
    for await (const part of request) asked += part;
    response.setHeader('content-type', 'application/x-amz-json-1.1').end('{"SecretList":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  useStore(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  expect(await secretList('bots/mtls/').all()).toEqual([]);
  expect(JSON.parse(asked)).toEqual({ Filters: [{ Key: 'name', Values: ['bots/mtls/'] }], MaxResults: 100 });
});
