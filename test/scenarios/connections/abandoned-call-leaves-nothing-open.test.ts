// The deadline ends a call in any phase: what was under way is closed, also what only comes about afterwards.
import { describe, expect, it } from 'vitest';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { openPlatform } from '../../support/connections/platform.ts';
import { serveTcp } from '../../support/servers.ts';
import { createAuthorities } from '../../support/stage.ts';

const authorities = createAuthorities();
const timeoutMs = 150;

describe('a resolver that answers after the deadline', () => {
  it.each([
    ['with an address', [{ address: '127.0.0.1' }]],
    ['with one that is not allowed', [{ address: '169.254.169.254' }]],
    ['with nothing', []],
  ])('%s opens no connection', async (_what, addresses) => {
    const api = await startApi(authorities);
    let answer = () => {};
    const lookup = () =>
      new Promise<{ address: string }[]>((resolve) => {
        answer = () => resolve(addresses);
      });
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const { body } = await platform.call({ url: `https://api.acme.example:${api.port}/`, timeoutMs });
    expect(body).toMatchObject({ code: 'name-resolution-failed', evidence: { phase: 'resolve' } });
    answer();
    await new Promise(setImmediate);
    await nothingIsOpen();
    expect(api.arrived).toBe(0);
  });

  it('with an error does not end the process', async () => {
    let fail = () => {};
    const lookup = () =>
      new Promise<never>((_resolve, reject) => {
        fail = () => reject(Object.assign(new Error('late'), { code: 'ENOTFOUND' }));
      });
    const platform = openPlatform(authorities, { lookup });
    platform.publish('v1', { destinations: [destinationAt({ port: 443 }, authorities)] });
    const { body } = await platform.call({ url: 'https://api.acme.example/', timeoutMs });
    expect(body.code).toBe('name-resolution-failed');
    fail();
    await nothingIsOpen();
  });
});

it('a handshake that never ends is closed at the deadline, and its sessions are not used', async () => {
  const server = await serveTcp(() => {});
  const platform = openPlatform(authorities);
  platform.publish('v1', { destinations: [destinationAt(server, authorities)] });
  const request = { url: `https://api.acme.example:${server.port}/`, timeoutMs };
  const replies = await Promise.all(Array.from({ length: 10 }, () => platform.call(request)));
  for (const { body } of replies) expect(body.code).toBe('handshake-timeout');
  expect(platform.stage.pool.openConnections).toBe(0);
  await nothingIsOpen();
});

describe('a call to an API that', () => {
  it.each([
    ['never answers', () => {}],
    ['never ends its answer', (response: { write(text: string): unknown }) => response.write('beginning')],
  ])('%s ends at the deadline, and its connection is not used again', async (_what, answer) => {
    const api = await startApi(authorities, { answer: (_request, response) => answer(response) });
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const request = { url: `https://api.acme.example:${api.port}/`, timeoutMs };
    for (const method of ['GET', 'POST']) {
      expect((await platform.call({ ...request, method })).body.code).toBe('response-timeout');
      await expect.poll(() => platform.stage.pool.openConnections).toBe(0);
      await nothingIsOpen();
    }
    expect(platform.attempts()).toEqual([1, 1]);
  });

  it('answers early does not send the rest of the request', async () => {
    const api = await startApi(authorities, {
      answer: (request, response) => {
        request.pause();
        response.writeHead(413).end('too much');
      },
      highWaterMark: 1024,
    });
    const platform = openPlatform(authorities);
    platform.publish('v1', { destinations: [destinationAt(api, authorities)] });
    const url = `https://api.acme.example:${api.port}/`;
    const reply = await platform.call({ url, method: 'POST', body: 'x'.repeat(4_000_000) });
    expect(reply.body).toMatchObject({ status: 413, body: 'too much' });
    await expect.poll(() => platform.stage.pool.openConnections).toBe(0);
  });
});

/** The servers of these tests run in this process too: their side ends when ours does. */
async function nothingIsOpen(): Promise<void> {
  const open = () =>
    process.getActiveResourcesInfo().filter((name) => /^(TCPSocket|TCPConnect|TLS)Wrap$/.test(name)).length;
  await expect.poll(open, { timeout: 5000, interval: 5 }).toBe(0);
}
