// Step 3: everything that is wrong with what the server presents, not only what a handshake stops at.
import { X509Certificate } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { diagnosisLines } from '../../../cli/diagnosis-text.ts';
import { pinOf } from '../../../core/x509/certificate.ts';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { codes, type DiagnoseOptions, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps } from '../../support/servers.ts';

const trial = useDiagnosing();
const day = 86_400_000;
const lately = new Date(Date.now() - day);
const long = new Date(Date.now() - 30 * day);
const stranger = createAuthority({ commonName: 'Stranger Root' });
const issuer = trial.customerRoot.intermediate({ commonName: 'Customer Issuer' });
const below = issuer.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
const legacy: TlsOptions = { ciphers: 'DEFAULT:@SECLEVEL=0' };

async function judged(certificate: IssuedCertificate, options: DiagnoseOptions = {}, tls: TlsOptions = {}) {
  const mutual = { rejectUnauthorized: true, ca: trial.platformRoot.certificate, ...tls };
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
  const { port } = await serveHttps(certificate, (socket) => socket.write(ok), mutual);
  return await trial.diagnose(port, options);
}

async function refused(certificate: IssuedCertificate, options: DiagnoseOptions = {}, tls: TlsOptions = {}) {
  const diagnosis = await judged(certificate, options, tls);
  expect(diagnosis.verdict).toBe('server-not-trusted');
  expect(diagnosis.certainty).toBe('observed');
  expect(statuses(diagnosis)).toMatch(/^passed passed failed (passed|skipped) skipped$/);
  expect(diagnosis.remedies.length).toBeGreaterThan(0);
  return diagnosis;
}

describe('the server certificate is rejected for', () => {
  it('its validity dates', async () => {
    const expired = await refused(trial.serverWith({ notBefore: long, notAfter: lately }));
    expect(findings(expired)).toMatchObject([
      { code: 'server-certificate-expired', evidence: { reason: 'CERT_HAS_EXPIRED', subject: 'CN=api' } },
    ]);
    const early = await refused(trial.serverWith({ notBefore: new Date(Date.now() + day) }));
    expect(findings(early)).toMatchObject([{ evidence: { reason: 'CERT_NOT_YET_VALID' } }]);
  });

  it('its name, and the finding lists its names', async () => {
    const diagnosis = await refused(trial.serverWith({ names: ['other.example', '192.0.2.1'] }));
    expect(findings(diagnosis)).toMatchObject([
      {
        code: 'server-certificate-name-mismatch',
        evidence: { expected: 'localhost', names: ['DNS:other.example', 'IP Address:192.0.2.1'] },
      },
    ]);
  });

  it('its pins', async () => {
    const pinned = `sha256/${'A'.repeat(43)}=`;
    const diagnosis = await refused(trial.server, { destination: { serverPins: [pinned] } });
    const served = [trial.server, { certificate: trial.customerRoot.certificate }].map(({ certificate }) =>
      pinOf(new X509Certificate(certificate)),
    );
    expect(findings(diagnosis)).toMatchObject([{ evidence: { served, pinned: [pinned] } }]);
    expect(diagnosis.server?.chain[0]?.pin).toBe(served[0]);
    const own = await judged(trial.server, { destination: { serverPins: [served[1] as string] } });
    expect(own.verdict).toBe('access-granted');
  });

  it.each([
    ['a short key', { keyAlgorithm: 'RSA_1024' }, 'weak-key'],
    ['a broken hash', { keyAlgorithm: 'RSA_2048', signatureHash: 'sha1' }, 'weak-signature'],
  ] as const)('%s, naming the certificate', async (_what, request, reason) => {
    const diagnosis = await refused(trial.serverWith(request), {}, legacy);
    expect(codes(diagnosis)).toEqual(['server-certificate-invalid', 'server-certificate-weak']);
    expect(findings(diagnosis)[1]).toMatchObject({ evidence: { subject: 'CN=api', reason } });
  });

  it('its key usage', async () => {
    const diagnosis = await refused(trial.serverWith({ usage: 'client' }));
    expect(codes(diagnosis)).toEqual(['server-certificate-invalid']);
  });

  it('several faults, and each fault is reported', async () => {
    const many = stranger.issue({ commonName: 'api', names: ['other.example'], notBefore: long, notAfter: lately });
    const diagnosis = await refused(many);
    expect([...codes(diagnosis)].sort()).toEqual([
      'server-certificate-expired',
      'server-certificate-name-mismatch',
      'server-certificate-untrusted',
    ]);
  });
});

describe('an untrusted chain', () => {
  const untrusted = async (certificate: IssuedCertificate, options: DiagnoseOptions = {}) => {
    const diagnosis = await refused(certificate, options);
    const finding = findings(diagnosis).find(({ code }) => code === 'server-certificate-untrusted');
    return { diagnosis, finding };
  };

  it('without its intermediate: the finding names the missing certificate', async () => {
    const { diagnosis, finding } = await untrusted({ ...below, intermediates: '' });
    expect(finding).toMatchObject({
      certainty: 'inferred',
      evidence: { reason: 'missing-intermediate', missingIssuer: 'CN=Customer Issuer' },
    });
    // Both causes are possible, so the report states neither as certain.
    expect(diagnosis.remedies).toMatchObject([
      { who: 'customer', do: expect.stringMatching(/^If CN=Customer Issuer is an intermediate: serve it/) },
      { who: 'platform', do: 'If CN=Customer Issuer is a root: add it to the serverRoots of the destination.' },
    ]);
  });

  it('with the root in the place of the intermediate: the finding names the intermediate', async () => {
    const { diagnosis, finding } = await untrusted({ ...below, intermediates: trial.customerRoot.certificate });
    expect(finding).toMatchObject({ evidence: { reason: 'missing-intermediate' } });
    expect(codes(diagnosis)).toContain('server-chain-unordered');
  });

  it('below an unknown root: the finding names the root', async () => {
    const leaf = stranger
      .intermediate({ commonName: 'Stranger Issuer' })
      .issue({ commonName: 'x', names: ['localhost'] });
    const { finding } = await untrusted(leaf);
    expect(finding).toMatchObject({
      certainty: 'inferred',
      evidence: { reason: 'unknown-root', missingIssuer: 'CN=Stranger Root' },
    });
    const inferred = await untrusted(leaf);
    expect(inferred.diagnosis.remedies.map(({ who }) => who)).toEqual(['platform', 'customer']);
    const served = await untrusted({ ...leaf, intermediates: leaf.intermediates + leaf.root });
    expect(served.finding).toMatchObject({ certainty: 'observed', evidence: { reason: 'unknown-root' } });
    expect(served.diagnosis.remedies).toHaveLength(2);
    expect(served.diagnosis.server?.builtChain.map(({ subject }) => subject)).toEqual([
      'CN=x',
      'CN=Stranger Issuer',
      'CN=Stranger Root',
    ]);
  });

  it('below a private root is distinguished when only public roots are trusted', async () => {
    const { finding } = await untrusted({ ...below, intermediates: '' }, { destination: { serverRoots: undefined } });
    expect(finding).toMatchObject({ evidence: { reason: 'unknown-root', missingIssuer: 'CN=Customer Issuer' } });
  });

  it('of one self-signed certificate is reported as self-signed', async () => {
    const own = createAuthority({ commonName: 'localhost', names: ['localhost'] });
    const { finding } = await untrusted({ ...own, intermediates: '' });
    expect(finding).toMatchObject({ certainty: 'observed', evidence: { reason: 'self-signed' } });
  });
});

describe.skipIf(!findPeer('openssl'))('behind a server that is not trusted (needs openssl)', () => {
  const expired = { notBefore: long, notAfter: lately };
  const unknown = stranger.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });

  it.each([
    ['TLSv1.2', 'unknown', unknown, true],
    ['TLSv1.2', 'expired', trial.serverWith(expired), true],
    ['TLSv1.2', 'of another name', trial.serverWith({ names: ['other.example'] }), true],
    ['TLSv1.3', 'unknown', unknown, false],
    ['TLSv1.3', 'expired', trial.serverWith(expired), false],
    // Names are judged here, a turn later than OpenSSL judges the rest: what it has written is gone by then.
    ['TLSv1.3', 'of another name', trial.serverWith({ names: ['other.example'] }), true],
  ] as const)(
    'over %s, %s, step 4 shows whether the server received the certificate',
    async (maxTlsVersion, _what, certificate, isSent) => {
      const clientRoots = trial.customerRoot.certificate;
      const { port, program } = await startOpenssl(certificate, { clientRoots, args: ['-msg'] });
      const diagnosis = await trial.diagnose(port, { destination: { maxTlsVersion } });
      await expect.poll(() => program.output(), { timeout: 10_000 }).toMatch(/:error:[0-9A-F]{8}:/);
      await program.stop();
      expect(/^<<< TLS 1\.[23], Handshake .+, ClientHello$/m.test(program.output())).toBe(true);
      expect(/^<<< TLS 1\.[23], Handshake .+, Certificate$/m.test(program.output())).toBe(isSent);
      expect(diagnosis.verdict).toBe('server-not-trusted');
      expect(diagnosis.steps[3]?.status).toBe(isSent ? 'warning' : 'skipped');
      // Whom the server accepts is known all the same, and printed.
      expect(diagnosis.steps[3]?.findings.map(({ code }) => code)).toEqual(['client-issuer-not-accepted']);
      const lines = diagnosisLines(diagnosis, (_style, text) => text);
      expect(lines[3]).toMatch(
        isSent ? /^ {2}4 ! .+issuers CN=Customer Root$/ : /^ {2}4 – .+issuers CN=Customer Root$/,
      );
    },
  );

  it('step 4 is skipped if the server requested no certificate', async () => {
    const { port } = await startOpenssl(unknown);
    expect(statuses(await trial.diagnose(port))).toBe('passed passed failed skipped skipped');
  });
});

describe('a server that is trusted', () => {
  it('gets a warning with the days if its certificate expires soon', async () => {
    const diagnosis = await judged(trial.serverWith({ notAfter: new Date(Date.now() + 5.5 * day) }));
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
    expect(statuses(diagnosis)).toBe('passed passed warning passed passed');
    expect(findings(diagnosis)[0]?.detail).toContain('in 5 days');
    const later = await judged(trial.serverWith({ notAfter: new Date(Date.now() + 31 * day) }));
    expect(codes(later)).toEqual(['probe-answered']);
  });

  it('gets a warning for a certificate sent twice, not for a wrong order', async () => {
    const twice = await judged({ ...below, intermediates: below.certificate + below.intermediates });
    expect(twice.verdict).toBe('access-granted');
    expect(findings(twice)[0]).toMatchObject({ code: 'server-chain-unordered', evidence: { served: 3 } });
    expect(findings(twice)[0]?.detail).toBe('The server sends a certificate twice; some clients refuse that.');
    const foreign = await judged({ ...below, intermediates: stranger.certificate + below.intermediates });
    expect(findings(foreign)[0]?.detail).toMatch(/in the wrong order, or with certificates that do not belong/);
  });

  it('is reported with the served chain and the verified chain', async () => {
    const { server } = await judged(below);
    expect(server?.chain.map(({ subject, issuer: by }) => [subject, by])).toEqual([
      ['CN=api', 'CN=Customer Issuer'],
      ['CN=Customer Issuer', 'CN=Customer Root'],
    ]);
    expect(server?.builtChain.at(-1)?.subject).toBe('CN=Customer Root');
    expect(server).toMatchObject({
      protocol: 'TLSv1.3',
      stapledOcsp: 'none',
      address: expect.stringMatching(/127|::1/),
    });
    expect(server?.chain[0]).toMatchObject({ key: 'EC prime256v1', names: ['DNS:localhost'] });
  });

  it('is verified before step 5, although TLS 1.2 ends the handshake there', async () => {
    const diagnosis = await judged(
      trial.serverWith({ notBefore: long, notAfter: lately }),
      {},
      { ca: stranger.certificate, maxVersion: 'TLSv1.2' },
    );
    expect(diagnosis.verdict).toBe('server-not-trusted');
    expect(statuses(diagnosis)).toBe('passed passed failed warning failed');
  });
});
