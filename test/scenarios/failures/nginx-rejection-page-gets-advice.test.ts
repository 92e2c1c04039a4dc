// nginx completes every handshake and answers 400: that is an answer of the API, handed on with advice.
import { describe, expect, it } from 'vitest';
import { type NginxOptions, startNginx } from '../../support/nginx.ts';
import { revocationList } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();

describe.skipIf(!findPeer('nginx') || !findPeer('openssl'))('nginx (needs nginx and openssl)', () => {
  const ours = trial.platformRoot.certificate;

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxTlsVersion) => {
    const call = async (options: NginxOptions) => {
      const server = await startNginx(trial.server, options);
      const reply = await trial.call(server.port, { destination: { maxTlsVersion } });
      expect(reply.statusCode).toBe(200);
      expect(reply.body.handshake.protocol).toBe(maxTlsVersion);
      return reply.body;
    };

    it('accepts a certificate of a trusted authority', async () => {
      const answer = await call({ clientRoots: ours });
      expect(answer).toMatchObject({ status: 200, body: 'granted\n' });
      expect(answer).not.toHaveProperty('advice');
    });

    it('responds that it does not trust the certificate', async () => {
      const answer = await call({ clientRoots: trial.customerRoot.certificate });
      expect(answer).toMatchObject({ status: 400 });
      expect(answer.advice).toMatch(
        /refused the client certificate \(step 5\)\. A diagnosis shows .* the customer must trust the root/,
      );
    });

    it('responds that the chain is too long', async () => {
      const answer = await call({ clientRoots: ours, directives: 'ssl_verify_depth 0;' });
      expect(answer.advice).toMatch(/step 5/);
    });

    it('responds that the certificate is revoked', async () => {
      const revoked = [
        revocationList(trial.platformIssuer, [trial.client]),
        revocationList(trial.platformRoot, []),
      ].join('');
      const answer = await call({ clientRoots: ours, revoked });
      expect(answer).toMatchObject({ status: 400 });
      expect(answer.advice).toMatch(/step 5/);
    });

    it('responds that it got no certificate, if it accepts no key of that kind', async () => {
      const answer = await call({
        clientRoots: ours,
        directives: 'ssl_conf_command ClientSignatureAlgorithms RSA-PSS+SHA256:RSA+SHA256;',
      });
      expect(answer).toMatchObject({ status: 400 });
      expect(answer.advice).toMatch(/received no client certificate/);
    });
  });
});
