// A diagnosis asks for a stapled OCSP response, which a call does not: a server that fails on that is not unreachable.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';

const trial = useDiagnosing();

/** Node ends the connection if its callback fails, as lighttpd over wolfSSL does without its own authority. */
async function serveWithoutStaple(mustStaple: Error | null, ca = trial.platformRoot.certificate) {
  const server = createServer(
    {
      cert: trial.server.certificate + trial.server.intermediates,
      key: trial.server.privateKey,
      ca,
      requestCert: true,
    },
    (_request, response) => response.end('granted\n'),
  );
  const asked: string[] = [];
  let connections = 0;
  server.on('connection', () => connections++);
  server.on('OCSPRequest', (_certificate, _issuer, done) => {
    asked.push('staple');
    done(mustStaple, null as unknown as Buffer);
  });
  server.on('secureConnection', () => asked.push('handshake')).on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked, connections: () => connections };
}

it('a server that ends such a handshake is diagnosed without the request', async () => {
  const { port, asked } = await serveWithoutStaple(new Error('no responder'));
  const diagnosis = await trial.diagnose(port);
  expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
  expect(statuses(diagnosis)).toBe('passed passed warning passed passed');
  expect(findings(diagnosis)[0]).toMatchObject({ code: 'stapled-ocsp-refused', severity: 'warning' });
  expect(diagnosis.remedies).toMatchObject([{ who: 'customer', do: expect.stringContaining('stapled OCSP response') }]);
  expect(asked).toEqual(['staple', 'handshake']);
});

it('a server that answers without a staple is asked once', async () => {
  const { port, asked } = await serveWithoutStaple(null);
  const diagnosis = await trial.diagnose(port);
  expect(diagnosis).toMatchObject({ verdict: 'access-granted', remedies: [] });
  expect(asked).toEqual(['staple', 'handshake']);
});

it.each(['TLSv1.2', 'TLSv1.3'])('a refusal of the client certificate is not tried again, over %s', async (version) => {
  const { port, connections } = await serveWithoutStaple(null, trial.customerRoot.certificate);
  const destination = { minTlsVersion: version, maxTlsVersion: version };
  expect((await trial.diagnose(port, { destination })).verdict).toBe('access-refused');
  expect(connections()).toBe(1);
});
