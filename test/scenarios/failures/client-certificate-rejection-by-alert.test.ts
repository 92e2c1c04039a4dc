// Step 5: the alert that openssl sends says why it refused the certificate; in TLS 1.3 it comes behind the request.
import { describe, expect, it } from 'vitest';
import { revocationList, startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveBetween, serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const inAYear = String(Math.floor(Date.now() / 1000) + 400 * 86_400);

describe.skipIf(!findPeer('openssl'))('openssl s_server rejects the certificate (needs openssl)', () => {
  const ours = trial.platformRoot.certificate;

  it.each([
    ['-tls1_2', 'TLSv1.2'],
    ['-tls1_3', 'TLSv1.3'],
  ])('but accepts the same identity if it trusts its root (%s)', async (version, protocol) => {
    const server = await startOpenssl(trial.server, { clientRoots: ours, args: [version] });
    const reply = await trial.call(server.port);
    expect(reply.body).toMatchObject({ status: 200, handshake: { protocol, connection: 'new' } });
  });

  describe.each(['-tls1_2', '-tls1_3'])('%s', (version) => {
    it.each([
      ['of an authority it does not know', 'unknown_ca', trial.customerRoot.certificate, []],
      ['whose chain is too long for it', 'unknown_ca', ours, ['-verify_depth', '0']],
      ['by its clock expired', 'certificate_expired', ours, ['-attime', inAYear]],
      ['not meant for its purpose', 'unsupported_certificate', ours, ['-purpose', 'smimeencrypt']],
      ['too weak for it', 'bad_certificate', ours, ['-auth_level', '4']],
    ])('%s', async (_what, alert, clientRoots, args) => {
      const server = await startOpenssl(trial.server, { clientRoots, page: false, args: [version, ...args] });
      const problem = await trial.fails('client-certificate-rejected', server.port);
      expect(problem.evidence).toEqual({ alert, certainty: 'observed' });
      expect(problem.detail).toContain(alert);
      await server.program.stop();
      // It answers no request whose sender it refused: so the call may be repeated with another version.
      expect(server.program.output()).not.toContain('GET /');
    });

    it('because it is on the revocation list', async () => {
      const server = await startOpenssl(trial.server, {
        clientRoots: ours,
        revoked: revocationList(trial.platformIssuer, [trial.client]),
        args: [version],
      });
      const problem = await trial.fails('client-certificate-rejected', server.port);
      expect(problem.evidence).toEqual({ alert: 'certificate_revoked', certainty: 'observed' });
      expect(problem.hint).toMatch(/^The platform must rotate the identity/);
    });
  });

  it('because it accepts no key of that kind: in TLS 1.3 with certificate_required', async () => {
    const args = ['-tls1_3', '-client_sigalgs', 'RSA-PSS+SHA256'];
    const server = await startOpenssl(trial.server, { clientRoots: ours, args });
    const problem = await trial.fails('client-certificate-rejected', server.port);
    expect(problem.evidence).toEqual({ alert: 'certificate_required', certainty: 'observed' });
  });

  it('because it accepts no key of that kind: in TLS 1.2 with a general alert', async () => {
    const args = ['-tls1_2', '-client_sigalgs', 'RSA+SHA256'];
    const server = await startOpenssl(trial.server, { clientRoots: ours, args });
    const problem = await trial.fails('client-certificate-rejected', server.port);
    expect(problem.evidence).toEqual({ alert: 'handshake_failure', certainty: 'inferred' });
  });
});

describe.skipIf(!findPeer('openssl'))('a server that asks with SHA-1 alone, in TLS 1.2 (needs openssl)', () => {
  // OpenSSL does not tell that it asked, because no algorithm is in common.
  it.each([
    [true, 'client-certificate-rejected', 'inferred'],
    [false, 'tls-negotiation-failed', 'observed'],
  ] as const)('is a refusal only if it asks: %s', async (asks, code, certainty) => {
    const sha1 = ['-client_sigalgs', 'ECDSA+SHA1:RSA+SHA1', '-cipher', 'DEFAULT:@SECLEVEL=0'];
    if (asks) {
      const { port } = await startOpenssl(trial.server, {
        clientRoots: trial.platformRoot.certificate,
        args: ['-tls1_2', ...sha1],
      });
      const problem = await trial.fails(code, port);
      expect(problem.evidence).toEqual({ alert: 'handshake_failure', certainty });
      return;
    }
    const api = await serveHttps(trial.server, () => {}, { maxVersion: 'TLSv1.2', requestCert: false });
    const alert = Buffer.from([21, 3, 3, 0, 2, 2, 40]);
    const { port } = await serveBetween(
      api.port,
      (bytes, { clientTurns }) => (clientTurns < 2 ? bytes : alert),
      'close',
    );
    const problem = await trial.fails(code, port);
    expect(problem.evidence).toEqual({ alert: 'handshake_failure', certainty });
  });
});

describe('an alert after the client certificate, in TLS 1.2', () => {
  // Before the server's ChangeCipherSpec an alert is in the clear, so that any can be put on the wire.
  const alertOf = (number: number) => Buffer.from([21, 3, 3, 0, 2, 2, number]);
  const answering = async (number: number, requestCert: boolean) => {
    const api = await serveHttps(trial.server, () => {}, { maxVersion: 'TLSv1.2', requestCert });
    return serveBetween(api.port, (bytes, { clientTurns }) => (clientTurns < 2 ? bytes : alertOf(number)), 'close');
  };

  it.each([
    [41, 'no_certificate', 'observed'],
    [42, 'bad_certificate', 'observed'],
    [43, 'unsupported_certificate', 'observed'],
    [44, 'certificate_revoked', 'observed'],
    [45, 'certificate_expired', 'observed'],
    [46, 'certificate_unknown', 'observed'],
    [48, 'unknown_ca', 'observed'],
    [49, 'access_denied', 'observed'],
    [116, 'certificate_required', 'observed'],
    [40, 'handshake_failure', 'inferred'],
    [51, 'decrypt_error', 'inferred'],
    [80, 'internal_error', 'inferred'],
  ] as const)('%s is %s, %s', async (number, alert, certainty) => {
    const server = await answering(number, true);
    const problem = await trial.fails('client-certificate-rejected', server.port);
    expect(problem.evidence).toEqual({ alert, certainty });
  });

  it('an alert with an unknown number is reported as the close after it', async () => {
    const server = await answering(123, true);
    const problem = await trial.fails('client-certificate-rejected', server.port);
    expect(problem.evidence).toEqual({ certainty: 'inferred' });
  });

  it.each([40, 51, 80])(
    'an alert before a certificate request is not a rejection of the certificate: %s',
    async (number) => {
      const server = await answering(number, false);
      await trial.fails('tls-negotiation-failed', server.port);
    },
  );
});
