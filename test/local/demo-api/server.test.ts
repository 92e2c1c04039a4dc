// The demo API: its healthy host answers whom it trusts, each other host fails in the way it is named for.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import type { DemoAuthorities } from '../../../local/demo-api/authorities.ts';
import { type DemoApi, startDemoApi } from '../../../local/demo-api/server.ts';

const authorities: DemoAuthorities = {
  customer: createAuthority({ commonName: 'customer' }),
  platform: createAuthority({ commonName: 'root' }).intermediate({ commonName: 'intermediate' }),
};
let api: DemoApi;
let identity: IssuedCertificate;

beforeAll(async () => {
  api = await startDemoApi(authorities, 0);
  identity = authorities.platform.issue({ commonName: 'platform', usage: 'client' });
});
afterAll(() => api.close());

function portOf(name: string): number {
  const host = api.hosts.find((candidate) => candidate.host === `${name}.demo.localhost`);
  if (!host) throw new Error(`No demo host ${name}.`);
  return host.port;
}

interface Call {
  readonly path?: string;
  readonly method?: string;
  readonly body?: string;
  readonly tls?: ConnectionOptions;
  /** Of another demo API. */
  readonly port?: number;
}

async function call(name: string, { path = '/echo', method = 'GET', body, tls, port = portOf(name) }: Call = {}) {
  const host = `${name}.demo.localhost`;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const agent = new Agent({
    ca: authorities.customer.certificate,
    cert: identity.certificate + identity.intermediates,
    key: identity.privateKey,
    ...tls,
  });
  const target = { host: '127.0.0.1', port, servername: host, path, method, agent, headers: { host } };
  httpsRequest(target, resolve).once('error', reject).end(body);
  try {
    const answer = await promise;
    return { status: answer.statusCode, answer: JSON.parse(await text(answer)) };
  } finally {
    agent.destroy();
  }
}

describe('the host healthy', () => {
  it('returns the balance of an account, the same at each call', async () => {
    const first = await call('accounts', { path: '/v1/accounts/1/balance?currency=EUR' });
    expect(first).toEqual({ status: 200, answer: { account: '1', balance: expect.any(String), currency: 'EUR' } });
    expect(await call('accounts', { path: '/v1/accounts/1/balance' })).toEqual(first);
    expect((await call('accounts', { path: '/v1/accounts/2/balance' })).answer).not.toEqual(first.answer);
  });

  it('returns the request and its client certificate', async () => {
    const { answer } = await call('accounts', { path: '/echo?a=1', method: 'POST', body: 'hello' });
    expect(answer).toMatchObject({
      method: 'POST',
      path: '/echo?a=1',
      headers: { host: 'accounts.demo.localhost' },
      body: { bytes: 5, sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' },
      client: { subject: 'CN=platform' },
    });
  });

  it('returns 404 and 405 for unknown paths and methods', async () => {
    expect((await call('accounts', { path: '/v1/accounts/../balance' })).status).toBe(404);
    expect((await call('accounts', { path: '/v1/accounts/1/balance', method: 'DELETE' })).status).toBe(405);
  });

  it.each([
    ['no certificate', () => ({})],
    ['a certificate of another authority', () => createAuthority({ commonName: 'x' }).issue({ commonName: 'x' })],
  ])('rejects %s', async (_, make) => {
    const { certificate: cert, privateKey: key } = { certificate: undefined, privateKey: undefined, ...make() };
    await expect(call('accounts', { tls: { cert, key } })).rejects.toThrow(
      /socket hang up|ECONNRESET|certificate required/,
    );
  });
});

describe('the host with a pinned client certificate', () => {
  it('accepts only the pinned certificate, and sends no byte to others', async () => {
    const own = await startDemoApi(authorities, 0);
    const port = own.hosts.find(({ host }) => host === 'pins.demo.localhost')?.port ?? 0;
    const other = authorities.platform.issue({ commonName: 'platform', usage: 'client' });
    const asOther = { cert: other.certificate + other.intermediates, key: other.privateKey };
    try {
      expect((await call('pins', { port, tls: asOther })).status).toBe(200);
      own.pinClient(new X509Certificate(identity.certificate).fingerprint256);
      expect((await call('pins', { port })).status).toBe(200);
      await expect(call('pins', { port, tls: asOther })).rejects.toThrow(/socket hang up|ECONNRESET/);
    } finally {
      await own.close();
    }
  });
});

it('the open connections of a host are counted by client certificate', async () => {
  const { fingerprint256 } = new X509Certificate(identity.certificate);
  const agent = new Agent({
    ca: authorities.customer.certificate,
    cert: identity.certificate + identity.intermediates,
    key: identity.privateKey,
    keepAlive: true,
  });
  const host = 'accounts.demo.localhost';
  const open = () => api.openConnections(host, fingerprint256);
  await vi.waitFor(() => expect(open()).toBe(0), 10_000);
  const target = { host: '127.0.0.1', port: portOf('accounts'), servername: host, path: '/echo', agent };
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  httpsRequest(target, resolve).end();
  await text(await promise);
  expect([open(), api.openConnections('one-way.demo.localhost', fingerprint256)]).toEqual([1, 0]);
  expect(api.openConnections(host, 'AB:CD')).toBe(0);
  agent.destroy();
  await vi.waitFor(() => expect(open()).toBe(0), 10_000);
});

describe('the failing hosts', () => {
  it.each([
    ['expired', { code: 'CERT_HAS_EXPIRED' }],
    ['unknown-ca', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }],
    ['wrong-name', { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }],
    ['rejects', { message: expect.stringMatching(/socket hang up|ECONNRESET/) }],
    ['rejects-tls12', { code: 'ECONNRESET' }],
    ['plain', { code: 'EPROTO' }],
  ])('%s fails as documented', async (name, error) => {
    await expect(call(name)).rejects.toMatchObject(error);
  });

  it('one-way responds without requesting a client certificate', async () => {
    const { status, answer } = await call('one-way');
    expect([status, answer.client]).toEqual([200, undefined]);
  });

  it('plain responds with plain HTTP', async () => {
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
    httpRequest({ host: '127.0.0.1', port: portOf('plain'), path: '/echo', agent: false }, resolve).end();
    expect((await promise).statusCode).toBe(200);
  });

  it('silent accepts, sends nothing, and closes when the API closes', async () => {
    const own = await startDemoApi(authorities, 0);
    const port = own.hosts.find((host) => host.behaviour.kind === 'silent')?.port ?? 0;
    const socket = connect(port, '127.0.0.1');
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('anything');
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await own.close();
    await closed;
    expect(received).toBe(0);
  });
});

it('the error for a port in use names its host, and no server stays open', async () => {
  const taken = portOf('expired');
  await expect(startDemoApi(authorities, taken)).rejects.toThrow(
    `Port ${taken}, which accounts.demo.localhost of the demo API needs, is in use: ` +
      'stop the program that uses it, or choose another with --api-port.',
  );
});
