// Step 3: each fault of a chain has its own reason, on the certificate that has it, in a call and in a diagnosis alike.
import { describe, expect, it } from 'vitest';
import type { CertificateReason } from '../../../core/tls/verification-failure.ts';
import { findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { extensions, type FaultyChain, faultyServer, twoLeaves } from '../../support/diagnosis/faulty-server.ts';
import { serveBetween, serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const diagnosing = useDiagnosing();
const ok = 'HTTP/1.1 204 No Content\r\n\r\n';

const cases: readonly (readonly [
  what: string,
  chain: FaultyChain,
  reason: CertificateReason,
  subject: string,
  remedy: RegExp,
])[] = [
  [
    'a leaf for clients',
    { leaf: { extensions: [extensions.extendedKeyUsage('client')] } },
    'extended-key-usage',
    'CN=api',
    /^Replace the certificate CN=api by one whose extended key usage includes serverAuth/,
  ],
  [
    'an intermediate for clients',
    { issuer: { extensions: [extensions.extendedKeyUsage('client')] } },
    'extended-key-usage',
    'CN=Issuer',
    /^Replace the certificate CN=Issuer/,
  ],
  [
    'an issuer with CA:FALSE',
    { issuer: { isAuthority: false } },
    'issuer-not-authority',
    'CN=Issuer',
    /^Have the server’s certificate issued by an authority: CN=Issuer is not one/,
  ],
  [
    'an issuer that may not sign certificates',
    { issuer: { extensions: [extensions.keyUsage('02')] } },
    'issuer-key-usage',
    'CN=Issuer',
    /^Replace the authority’s certificate CN=Issuer/,
  ],
  [
    'a root that allows no authority below it',
    { root: { isAuthority: false, extensions: [extensions.pathLength(0)] } },
    'path-too-long',
    'CN=Root',
    /^Replace CN=Root in the serverRoots/,
  ],
  [
    'an unknown critical extension',
    { leaf: { extensions: [extensions.unknown()] } },
    'critical-extension',
    'CN=api',
    /without critical extensions/,
  ],
  [
    'an excluded name',
    { issuer: { extensions: [extensions.excludes('localhost')] } },
    'name-constraints',
    'CN=api',
    /name constraints allow localhost/,
  ],
  [
    'a name that is not permitted',
    { issuer: { extensions: [extensions.permits('other.example')] } },
    'name-constraints',
    'CN=api',
    /name constraints allow localhost/,
  ],
];

describe.each(cases)('%s', (_what, chain, reason, subject, remedy) => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(`is reported as ${reason} of ${subject}, over %s`, async (version) => {
    const shown = faultyServer(chain);
    const server = await serveHttps(shown, (socket) => socket.end(ok), { maxVersion: version, minVersion: version });
    const destination = { serverRoots: shown.root };
    const problem = await trial.fails('server-certificate-invalid', server.port, { destination });
    expect(problem).toMatchObject({ step: 3, evidence: { reason, subject } });
    expect(server.received()).toBe('');

    const diagnosis = await diagnosing.diagnose(server.port, { destination });
    expect(diagnosis.verdict).toBe('server-not-trusted');
    expect(findings(diagnosis).filter(({ severity }) => severity === 'failure')).toMatchObject([
      { code: 'server-certificate-invalid', evidence: { reason, subject } },
    ]);
    expect(diagnosis.remedies[0]?.do).toMatch(remedy);
    expect(diagnosis.remedies[0]?.who).toBe(subject === 'CN=Root' ? 'platform' : 'customer');
  });
});

it('a leaf without digitalSignature is rejected at step 3 over TLS 1.2', async () => {
  const { server, shown, other } = twoLeaves(
    { extensions: [extensions.keyUsage('80')] },
    { extensions: [extensions.keyUsage('20')] },
  );
  const behind = await serveHttps(server, (socket) => socket.end(ok), { maxVersion: 'TLSv1.2' });
  const { port } = await serveBetween(behind.port, (bytes) => {
    const at = bytes.indexOf(shown);
    if (at >= 0) other.copy(bytes, at);
    return bytes;
  });
  const destination = { serverRoots: server.root };
  const problem = await trial.fails('server-certificate-invalid', port, { destination });
  const evidence = { reason: 'key-usage', openssl: 'ERR_SSL_ECC_CERT_NOT_FOR_SIGNING', subject: 'CN=api' };
  expect(problem).toMatchObject({ step: 3, evidence });
  const diagnosis = await diagnosing.diagnose(port, { destination });
  expect(diagnosis.verdict).toBe('server-not-trusted');
  expect(findings(diagnosis)[0]).toMatchObject({ code: 'server-certificate-invalid', evidence });
  expect(diagnosis.remedies).toMatchObject([
    { who: 'customer', do: expect.stringMatching(/includes digitalSignature/) },
  ]);
});

it('a key and a signature that are too weak have different reasons', async () => {
  for (const [request, reason] of [
    [{ keyAlgorithm: 'RSA_1024' }, 'weak-key'],
    [{ keyAlgorithm: 'RSA_2048', signatureHash: 'sha1' }, 'weak-signature'],
  ] as const) {
    const weak = trial.serverWith(request);
    const { port } = await serveHttps(weak, (socket) => socket.end(ok), { ciphers: 'DEFAULT:@SECLEVEL=0' });
    const problem = await trial.fails('server-certificate-invalid', port);
    expect(problem.evidence).toMatchObject({ reason, subject: 'CN=api' });
  }
});

it('a must-staple certificate without a stapled response gets a warning, and calls succeed', async () => {
  const shown = faultyServer({ leaf: { extensions: [extensions.mustStaple()] } });
  const ca = diagnosing.platformRoot.certificate;
  const { port } = await serveHttps(shown, (socket) => socket.end(ok), { rejectUnauthorized: true, ca });
  const diagnosis = await diagnosing.diagnose(port, { destination: { serverRoots: shown.root } });
  expect(diagnosis.verdict).toBe('access-granted');
  expect(findings(diagnosis)[0]).toMatchObject({ code: 'stapled-ocsp-missing', severity: 'warning' });
  expect(diagnosis.remedies[0]).toMatchObject({ who: 'customer', do: expect.stringMatching(/^Enable OCSP stapling/) });
});

it('a certificate with only a common name needs alternative names, not another serverName', async () => {
  const shown = trial.serverWith({ commonName: 'localhost', names: [] });
  const { port } = await serveHttps(shown, (socket) => socket.end(ok));
  const destination = { serverRoots: trial.customerRoot.certificate };
  const problem = await trial.fails('server-certificate-name-mismatch', port, { destination });
  expect(problem.detail).toMatch(/only as its common name/);
  const diagnosis = await diagnosing.diagnose(port, { destination });
  expect(diagnosis.remedies.map(({ who }) => who)).toEqual(['customer']);
  expect(diagnosis.remedies[0]?.do).toMatch(/^Install a certificate whose subject alternative names include localhost/);
});
