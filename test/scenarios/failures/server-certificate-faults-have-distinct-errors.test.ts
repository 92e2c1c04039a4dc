// Step 3: dates, trust, names, usage and strength of the server's certificate, each told apart, in both TLS versions.
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CertificateRequest, IssuedCertificate } from '../../../local/authority/authority.ts';
import { createAuthority, openAuthority } from '../../../local/authority/authority.ts';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { hasIpv6, serveHttps } from '../../support/servers.ts';
import { type CallOptions, serverNames, useTrial } from '../../support/trial.ts';

const trial = useTrial();
const day = 86_400_000;
const past = { notBefore: new Date(Date.now() - 20 * day), notAfter: new Date(Date.now() - 10 * day) };
const future = { notBefore: new Date(Date.now() + 10 * day), notAfter: new Date(Date.now() + 20 * day) };

/** A server of ours that shows the certificate; no byte of a request may reach it. */
async function refused(code: Parameters<typeof trial.fails>[0], shown: IssuedCertificate, options: CallOptions = {}) {
  const server = await serveHttps(shown, (socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
  const problem = await trial.fails(code, server.port, options);
  expect(server.received()).toBe('');
  expect(problem.retryable).toBe(false);
  return problem;
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s, the call fails for a certificate', (version) => {
  const destination = { minTlsVersion: version, maxTlsVersion: version };
  const below = (issuer: Partial<CertificateRequest>) =>
    trial.customerRoot
      .intermediate({ commonName: 'Customer Issuer', ...issuer })
      .issue({ commonName: 'api', names: serverNames, usage: 'server' });

  it('that expired', async () => {
    const problem = await refused('server-certificate-expired', trial.serverWith(past), { destination });
    expect(problem.detail).toBe(
      `The certificate of the API server (CN=api) expired on ${problem.evidence.validTo.slice(0, 19)}.000Z.`,
    );
    expect(problem.evidence).toMatchObject({ reason: 'CERT_HAS_EXPIRED', subject: 'CN=api' });
  });

  it('that is not valid yet', async () => {
    const problem = await refused('server-certificate-expired', trial.serverWith(future), { destination });
    expect(problem.detail).toMatch(/is not valid before/);
    expect(problem.evidence).toMatchObject({ reason: 'CERT_NOT_YET_VALID' });
  });

  it.each([
    ['expired', past],
    ['is not valid yet', future],
  ])('whose intermediate %s', async (_what, dates) => {
    const problem = await refused('server-certificate-expired', below(dates), { destination });
    expect(problem.evidence.subject).toBe('CN=Customer Issuer');
  });

  it('of an authority that is not trusted', async () => {
    const stranger = createAuthority({ commonName: 'Stranger Root' }).issue({ commonName: 'api', names: serverNames });
    const problem = await refused('server-certificate-untrusted', stranger, { destination });
    expect(problem.evidence).toMatchObject({ subject: 'CN=api', issuer: 'CN=Stranger Root' });
  });

  it('of an untrusted authority whose root is served as well', async () => {
    const root = createAuthority({ commonName: 'Stranger Root' });
    const leaf = root.issue({ commonName: 'api', names: serverNames });
    const problem = await refused(
      'server-certificate-untrusted',
      { ...leaf, intermediates: root.certificate },
      { destination },
    );
    expect(problem.evidence.reason).toBe('SELF_SIGNED_CERT_IN_CHAIN');
  });

  it('of an authority that only has the name of the trusted one', async () => {
    const impostor = createAuthority({ commonName: 'Customer Root' }).issue({ commonName: 'api', names: serverNames });
    await refused('server-certificate-untrusted', impostor, { destination });
  });

  it('that is self-signed', async () => {
    const { privateKey, ...own } = createAuthority({ commonName: 'localhost' });
    const self = openAuthority(own.certificate, privateKey).issue({
      commonName: 'localhost',
      names: ['localhost'],
      privateKey,
    });
    const problem = await refused('server-certificate-untrusted', self, { destination });
    expect(problem.evidence.reason).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  it('without its intermediate', async () => {
    const problem = await refused('server-certificate-untrusted', { ...below({}), intermediates: '' }, { destination });
    expect(problem.hint).toMatch(/complete chain/);
  });

  it('below a public root if the destination has serverRoots, and below serverRoots of another destination', async () => {
    // No public authority signed it: without serverRoots, Node's bundled roots are asked.
    await refused('server-certificate-untrusted', trial.server, {
      destination: { ...destination, serverRoots: undefined },
    });
  });

  it('for another name', async () => {
    const other = trial.serverWith({ names: ['api.acme.example', '192.0.2.7'] });
    const problem = await refused('server-certificate-name-mismatch', other, { destination });
    expect(problem.evidence).toEqual({
      expected: 'localhost',
      names: ['DNS:api.acme.example', 'IP Address:192.0.2.7'],
    });
  });

  it.each([
    ['a wildcard for the label above', { names: ['*.localhost'] }],
    ['only the common name', { commonName: 'localhost', names: [] }],
    ['no name at all', { names: [] }],
    ['the host in an address', { names: ['127.0.0.1'] }],
  ])('with %s', async (_what, request) => {
    await refused('server-certificate-name-mismatch', trial.serverWith(request), { destination });
  });

  it('for another IPv4 address, or for the address as a name', async () => {
    const host = '127.0.0.1';
    await refused('server-certificate-name-mismatch', trial.serverWith({ names: ['127.0.0.2'] }), {
      destination,
      host,
    });
    await refused('server-certificate-name-mismatch', trial.serverWith({ names: ['localhost'] }), {
      destination,
      host,
    });
    const common = { commonName: host, names: [] };
    await refused('server-certificate-name-mismatch', trial.serverWith(common), { destination, host });
  });

  it('for another name than the serverName of the destination', async () => {
    const named = { ...destination, serverName: 'api.acme.example' };
    await refused('server-certificate-name-mismatch', trial.server, { destination: named });
  });

  it.each(['client', 'codeSigning'] as const)('whose only usage is %s', async (usage) => {
    const problem = await refused('server-certificate-invalid', trial.serverWith({ usage }), { destination });
    expect(problem.detail).toMatch(/extended key usage of CN=api does not allow server authentication/);
    expect(problem.evidence).toMatchObject({ reason: 'extended-key-usage', openssl: 'INVALID_PURPOSE' });
  });

  it('whose issuer is not an authority', async () => {
    const leaf = trial.customerRoot.issue({ commonName: 'Not an Authority' });
    const notAuthority = openAuthority(leaf.certificate, leaf.privateKey, leaf.certificate, leaf.root);
    const shown = notAuthority.issue({ commonName: 'api', names: serverNames });
    const problem = await refused('server-certificate-invalid', shown, { destination });
    expect(problem.detail).toMatch(/key usage of CN=Not an Authority does not allow it to sign certificates/);
    expect(problem.evidence).toMatchObject({ reason: 'issuer-key-usage', subject: 'CN=Not an Authority' });
  });

  it('with a weak signature', async () => {
    const problem = await refused('server-certificate-invalid', trial.serverWith({ signatureHash: 'sha1' }), {
      destination,
    });
    expect(problem.detail).toMatch(/too weak/);
  });
});

describe('NODE_TLS_REJECT_UNAUTHORIZED=0', () => {
  it('does not make an untrusted certificate accepted', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const stranger = createAuthority({ commonName: 'Stranger Root' });
    await refused('server-certificate-untrusted', stranger.issue({ commonName: 'api', names: serverNames }));
  });
});

describe('a certificate for an address', () => {
  it.each(hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'])('is accepted: %s', async (host) => {
    const server = await serveHttps(
      trial.serverWith({ names: [host] }),
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
      {},
      host,
    );
    const reply = await trial.call(server.port, { host });
    expect(reply.body).toMatchObject({ status: 200, body: 'ok' });
  });

  it.skipIf(!hasIpv6)('is rejected on another IPv6 address (needs IPv6 on loopback)', async () => {
    const server = await serveHttps(trial.serverWith({ names: ['fd00::7'] }), () => {}, {}, '::1');
    const problem = await trial.fails('server-certificate-name-mismatch', server.port, { host: '::1' });
    expect(problem.evidence.expected).toBe('::1');
    expect(server.received()).toBe('');
  });
});

describe.skipIf(!findPeer('openssl'))('with openssl as the server (needs openssl)', () => {
  it.each(['-tls1_2', '-tls1_3'])('a key that is too short is rejected (%s)', async (version) => {
    const weak = trial.serverWith({ keyAlgorithm: 'RSA_1024' });
    const server = await startOpenssl(weak, { args: [version, '-cipher', 'ALL:@SECLEVEL=0'] });
    const problem = await trial.fails('server-certificate-invalid', server.port);
    expect(problem.detail).toMatch(/too weak/);
  });
});

describe.skipIf(!findPeer('nginx'))('with nginx as the server (needs nginx)', () => {
  let expired: IssuedCertificate;
  beforeAll(() => {
    expired = trial.serverWith(past);
  });
  it('an expired certificate is rejected', async () => {
    const server = await startNginx(expired);
    await trial.fails('server-certificate-expired', server.port);
  });
});
