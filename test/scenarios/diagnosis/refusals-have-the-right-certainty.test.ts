// Steps 4 and 5: what the server asked for, what it made of our certificate, and how sure that is.
import { describe, expect, it } from 'vitest';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { type NginxOptions, startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveBetween, serveHttps, serveTls } from '../../support/servers.ts';

const trial = useDiagnosing();
const ours = trial.platformRoot.certificate;
const theirs = trial.customerRoot.certificate;
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  const only = { destination: { maxTlsVersion: maxVersion } };
  const quiet = { ...only, request: { probe: false } };

  describe.skipIf(!findPeer('openssl'))('openssl (needs openssl)', () => {
    it('grants access', async () => {
      const { port } = await startOpenssl(trial.server, { clientRoots: ours });
      const diagnosis = await trial.diagnose(port, only);
      expect(diagnosis).toMatchObject({
        verdict: 'access-granted',
        certainty: 'observed',
        remedies: [],
        server: { protocol: maxVersion },
        request: { asked: true, acceptableIssuers: ['CN=Platform Root'], acceptableIssuerCount: 1 },
        client: { issuerAccepted: true, signatureAccepted: true, issuers: ['CN=Platform Issuer', 'CN=Platform Root'] },
        probe: { method: 'GET', path: '/', status: 200 },
      });
      expect(statuses(diagnosis)).toBe('passed passed passed passed passed');
    });

    it.each([only, quiet])(
      'rejects with an alert, during or after the handshake, with a probe or without',
      async (options) => {
        const { port } = await startOpenssl(trial.server, { clientRoots: theirs });
        const diagnosis = await trial.diagnose(port, options);
        expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'observed' });
        expect(statuses(diagnosis)).toBe('passed passed passed warning failed');
        const [issuers, refusal] = findings(diagnosis);
        expect(issuers?.detail).toBe(
          'The server accepts certificates from CN=Customer Root; ours is issued by CN=Platform Issuer, below CN=Platform Root.',
        );
        expect(refusal).toMatchObject({ code: 'client-certificate-rejected', evidence: { alert: 'unknown_ca' } });
        expect(diagnosis.remedies).toMatchObject([
          { who: 'customer', do: expect.stringContaining('root certificate') },
        ]);
      },
    );

    it('accepts no signature algorithm of our key: the report says that no certificate was sent, not that it was rejected', async () => {
      const args = ['-client_sigalgs', 'RSA-PSS+SHA256'];
      const demanded = await startOpenssl(trial.server, { clientRoots: ours, args });
      const refused = await trial.diagnose(demanded.port, only);
      expect(refused.verdict).toBe('access-refused');
      expect(codes(refused)).toContain('client-signature-not-accepted');
      expect(refused.remedies.map(({ who }) => who)).toEqual(['customer', 'platform']);
      const wanted = await startOpenssl(trial.server, { args: ['-verify', '3', ...args] });
      expect(refused.client?.signatureAccepted).toBe(false);
      const unseen = await trial.diagnose(wanted.port, only);
      expect(unseen.verdict).toBe('not-mutual');
      expect(statuses(unseen)).toBe('passed passed passed failed skipped');
    });

    it('without a probe, the accepted certificate is known and access is not', async () => {
      const { port } = await startOpenssl(trial.server, { clientRoots: ours });
      const diagnosis = await trial.diagnose(port, quiet);
      expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
      expect(codes(diagnosis)).toEqual(['client-certificate-accepted', 'not-probed']);
      expect(diagnosis).not.toHaveProperty('probe');
    });
  });

  describe.skipIf(!findPeer('nginx'))('nginx (needs nginx)', () => {
    const diagnose = async (options: NginxOptions, more = {}) =>
      trial.diagnose((await startNginx(trial.server, options)).port, { ...only, ...more });

    it('that never asked and reports no certificate must ask for it', async () => {
      const diagnosis = await diagnose({ directives: 'if ($uri) { return 496; }' });
      expect(diagnosis).toMatchObject({ verdict: 'access-refused', probe: { status: 400 } });
      expect(diagnosis.remedies).toMatchObject([
        { who: 'customer', do: expect.stringMatching(/^Enable client certificate verification/) },
      ]);
    });

    it('rejects with an HTTP status, which only a probe shows', async () => {
      const diagnosis = await diagnose({ clientRoots: theirs });
      expect(diagnosis).toMatchObject({
        verdict: 'access-refused',
        certainty: 'observed',
        server: { software: 'nginx' },
      });
      expect(findings(diagnosis).at(-1)).toMatchObject({ evidence: { status: 400, page: 'untrusted' } });
      expect(diagnosis.remedies).toMatchObject(
        [{ server: 'nginx', directive: /ssl_client_certificate/ }].map(matching),
      );
      const unprobed = await diagnose({ clientRoots: theirs }, { request: { probe: false } });
      expect(unprobed).toMatchObject({ verdict: 'access-granted', certainty: 'inferred' });
    });

    it('does not request the certificate', async () => {
      const diagnosis = await diagnose({});
      expect(diagnosis).toMatchObject({ verdict: 'not-mutual', certainty: 'observed', request: { asked: false } });
      expect(statuses(diagnosis)).toBe('passed passed passed failed skipped');
      expect(codes(diagnosis)).toEqual(['client-certificate-not-requested']);
    });

    it.each([
      ['return 403;', 'access-refused', 'inferred'],
      ['return 401;', 'access-granted', 'inferred'],
      ['return 404;', 'access-granted', 'observed'],
      ['return 204;', 'access-granted', 'observed'],
      ['return 400;', 'access-granted', 'inferred'],
      ['return 302 /login;', 'access-granted', 'inferred'],
      ['return 500;', 'access-granted', 'inferred'],
      ['return 503;', 'access-granted', 'inferred'],
    ])('accepts the certificate, and the API responds "%s": %s, %s', async (statement, verdict, certainty) => {
      const directives = `location /health { ${statement} }`;
      const probe = { request: { probe: { path: '/health' } } };
      const diagnosis = await diagnose({ clientRoots: ours, directives }, probe);
      expect(diagnosis).toMatchObject({ verdict, certainty });
      for (const { detail } of findings(diagnosis)) expect(detail).not.toContain('the certificate was taken');
    });

    it('responds to the probe with the expected status, or with another', async () => {
      const directives = 'location /health { return 403; }';
      const probed = (expectStatus: number) => ({
        destination: { ...only.destination, probe: { path: '/health', expectStatus } },
      });
      const right = await diagnose({ clientRoots: ours, directives }, probed(403));
      expect(right).toMatchObject({ verdict: 'access-granted', certainty: 'observed', probe: { expectStatus: 403 } });
      const wrong = await diagnose({ clientRoots: ours }, probed(204));
      expect(codes(wrong)).toEqual(['probe-unexpected-status']);
    });
  });

  it('access that any client may get does not prove that the server accepted the certificate', async () => {
    const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), { maxVersion, ca: theirs });
    for (const probe of [{ path: '/' }, { path: '/', expectStatus: 200 }]) {
      const diagnosis = await trial.diagnose(port, { destination: { ...only.destination, probe } });
      expect(diagnosis).toMatchObject({
        verdict: 'access-granted',
        certainty: 'inferred',
        client: { issuerAccepted: false },
        probe: { status: 200 },
      });
      expect(diagnosis.remedies[0]?.do).toContain('verifies client certificates');
    }
  });

  it('a close by a Node server, or a reset, is an inferred rejection', async () => {
    const strict = { maxVersion, rejectUnauthorized: true, ca: theirs };
    for (const options of [only, quiet]) {
      const { port } = await serveHttps(trial.server, (socket) => socket.write(ok), strict);
      const diagnosis = await trial.diagnose(port, options);
      expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'inferred' });
      expect(findings(diagnosis).at(-1)?.detail).toContain('closed the connection');
      expect(diagnosis.remedies.at(-1)?.do).toContain('log');
    }
    const api = await serveHttps(trial.server, () => {}, { maxVersion });
    const behind = (bytes: Buffer, { clientTurns }: { clientTurns: number }) =>
      clientTurns < 2 ? bytes : bytes.subarray(0, 0);
    const reset = await serveBetween(api.port, behind, 'reset');
    const diagnosis = await trial.diagnose(reset.port, only);
    expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'inferred' });
    expect(findings(diagnosis).at(-1)).toMatchObject({ evidence: { ended: 'reset' } });
  });

  it('a server that accepts the certificate and never responds can still refuse it', async () => {
    const strict = { maxVersion, rejectUnauthorized: true, ca: ours };
    const { port } = await serveTls(trial.server, () => {}, strict);
    const diagnosis = await trial.diagnose(port, { request: { timeoutMs: 600 } });
    expect(diagnosis).toMatchObject({ verdict: 'access-unknown', certainty: 'inferred' });
    expect(codes(diagnosis)).toEqual(['client-certificate-accepted', 'response-timeout']);
  });

  it('a diagnosis sends exactly the reported probe, and without a probe no byte', async () => {
    const server = await serveHttps(trial.server, (socket) => socket.write(ok), { maxVersion });
    await trial.diagnose(server.port, { path: '/v1/transfer?id=1' });
    expect(server.received()).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
    expect(server.received()).not.toContain('transfer');
    const silent = await serveHttps(trial.server, () => {}, { maxVersion });
    await trial.diagnose(silent.port, quiet);
    expect(silent.received()).toBe('');
  });
});

function matching({ server, directive }: { server: string; directive: RegExp }) {
  return { server, directive: expect.stringMatching(directive) };
}
