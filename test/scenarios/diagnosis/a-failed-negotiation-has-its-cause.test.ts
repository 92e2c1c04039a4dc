// Step 2: what the two sides do not have in common, found out by a second ClientHello that offers everything.
import type { TlsOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { negotiationReasons } from '../../../core/tls/negotiation-failure.ts';
import { findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps, serveTcp } from '../../support/servers.ts';

const trial = useDiagnosing();
const rsa = trial.serverWith({ keyAlgorithm: 'RSA_2048' });
const weak = 'ALL:@SECLEVEL=0';

type Case = readonly [
  what: string,
  server: TlsOptions,
  reason: (typeof negotiationReasons)[number],
  remedy: string,
  more: { readonly destination?: object; readonly offered?: string },
];

const cases: readonly Case[] = [
  [
    'RSA key exchange alone',
    { ciphers: 'AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
    'key-exchange',
    'customer: Enable cipher suites with ECDHE for localhost',
    { offered: 'TLS_RSA_WITH_AES_128_GCM_SHA256' },
  ],
  [
    'DHE alone',
    { ciphers: 'DHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2', dhparam: 'auto' },
    'key-exchange',
    'customer: Enable cipher suites with ECDHE for localhost',
    { offered: 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256' },
  ],
  [
    'finite-field groups alone over TLS 1.3',
    { ecdhCurve: 'ffdhe3072', minVersion: 'TLSv1.3' },
    'group',
    'customer: Enable the group P-256',
    { offered: 'ffdhe3072' },
  ],
  [
    'a curve that calls do not offer over TLS 1.2',
    { ecdhCurve: 'brainpoolP256r1', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' },
    'group',
    'customer: Enable the group P-256',
    { offered: 'brainpoolP256r1' },
  ],
  [
    'a cipher suite that calls do not offer',
    { ciphers: 'TLS_AES_128_CCM_8_SHA256:ALL:@SECLEVEL=0', minVersion: 'TLSv1.3' },
    'cipher-suite',
    'customer: Enable a current cipher suite for localhost',
    { offered: 'TLS_AES_128_CCM_8_SHA256' },
  ],
  [
    'signatures with SHA-1 alone',
    { ciphers: `ECDHE-RSA-AES128-SHA:@SECLEVEL=0`, maxVersion: 'TLSv1.2', sigalgs: 'RSA+SHA1' },
    'signature-algorithm',
    'customer: Let the server sign handshakes with SHA-256',
    { offered: 'rsa_pkcs1_sha1' },
  ],
  [
    'TLS 1.1 at most',
    { ciphers: weak, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
    'tls-version',
    'customer: Enable TLS 1.2 or 1.3',
    {},
  ],
  [
    'TLS 1.2, where the destination wants 1.3',
    { maxVersion: 'TLSv1.2' },
    'version-limits',
    'platform: Widen minTlsVersion (TLSv1.3) and maxTlsVersion (TLSv1.3)',
    { destination: { minTlsVersion: 'TLSv1.3' }, offered: 'TLSv1.2' },
  ],
  [
    'TLS 1.3, where the destination wants 1.2',
    { minVersion: 'TLSv1.3' },
    'version-limits',
    'platform: Widen minTlsVersion (TLSv1.2) and maxTlsVersion (TLSv1.2)',
    { destination: { maxTlsVersion: 'TLSv1.2' }, offered: 'TLSv1.3' },
  ],
  [
    'TLS 1.1, where the destination wants 1.3: the server is the cause',
    { ciphers: weak, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
    'tls-version',
    'customer: Enable TLS 1.2 or 1.3',
    { destination: { minTlsVersion: 'TLSv1.3' }, offered: 'TLSv1.1' },
  ],
  ['HTTP/2 alone', { ALPNProtocols: ['h2'] }, 'http2-only', 'customer: Offer HTTP/1.1 for localhost beside HTTP/2', {}],
];

it.each(cases)('%s', async (_what, options, reason, remedy, { destination = {}, offered }) => {
  const { port } = await serveHttps(rsa, () => {}, options);
  const diagnosis = await trial.diagnose(port, { destination });
  expect(diagnosis).toMatchObject({ verdict: 'unreachable', certainty: 'observed' });
  expect(statuses(diagnosis)).toBe('passed failed skipped skipped skipped');
  const [finding] = findings(diagnosis);
  expect(finding).toMatchObject({ code: 'tls-negotiation-failed', evidence: { reason } });
  expect(finding?.evidence?.offered).toBe(offered);
  const [first] = diagnosis.remedies;
  expect(`${first?.who}: ${first?.do}`.slice(0, remedy.length)).toBe(remedy);
});

describe.skipIf(!findPeer('nginx'))('with nginx (needs nginx)', () => {
  it('a rejected server name is named', async () => {
    const server = await startNginx(trial.server, { directives: 'ssl_reject_handshake on;' });
    const diagnosis = await trial.diagnose(server.port);
    expect(findings(diagnosis)[0]?.evidence).toMatchObject({ reason: 'unknown-name', serverName: 'localhost' });
    expect(diagnosis.remedies.map(({ who }) => who)).toEqual(['customer', 'platform', 'caller']);
  });
});

it('a server without secure renegotiation (RFC 5746), as NetScaler can be', async () => {
  // ServerHello of TLS 1.2 without extensions, ECDHE-ECDSA-AES128-GCM-SHA256.
  const hello = Buffer.concat([
    Buffer.from('160303002a020000260303', 'hex'),
    Buffer.alloc(32, 7),
    Buffer.of(0, 192, 43, 0),
  ]);
  const { port } = await serveTcp((socket) => socket.once('data', () => socket.write(hello)));
  const diagnosis = await trial.diagnose(port, { destination: { maxTlsVersion: 'TLSv1.2' } });
  expect(findings(diagnosis)[0]).toMatchObject({
    code: 'tls-negotiation-failed',
    evidence: { reason: 'secure-renegotiation', openssl: 'ERR_SSL_UNSAFE_LEGACY_RENEGOTIATION_DISABLED' },
  });
  expect(diagnosis.remedies).toMatchObject([{ who: 'customer', do: expect.stringContaining('RFC 5746') }]);
});

describe.skipIf(!findPeer('openssl'))('with openssl (needs openssl)', () => {
  it('a server that accepts only SHA-1 client signatures is reported', async () => {
    const args = ['-tls1_2', '-client_sigalgs', 'ECDSA+SHA1:RSA+SHA1', '-cipher', 'DEFAULT:@SECLEVEL=0'];
    const { port } = await startOpenssl(trial.server, { clientRoots: trial.platformRoot.certificate, args });
    const diagnosis = await trial.diagnose(port);
    expect(findings(diagnosis).find(({ code }) => code === 'client-signature-not-accepted')?.evidence).toMatchObject({
      reason: 'sha1-only',
    });
    const remedy = diagnosis.remedies.find(({ do: what }) => what.includes('SHA-1 only'));
    expect(remedy?.who).toBe('customer');
    expect(diagnosis.remedies.map(({ do: what }) => what)).not.toContainEqual(
      expect.stringContaining('another kind of key'),
    );
  });
});

describe('without a visible cause', () => {
  it('a server that closes every connection keeps its general finding', async () => {
    const { port } = await serveTcp((socket) => socket.once('data', () => socket.end()));
    const diagnosis = await trial.diagnose(port);
    expect(findings(diagnosis)[0]?.evidence).toEqual({ reason: 'ECONNRESET' });
  });

  it('a server that stalls at the second attempt is abandoned at the deadline', async () => {
    let isFirst = true;
    const served = await serveTcp((socket) => {
      if (isFirst) socket.once('data', () => socket.end(Buffer.from('15030300020228', 'hex')));
      isFirst = false;
    });
    const diagnosis = await trial.diagnose(served.port, { request: { timeoutMs: 500 } });
    expect(findings(diagnosis)[0]?.evidence).toMatchObject({ alert: 'handshake_failure' });
    expect(served.connections).toBe(2);
  });
});
