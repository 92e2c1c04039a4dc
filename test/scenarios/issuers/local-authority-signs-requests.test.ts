// The demo's authority over loopback HTTP and the issuer that asks it: one chain for one order, and every refusal said.
import { X509Certificate } from 'node:crypto';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { keyAlgorithms } from '../../../core/identity/renewal.ts';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { usableParts } from '../../../core/issuers/check-issued.ts';
import type { SigningOrder } from '../../../core/issuers/issuer.ts';
import { localIssuer } from '../../../core/issuers/local.ts';
import { manualIssuer, openIssuer } from '../../../core/issuers/open-issuer.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { type AuthorityServer, startAuthority } from '../../../local/authority/server.ts';
import { failureOf } from '../../support/identity/identities.ts';

const day = 86_400_000;
const hour = 3_600_000;
const now = Date.now();
const authority = createAuthority({ commonName: 'Root' }).intermediate({ commonName: 'Issuer' });
const privateKey = await newPrivateKey('EC_P256');
const pem = certificateRequest({ privateKey, subject: 'CN=bot,O=Acme', names: ['dns:bot.acme.example'] });

function orderOf(change: Partial<SigningOrder> = {}): SigningOrder {
  return {
    identity: 'bot',
    certificateRequest: pem,
    idempotencyToken: 'a'.repeat(64),
    currentLifetimeDays: undefined,
    current: undefined,
    signal: new AbortController().signal,
    ...change,
  };
}

async function start(by = authority): Promise<AuthorityServer> {
  const server = await startAuthority({ authority: by, port: 0, now: () => now });
  onTestFinished(() => server.close());
  return server;
}

describe('the local authority', () => {
  it.each(keyAlgorithms)('certifies a key of %s', async (algorithm) => {
    const { url } = await start();
    const key = await newPrivateKey(algorithm);
    const request = certificateRequest({
      privateKey: key,
      subject: 'CN=b\\C3\\B6t+emailAddress=a@b.c,C=DE',
      names: ['uri:spiffe://a/b'],
    });
    const issuer = await openIssuer({ kind: 'local', url });
    const issued = await issuer.issue(orderOf({ certificateRequest: request }));
    const parts = usableParts(issued, { identity: 'bot', privateKey: key, certificateRequest: request, now });
    expect(parts.intermediateCertificates).toBe(authority.certificate);
    expect(parts.rootCertificate).toBe(authority.root);
    const leaf = new X509Certificate(parts.certificate);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(leaf.validFromDate.getTime()).toBe(Math.floor((now - hour) / 1000) * 1000);
    expect(leaf.validToDate.getTime()).toBe(Math.floor((now + 90 * day) / 1000) * 1000);
  });

  it('signs once for one token, and again for another; a token for another request is refused', async () => {
    const server = await start();
    const issuer = localIssuer({ kind: 'local', url: server.url });
    const first = await issuer.issue(orderOf());
    expect(await issuer.issue(orderOf())).toEqual(first);
    expect(server.signed).toBe(1);
    expect(await issuer.issue(orderOf({ idempotencyToken: 'b'.repeat(64) }))).not.toEqual(first);
    const other = certificateRequest({ privateKey, subject: 'CN=other' });
    expect((await failureOf(() => issuer.issue(orderOf({ certificateRequest: other })))).evidence).toEqual({
      reason: 'http-409',
    });
    expect(server.signed).toBe(2);
  });

  it('issues for as many days as the current certificate has, or as the renewal says', async () => {
    const { url } = await start();
    const endOf = async (issuer: ReturnType<typeof localIssuer>, token: string) => {
      const { certificates } = await issuer.issue(
        orderOf({ idempotencyToken: token.repeat(64), currentLifetimeDays: 10 }),
      );
      return Math.round((new X509Certificate(certificates).validToDate.getTime() - now) / day);
    };
    expect(await endOf(localIssuer({ kind: 'local', url }), 'a')).toBe(10);
    expect(await endOf(localIssuer({ kind: 'local', url, validityDays: 20 }), 'b')).toBe(20);
  });

  it('refuses what it cannot sign', async () => {
    const ending = createAuthority({ commonName: 'Ending', notAfter: new Date(now + 5 * day) });
    const { url } = await start(ending);
    const post = async (body: string, query = '', headers: Record<string, string> = {}) =>
      (await fetch(url + query, { method: 'POST', body, headers })).status;
    expect(await post(pem, '?days=4')).toBe(201);
    expect(await post(pem, '?days=6')).toBe(422);
    for (const days of ['0', '-1', '1.5', '3651', 'x', '1e9']) expect(await post(pem, `?days=${days}`)).toBe(400);
    for (const body of ['', 'x', authority.certificate, pem.slice(0, 100)]) expect(await post(body)).toBe(400);
    const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
    der.write('Emca', der.indexOf('Acme'));
    const tampered = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(await post(tampered, '?days=4')).toBe(422);
    expect(await post('x'.repeat(65_537))).toBe(413);
    expect(await post(pem, '?days=4', { origin: 'https://evil.example' })).toBe(403);
    expect((await fetch(url)).status).toBe(405);
    expect((await fetch(new URL('/', url), { method: 'POST' })).status).toBe(404);
    expect(await statusOf(url, 'evil.example')).toBe(403);
  });
});

/** fetch sets the Host header. */
function statusOf(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end(pem);
  });
}

describe('the issuer kind local', () => {
  it.each([
    'https://127.0.0.1:1/certificates',
    'http://10.0.0.1/certificates',
    'http://authority.localhost:1/certificates',
    'http://localhost.evil.example/',
    'http://127.0.0.1.evil.example/',
    'http://user:SECRET@127.0.0.1/',
    'http://[::2]/',
    'ftp://127.0.0.1/',
    'SECRET',
  ])('connects only to loopback over http: %s', async (url) => {
    const failure = await failureOf(() => localIssuer({ kind: 'local', url }));
    expect([failure.code, failure.evidence]).toEqual(['renewal-unusable', { reason: 'not-loopback' }]);
    expect(failure.message).not.toContain('SECRET');
  });

  it.each<[string, (response: import('node:http').ServerResponse) => void, string, string]>([
    ['refuses', (response) => response.writeHead(422).end('SECRET'), 'issuer-refused', 'http-422'],
    ['is broken', (response) => response.writeHead(500).end('SECRET'), 'issuer-unavailable', 'http-500'],
    [
      'sends elsewhere',
      (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'issuer-unavailable',
      'Error',
    ],
    [
      'floods',
      (response) => void response.writeHead(201).write('x'.repeat(70_000)),
      'issued-certificate-unusable',
      'answer-too-large',
    ],
    ['breaks off', (response) => void response.socket?.destroy(), 'issuer-unavailable', 'UND_ERR_SOCKET'],
  ])('reports an authority that %s', async (_, answer, code, reason) => {
    const server = createServer((request, response) => {
      request.resume();
      answer(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const failure = await failureOf(() => localIssuer({ kind: 'local', url }).issue(orderOf()));
    expect([failure.code, failure.evidence?.reason]).toEqual([code, reason]);
    expect(JSON.stringify([failure.message, failure.evidence, failure.cause])).not.toContain('SECRET');
  });

  it('fails with issuer-unavailable if no server answers, or if the time is over', async () => {
    const server = await start();
    const issuer = localIssuer({ kind: 'local', url: server.url });
    const over = await failureOf(() => issuer.issue(orderOf({ signal: AbortSignal.abort() })));
    expect([over.code, over.evidence]).toEqual(['issuer-unavailable', { reason: 'timeout' }]);
    await server.close();
    const gone = await failureOf(() => issuer.issue(orderOf()));
    expect([gone.code, gone.retryable, gone.evidence]).toEqual([
      'issuer-unavailable',
      true,
      { reason: 'ECONNREFUSED' },
    ]);
  });
});

describe('the issuer kind manual', () => {
  it('waits for the certificate', async () => {
    const failure = await failureOf(() => manualIssuer().issue(orderOf()));
    expect([failure.code, failure.retryable, failure.status]).toEqual(['signature-awaited', true, 409]);
    expect(failure.hint).toContain('docs/issuers.md');
  });
});
