// Faults that block no call today: each is a warning with its own code, and the verdict does not change.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assessServer } from '../../../core/diagnosis/server-step.ts';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveHttps } from '../../support/servers.ts';

const trial = useDiagnosing();
const day = 86_400_000;
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const strict = { rejectUnauthorized: true, ca: trial.platformRoot.certificate };

describe('a warning about the identity', () => {
  it('the identity expires soon', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), strict);
    const client = trial.platformIssuer.issue({
      commonName: 'platform',
      usage: 'client',
      notAfter: new Date(Date.now() + 5.5 * day),
    });
    const diagnosis = await trial.diagnose(port, { client });
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
    expect(statuses(diagnosis)).toBe('passed passed passed warning passed');
    expect(findings(diagnosis)[0]).toMatchObject({ code: 'client-certificate-expires-soon', severity: 'warning' });
    expect(findings(diagnosis)[0]?.detail).toMatch(/for 5 days\.$/);
    expect(diagnosis.remedies).toMatchObject([{ who: 'platform', do: expect.stringContaining('Rotate the identity') }]);
    const later = trial.platformIssuer.issue({
      commonName: 'platform',
      usage: 'client',
      notAfter: new Date(Date.now() + 31 * day),
    });
    expect(codes(await trial.diagnose(port, { client: later }))).toEqual(['probe-answered']);
  });

  it.skipIf(!findPeer('openssl'))(
    'the server does not list a signature algorithm of the client chain (needs openssl)',
    async () => {
      const root = createAuthority({ commonName: 'RSA Root', keyAlgorithm: 'RSA_2048' });
      const client = root.issue({ commonName: 'platform', usage: 'client' });
      const args = ['-client_sigalgs', 'ECDSA+SHA256'];
      const { port } = await startOpenssl(trial.server, { clientRoots: root.certificate, args });
      const diagnosis = await trial.diagnose(port, { client });
      expect(diagnosis.verdict).toBe('access-granted');
      expect(findings(diagnosis)[0]).toMatchObject({
        code: 'client-chain-signature-not-accepted',
        severity: 'warning',
        evidence: { signatures: ['rsa_pkcs1_sha256'] },
      });
      expect(diagnosis.remedies.map(({ who }) => who)).toEqual(['customer', 'platform']);
    },
  );
});

describe('a warning about the server', () => {
  it.skipIf(!findPeer('openssl'))(
    'an obsolete TLS version is reported beside the failure (needs openssl)',
    async () => {
      const args = ['-tls1_1', '-cipher', 'DEFAULT:@SECLEVEL=0'];
      const { port } = await startOpenssl(trial.server, { clientRoots: trial.platformRoot.certificate, args });
      const diagnosis = await trial.diagnose(port, { destination: { maxTlsVersion: 'TLSv1.2' } });
      expect(diagnosis).toMatchObject({ verdict: 'unreachable', server: { protocol: 'TLSv1.1' } });
      expect(statuses(diagnosis)).toBe('passed failed skipped skipped skipped');
      expect(findings(diagnosis)).toMatchObject([
        { code: 'tls-negotiation-failed' },
        { code: 'server-protocol-old', severity: 'note', evidence: { protocol: 'TLSv1.1' } },
      ]);
    },
  );

  // At its default security level Node's OpenSSL trusts no such chain; at a lower one it does.
  it.each([
    ['a short key', { keyAlgorithm: 'RSA_1024' }, 'weak-key'],
    ['a broken hash', { keyAlgorithm: 'RSA_2048', signatureHash: 'sha1' }, 'weak-signature'],
  ] as const)('%s in a trusted chain', (_what, request, reason) => {
    const { findings: found, builtChain } = trusted(trial.serverWith(request));
    expect(found).toMatchObject([
      { code: 'server-certificate-weak', severity: 'warning', evidence: { subject: 'CN=api', reason } },
    ]);
    expect(builtChain).toHaveLength(2);
  });

  it('no warning for a weak signature on a self-signed root', () => {
    const root = createAuthority({ commonName: 'Old Root', keyAlgorithm: 'RSA_2048', signatureHash: 'sha1' });
    const leaf = root.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
    expect(trusted(leaf, root.certificate).findings).toEqual([]);
  });

  it('no warning for a hybrid key exchange, which the report shows', async () => {
    const ecdhCurve = 'X25519MLKEM768';
    const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), { ...strict, ecdhCurve });
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', server: { keyExchange: 'X25519MLKEM768' } });
    expect(codes(diagnosis)).toEqual(['probe-answered']);
  });
});

/** Step 3 of a connection on which OpenSSL found this chain trusted. */
function trusted(leaf: IssuedCertificate, root = trial.customerRoot.certificate) {
  const chain = [leaf.certificate, root].map((pem) => new X509Certificate(pem)) as [X509Certificate, X509Certificate];
  const capture = { certificates: [chain[0].raw], stapledOcsp: undefined };
  const seen = { isReady: true, chain, askedForStaple: true, capture };
  const destination = { serverRoots: root };
  const target = { host: 'localhost', port: 443, path: '/', authority: 'localhost' };
  return assessServer(seen as never, destination as never, target, Date.now());
}
