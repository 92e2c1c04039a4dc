// EST from a first certificate to its renewals, at a server that openssl signs for.
import { describe, expect, it } from 'vitest';
import { estIssuer } from '../../../core/issuers/est.ts';
import { type Authority, createAuthority } from '../../../local/authority/authority.ts';
import { type EstAnswer, startEstServer } from '../../support/issuers/est-server.ts';
import { type CurrentIdentity, enrolled, failureOf, issueByEst, orderOf, user } from '../../support/issuers/orders.ts';
import { findPeer } from '../../support/peers.ts';
import { expectUsable, openPipeline } from '../../support/rotation/rotation-pipeline.ts';

const names = ['dns:bot.example'];
const day = 86_400_000;

describe.skipIf(!findPeer('openssl'))('EST (needs openssl)', () => {
  describe('a first certificate', () => {
    it.each(['EC_P256', 'EC_P384', 'RSA_2048'] as const)(
      'for a key of %s, with the whole chain',
      async (keyAlgorithm) => {
        const server = await startEstServer({ user });
        const order = await orderOf({ names, keyAlgorithm, subject: 'CN=countersign-platform,O=Platform' });
        const { parts, leaf } = await enrolled(server, order, user);
        expect(leaf.subject).toContain('O=Platform');
        expect(parts.intermediateCertificates.trim()).toBe(server.issuer.certificate.trim());
        expect(parts.rootCertificate.trim()).toBe(server.root.certificate.trim());
        expect(server.requests.map(({ path }) => path)).toEqual([
          '/.well-known/est/cacerts',
          '/.well-known/est/simpleenroll',
        ]);
        // The password goes where it is needed and nowhere else.
        expect(server.requests[0]?.headers).not.toHaveProperty('authorization');
      },
    );

    it('is refused without the password', async () => {
      const server = await startEstServer({ user });
      const order = await orderOf({ names });
      const none = await failureOf(issueByEst(server, order));
      expect(none).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-401' } });
      const wrong = await failureOf(issueByEst(server, order, { ...user, password: 'another one' }), ['another one']);
      expect(wrong).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-401' } });
      await failureOf(issueByEst(server, order, { password: 'alone' }), ['alone']);
    });

    it('under a label', async () => {
      const server = await startEstServer({ user, label: 'clients' });
      const order = await orderOf({ names });
      await enrolled(server, order, { ...user, label: 'clients' });
      const error = await failureOf(issueByEst(server, order, { ...user, label: 'others' }));
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-404' } });
    });

    it.each([true, false])('in base64 with line breaks: %s', async (lines) => {
      await enrolled(await startEstServer({ user, lines }), await orderOf({ names }), user);
    });

    it('among unrelated authorities', async () => {
      const furtherAuthorities = [1, 2, 3]
        .map((nth) => createAuthority({ commonName: `Old root ${nth}` }).certificate)
        .join('');
      const server = await startEstServer({ user, furtherAuthorities });
      const { parts } = await enrolled(server, await orderOf({ names }), user);
      expect(parts.rootCertificate.trim()).toBe(server.root.certificate.trim());
    });
  });

  describe('a renewal', () => {
    it('is requested over mutual TLS, for a new key, without the password', async () => {
      const server = await startEstServer({ user });
      const { current, leaf: first } = await enrolled(server, await orderOf({ names }), user);
      server.requests.length = 0;
      const { leaf } = await enrolled(server, await orderOf({ current, keyAlgorithm: 'RSA_2048' }), user);
      expect(server.requests.map(({ path, client }) => [path, client])).toEqual([
        ['/.well-known/est/cacerts', undefined],
        ['/.well-known/est/simplereenroll', 'countersign-platform'],
      ]);
      expect(server.requests[1]?.headers).not.toHaveProperty('authorization');
      expect([leaf.subject, leaf.subjectAltName]).toEqual([first.subject, first.subjectAltName]);
      expect(leaf.publicKey.equals(first.publicKey)).toBe(false);
    });

    it('keeps the key with reuseKey', async () => {
      const server = await startEstServer({ user });
      const { current, leaf: first } = await enrolled(server, await orderOf({ names }), user);
      const { leaf } = await enrolled(server, await orderOf({ current, privateKey: current.privateKey }));
      expect(leaf.publicKey.equals(first.publicKey)).toBe(true);
    });

    it('with other names is an enrolment, with the certificate and the password', async () => {
      const server = await startEstServer({ user });
      const { current } = await enrolled(server, await orderOf({ names }), user);
      server.requests.length = 0;
      const { leaf } = await enrolled(server, await orderOf({ current, names: ['dns:other.example'] }), user);
      expect(leaf.subjectAltName).toBe('DNS:other.example');
      expect(server.requests.at(-1)).toMatchObject({
        path: '/.well-known/est/simpleenroll',
        client: 'countersign-platform',
        headers: { authorization: expect.stringContaining('Basic ') },
      });
    });

    it('of an expired certificate is an enrolment, with the password', async () => {
      const server = await startEstServer({ user });
      const dates = { notBefore: new Date(Date.now() - 10 * day), notAfter: new Date(Date.now() - day) };
      const current = madeBy(server.issuer, dates);
      const order = await orderOf({ current });
      const error = await failureOf(issueByEst(server, order), [current.privateKey]);
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-401' } });
      await enrolled(server, order, user);
    });

    it('presents the certificate for the authorities too if the server requires it', async () => {
      const server = await startEstServer({ demandsCertificate: true });
      const current = madeBy(server.issuer, { notBefore: new Date(), notAfter: new Date(Date.now() + 30 * day) });
      await enrolled(server, await orderOf({ current }));
      expect(server.requests.map(({ client }) => client)).toEqual(['countersign-platform', 'countersign-platform']);
    });
  });

  describe('202', () => {
    const now = Date.UTC(2026, 10, 22, 12, 0, 0);

    it.each([
      ['5', 5_000],
      ['Sun, 22 Nov 2026 12:00:30 GMT', 30_000],
      ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
      ['60', 60_000],
    ])('with Retry-After: %s is awaited, and the same request is sent again', async (retryAfter, ms) => {
      const firstAnswers: EstAnswer[] = [];
      const server = await startEstServer({ user, firstAnswers });
      const { current } = await enrolled(server, await orderOf({ names }), user);
      for (const order of [await orderOf({ names }), await orderOf({ current })]) {
        server.requests.length = 0;
        firstAnswers.push(pending(retryAfter), pending(retryAfter));
        const waits: number[] = [];
        await enrolled(server, order, user, { now: () => now, wait: async (pause) => waits.push(pause) });
        expect(waits).toEqual([ms, ms]);
        const [, first, ...again] = server.requests;
        expect(again).toEqual([first, first]);
      }
    });

    it.each([
      ['a day', '86400', 86_400],
      ['nothing', undefined, undefined],
      ['not a time', 'soon', undefined],
      ['less than nothing', '-5', undefined],
    ])('with Retry-After of %s leaves the request to be signed', async (_, retryAfter, retryAfterSeconds) => {
      const server = await startEstServer({ user, firstAnswers: [pending(retryAfter)] });
      const error = await failureOf(issueByEst(server, await orderOf({ names }), user), [user.password]);
      expect(error).toMatchObject({ code: 'signature-awaited', retryable: true, evidence: { reason: 'http-202' } });
      expect(error.evidence?.retryAfterSeconds).toBe(retryAfterSeconds);
      expect(server.requests).toHaveLength(2);
    });

    it('ends with the time of the order', async () => {
      const over = new AbortController();
      const server = await startEstServer({ user, firstAnswers: [pending('30')] });
      const order = await orderOf({ names, signal: over.signal });
      const wait = (_: number, signal: AbortSignal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          over.abort();
        });
      expect((await failureOf(issueByEst(server, order, user, { wait }))).code).toBe('signature-awaited');
    });
  });

  describe('a redirect', () => {
    it.each([301, 302, 307, 308])(
      '(%i) inside the server is followed, with everything that was sent',
      async (status) => {
        const location = '/.well-known/est/simpleenroll?authority=clients';
        const server = await startEstServer({ user, firstAnswers: [{ status, headers: { location } }] });
        const error = await failureOf(issueByEst(server, await orderOf({ names }), user));
        // The stand-in knows no queries.
        expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-404' } });
        const [, first, second] = server.requests;
        expect(second).toEqual({ ...first, path: location });
      },
    );

    it.each([
      ['to another port', 'https://localhost:1/.well-known/est/simpleenroll'],
      ['to another host', 'https://est.example/.well-known/est/simpleenroll'],
      ['to plain HTTP', 'http://localhost/.well-known/est/simpleenroll'],
      ['to nowhere', 'https://'],
    ])('%s is not followed', async (_, location) => {
      const server = await startEstServer({ user, firstAnswers: [{ status: 307, headers: { location } }] });
      const error = await failureOf(issueByEst(server, await orderOf({ names }), user), [user.password]);
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-307' } });
    });

    it('is followed three times', async () => {
      const again = { status: 307, headers: { location: '/.well-known/est/simpleenroll' } };
      const server = await startEstServer({ user, firstAnswers: Array(10).fill(again) });
      const error = await failureOf(issueByEst(server, await orderOf({ names }), user));
      expect(error.code).toBe('issuer-refused');
      expect(server.requests).toHaveLength(1 + 4);
    });
  });

  it('rotates an identity from the empty secret on', async () => {
    const server = await startEstServer({ user });
    const pipeline = await openPipeline();
    const issuer = { kind: 'est', url: server.url, roots: server.root.certificate };
    const password = { username: user.name, password: user.password };
    const renewal = { issuer: { ...issuer, ...password }, subject: 'CN=bot-platform', names };
    await pipeline.create('acme', undefined);
    await pipeline.run(await pipeline.rotateSecret('acme'), { renewals: { acme: renewal } });
    const first = await pipeline.value('acme');
    // From now on without the password.
    await pipeline.run(await pipeline.rotateSecret('acme'), { renewals: { acme: { ...renewal, issuer } } });
    const second = await pipeline.value('acme');
    expectUsable(second);
    expect(second.privateKey).not.toBe(first.privateKey);
    expect(server.requests.at(-1)).toMatchObject({ path: '/.well-known/est/simplereenroll', client: 'bot-platform' });
  });

  it('HTTP Digest is reported as not supported', async () => {
    const challenge = { status: 401, headers: { 'www-authenticate': 'Digest realm="est", nonce="1"' } };
    const server = await startEstServer({ user, firstAnswers: [challenge] });
    const error = await failureOf(issueByEst(server, await orderOf({ names }), user));
    expect(error).toMatchObject({ code: 'issuer-refused', message: expect.stringContaining('Digest') });
  });

  it.each([
    ['a path in the URL', { url: 'https://localhost/est' }],
    ['a query in the URL', { url: 'https://localhost/?a=b' }],
    ['a password in the URL', { url: 'https://platform:secret-of-the-url@localhost/' }],
    ['roots that are no certificates', { roots: 'CERTIFICATE' }],
    ['a name with a colon', { username: 'a:b', password: 'c' }],
  ])('settings with %s are rejected before anything is sent', async (_, settings) => {
    const roots = createAuthority({ commonName: 'EST root' }).certificate;
    const issue = async () => estIssuer({ kind: 'est', url: 'https://localhost/', roots, ...settings });
    expect((await failureOf(issue(), ['secret-of-the-url'])).code).toBe('renewal-unusable');
  });
});

function pending(retryAfter: string | undefined): EstAnswer {
  return { status: 202, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } };
}

function madeBy(authority: Authority, dates: { notBefore: Date; notAfter: Date }): CurrentIdentity {
  const issued = authority.issue({ commonName: 'countersign-platform', names: ['bot.example'], ...dates });
  const { certificate, privateKey, intermediates, root } = issued;
  return { certificate, privateKey, intermediateCertificates: intermediates, rootCertificate: root };
}
