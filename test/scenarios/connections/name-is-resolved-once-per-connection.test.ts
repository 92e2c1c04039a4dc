// The connection goes to an address that was checked, under the name that was called; a reused one asks no resolver.
import { describe, expect, it } from 'vitest';
import { tap } from '../../support/connections/client-hello.ts';
import { destinationAt, newServer, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();

/** A resolver that gives these answers in turn, the last one for ever. */
function resolver(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const lookup = async (host: string) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(host);
    return answer.map((address) => ({ address }));
  };
  return { asked, lookup };
}

it('SNI and Host contain the name, not the address', async () => {
  const api = await startApi(authorities);
  const wire = await tap(api.port);
  const { asked, lookup } = resolver(['127.0.0.1']);
  const platform = openPlatform(authorities, { lookup });
  platform.publish('v1', { destinations: [destinationAt(wire, authorities)] });
  const { body } = await platform.call({ url: `https://API.acme.example:${wire.port}/path?q=1` });
  expect(JSON.parse(body.body)).toMatchObject({ host: `api.acme.example:${wire.port}` });
  expect(wire.hellos).toMatchObject([{ serverName: 'api.acme.example' }]);
  expect(asked).toEqual(['api.acme.example']);
});

it('SNI and Host contain the serverName of the destination; the resolver gets the host', async () => {
  const api = await startApi(authorities);
  const wire = await tap(api.port);
  const { asked, lookup } = resolver(['127.0.0.1']);
  const platform = openPlatform(authorities, { lookup });
  const destination = destinationAt(wire, authorities, { host: 'internal.test', serverName: 'api.acme.example' });
  platform.publish('v1', { destinations: [destination] });
  const { body } = await platform.call({ url: `https://internal.test:${wire.port}/` });
  expect(JSON.parse(body.body)).toMatchObject({ host: `api.acme.example:${wire.port}` });
  expect(wire.hellos).toMatchObject([{ serverName: 'api.acme.example' }]);
  expect(asked).toEqual(['internal.test']);
});

it('an address as host is connected to without a resolver and without SNI', async () => {
  const api = await startApi(authorities, { server: newServer(authorities) });
  const wire = await tap(api.port);
  const { asked, lookup } = resolver([]);
  const platform = openPlatform(authorities, { lookup });
  platform.publish('v1', { destinations: [destinationAt(wire, authorities, { host: '127.0.0.1' })] });
  const { body } = await platform.call({ url: `https://127.0.0.1:${wire.port}/` });
  expect(JSON.parse(body.body)).toMatchObject({ host: `127.0.0.1:${wire.port}` });
  expect(wire.hellos).toMatchObject([{ serverName: undefined }]);
  expect(asked).toEqual([]);
});

it('a name is resolved for each new connection, once for concurrent ones, and never for a reused one', async () => {
  const api = await startApi(authorities);
  const { asked, lookup } = resolver(['127.0.0.1']);
  const platform = openPlatform(authorities, { lookup });
  platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
  const request = { url: `https://api.acme.example:${api.port}/` };
  for (let call = 0; call < 10; call++) await platform.call(request);
  expect(asked).toHaveLength(1);
  await api.closeConnections();
  await platform.call(request);
  expect(asked).toHaveLength(2);
  await Promise.all(Array.from({ length: 10 }, () => platform.call(request)));
  // Connections that open at the same moment share a look-up.
  expect(asked.length).toBeGreaterThan(2);
  expect(asked.length).toBeLessThan(api.connections.length);
});

describe('a DNS answer that changes', () => {
  it('does not lead a new connection to a forbidden address', async () => {
    const api = await startApi(authorities);
    const { asked, lookup } = resolver(['127.0.0.1'], ['169.254.169.254'], ['127.0.0.1', '10.0.0.1', '0.0.0.0']);
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const request = { url: `https://api.acme.example:${api.port}/` };
    expect((await platform.call(request)).statusCode).toBe(200);
    // The connection that stands leads to the address that was checked.
    expect((await platform.call(request)).body.handshake.connection).toBe('reused');
    for (let answer = 0; answer < 2; answer++) {
      await api.closeConnections();
      expect((await platform.call(request)).body).toMatchObject({
        code: 'destination-forbidden',
        evidence: { addressClass: expect.any(String), version: expect.any(String) },
      });
    }
    expect(asked).toHaveLength(3);
    expect(api.connections).toHaveLength(1);
  });

  it('is not requested again between the check and the connection', async () => {
    const api = await startApi(authorities);
    const { asked, lookup } = resolver(['127.0.0.1'], ['127.0.0.2']);
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    // Nothing listens on 127.0.0.2: a second answer would end in a refusal.
    expect((await platform.call({ url: `https://api.acme.example:${api.port}/` })).statusCode).toBe(200);
    expect(asked).toHaveLength(1);
  });

  it('is checked again when a dead connection is replaced', async () => {
    const api = await startApi(authorities);
    const { lookup } = resolver(['127.0.0.1'], ['169.254.169.254']);
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const request = { url: `https://api.acme.example:${api.port}/` };
    await platform.call(request);
    api.answerWith((incoming) => incoming.socket.destroy());
    expect((await platform.call(request)).body.code).toBe('destination-forbidden');
    expect(platform.attempts()).toEqual([1, 2]);
  });
});
