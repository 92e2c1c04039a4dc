// A server asks for a certificate with a CertificateRequest; what merely looks like asking makes no connection mutual.
import { describe, expect, it } from 'vitest';
import { serveBetween, serveHttps } from '../support/servers.ts';
import { codes, statuses, useDiagnosing } from './diagnosing.ts';

const trial = useDiagnosing();
const ok = 'HTTP/1.1 204 No Content\r\n\r\n';
const withoutAsking = { requestCert: false } as const;

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  it('a HelloRequest that somebody puts in front of the handshake is none', async () => {
    const options = { ...withoutAsking, maxVersion };
    const { port } = await serveHttps(trial.server, (socket) => socket.end(ok), options);
    const helloRequest = Buffer.from('160303000400000000', 'hex');
    for (const request of [{}, { probe: false }]) {
      let isFirst = true;
      const between = await serveBetween(port, (bytes) => {
        const passed = isFirst ? Buffer.concat([helloRequest, bytes]) : bytes;
        isFirst = false;
        return passed;
      });
      const diagnosis = await trial.diagnose(between.port, { request });
      const certainty = 'probe' in request ? 'inferred' : 'observed';
      expect(diagnosis).toMatchObject({ verdict: 'not-mutual', certainty, request: { asked: false } });
      expect(statuses(diagnosis)).toBe('passed passed passed failed skipped');
      expect(codes(diagnosis)).toEqual(['client-certificate-not-requested']);
    }
  });
});

it('a renegotiation that does not ask is none', async () => {
  const { port } = await serveHttps(
    trial.server,
    (socket) => socket.renegotiate({ requestCert: false, rejectUnauthorized: false }, () => socket.end(ok)),
    { ...withoutAsking, maxVersion: 'TLSv1.2' },
  );
  const diagnosis = await trial.diagnose(port);
  expect(diagnosis).toMatchObject({ verdict: 'not-mutual', request: { asked: false }, probe: { status: 204 } });
  expect(codes(diagnosis)).toEqual(['client-certificate-not-requested']);
});
