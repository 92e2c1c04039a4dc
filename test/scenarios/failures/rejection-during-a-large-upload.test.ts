// Step 5, raced: the server refuses and closes while the body is still being written. It must not look like anything
// else.
import { describe, expect, it } from 'vitest';
import { startNginx } from '../../support/nginx.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { serveBetween, serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const sizes = [100, 8_000, 9_000, 70_000, 300_000, 1_000_000, 4_000_000];
const upload = (size: number) => ({ request: { method: 'POST', body: 'x'.repeat(size) } });

describe.skipIf(!findPeer('openssl'))('an alert of openssl is reported (needs openssl)', () => {
  it.each(['-tls1_2', '-tls1_3'])('for a request of any size (%s)', async (version) => {
    const server = await startOpenssl(trial.server, {
      clientRoots: trial.customerRoot.certificate,
      page: false,
      args: [version],
    });
    for (const size of sizes) {
      const problem = await trial.fails('client-certificate-rejected', server.port, upload(size));
      expect(problem.evidence).toEqual({ alert: 'unknown_ca', certainty: 'observed' });
    }
  });

  it('although a reset follows the alert at once', async () => {
    const args = ['-tls1_3', '-num_tickets', '0'];
    const server = await startOpenssl(trial.server, { clientRoots: trial.customerRoot.certificate, args });
    const between = await serveBetween(server.port, (bytes) => bytes, 'close');
    for (const size of sizes) {
      const problem = await trial.fails('client-certificate-rejected', between.port, upload(size));
      // On Linux what came before a reset can still be read, unless a write has met the reset first.
      expect(problem.evidence.certainty).toMatch(/^(observed|inferred)$/);
    }
  });
});

describe.skipIf(!findPeer('nginx'))('the rejection page of nginx is returned (needs nginx)', () => {
  it.each(['TLSv1.2', 'TLSv1.3'])('for a request of any size (%s)', async (version) => {
    const server = await startNginx(trial.server, {
      clientRoots: trial.customerRoot.certificate,
      directives: 'client_max_body_size 8m;',
    });
    for (const size of sizes) {
      const destination = { maxTlsVersion: version };
      const reply = await trial.call(server.port, { ...upload(size), destination });
      expect(reply.body).toMatchObject({ status: 400 });
      expect(reply.body.advice).toMatch(/refused the client certificate \(step 5\)/);
    }
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a response before a reset, over %s', (maxVersion) => {
  it.each(sizes)('is the result of the call: %i bytes', async (size) => {
    const server = await serveHttps(
      trial.server,
      (socket) => {
        // Closed with unread bytes, the kernel sends a reset.
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 5\r\n\r\nlimit', () =>
          socket.destroy(),
        );
      },
      { maxVersion },
    );
    const { body } = await trial.call(server.port, upload(size));
    expect(body).toMatchObject({ status: 413, body: 'limit' });
  });
});
