// A server asks for a certificate with a CertificateRequest; what merely looks like asking makes no connection mutual.
import { afterEach, describe, expect, it } from 'vitest';
import { apacheLocation } from '../../servers/apache.ts';
import { missingFor } from '../../servers/listener.ts';
import { openResources } from '../../servers/resources.ts';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { freePort } from '../../support/port.ts';
import { serveBetween, serveHttps, serveTls } from '../../support/servers.ts';

const trial = useDiagnosing();
const ok = 'HTTP/1.1 204 No Content\r\n\r\n';
const withoutAsking = { requestCert: false } as const;

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (maxVersion) => {
  it('a HelloRequest before the handshake does not count', async () => {
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

it('a renegotiation without a CertificateRequest does not count', async () => {
  const { port } = await serveHttps(
    trial.server,
    (socket) => socket.renegotiate({ requestCert: false, rejectUnauthorized: false }, () => socket.end(ok)),
    { ...withoutAsking, maxVersion: 'TLSv1.2' },
  );
  const diagnosis = await trial.diagnose(port);
  expect(diagnosis).toMatchObject({ verdict: 'not-mutual', request: { asked: false }, probe: { status: 204 } });
  expect(codes(diagnosis)).toEqual(['client-certificate-not-requested']);
});

describe('a handshake that can be read only in part', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is still read after 40 certificates over %s', async (maxVersion) => {
    const root = trial.customerRoot.certificate;
    const certificate = { ...trial.server, intermediates: root.repeat(39) };
    const { port } = await serveHttps(certificate, (socket) => socket.end(ok), {
      maxVersion,
      rejectUnauthorized: true,
      ca: trial.platformRoot.certificate,
    });
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'observed', request: { asked: true } });
    expect(diagnosis.server?.chain).toHaveLength(32);
    expect(diagnosis.request?.acceptableIssuerCount).toBe(1);
  });

  /** OpenSSL passes over each of them; the reader has had enough at half a megabyte. */
  const behindMany = (port: number) => {
    const many = Buffer.from('160303000400000000'.repeat(60_000), 'hex');
    let isFirst = true;
    return serveBetween(port, (bytes) => {
      const passed = isFirst ? Buffer.concat([many, bytes]) : bytes;
      isFirst = false;
      return passed;
    });
  };

  it.each([true, false])(
    'still shows through Node that the server requested the certificate: %s',
    async (requestCert) => {
      const { port } = await serveHttps(trial.server, (socket) => socket.end(ok), {
        maxVersion: 'TLSv1.2',
        requestCert,
      });
      const diagnosis = await trial.diagnose((await behindMany(port)).port);
      expect(diagnosis).toMatchObject({
        verdict: requestCert ? 'access-granted' : 'not-mutual',
        certainty: requestCert ? 'observed' : 'inferred',
        request: { asked: requestCert },
      });
      expect(statuses(diagnosis)).toBe(`passed passed passed ${requestCert ? 'passed passed' : 'failed skipped'}`);
      expect(diagnosis.server?.chain).toMatchObject([{ subject: 'CN=api' }]);
      expect(diagnosis.steps[3]?.findings[0]).toMatchObject({
        code: 'handshake-not-read',
        evidence: { stopped: 'too-long' },
      });
    },
  );

  it('still shows that the server rejects the certificate', async () => {
    const ca = trial.customerRoot.certificate;
    const { port } = await serveTls(trial.server, () => {}, { maxVersion: 'TLSv1.2', rejectUnauthorized: true, ca });
    const diagnosis = await trial.diagnose((await behindMany(port)).port);
    expect(diagnosis).toMatchObject({ verdict: 'access-refused', request: { asked: true } });
    expect(codes(diagnosis)).toContain('client-certificate-rejected');
  });
});

describe.skipIf(missingFor(apacheLocation))('Apache httpd with SSLVerifyClient in a Location (needs apache2)', () => {
  const resources = openResources();
  afterEach(() => resources.end());

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'fails a requireMutual call, because it requests the certificate too late, over %s',
    async (protocol) => {
      const port = await freePort();
      const { certificate: chain, privateKey } = trial.server;
      const clientRoots = trial.platformRoot.certificate;
      await apacheLocation.start([{ port, protocol, chain, privateKey, clientRoots }], resources);
      const free = await trial.diagnose(port);
      expect(free.verdict).toBe(protocol === 'TLSv1.2' ? 'access-granted' : 'access-refused');
      const demanding = await trial.diagnose(port, { destination: { requireMutual: true } });
      expect(demanding).toMatchObject({ verdict: 'not-mutual', certainty: 'observed' });
      expect(statuses(demanding)).toBe('passed passed passed failed skipped');
      const failure = findings(demanding).find(({ severity }) => severity === 'failure');
      expect(failure).toMatchObject({
        code: 'client-certificate-not-requested',
        detail: expect.stringContaining('requireMutual'),
      });
    },
  );
});

it.each([70, 45])('an unencrypted warning alert %d is not reported as the cause of a later close', async (code) => {
  const stranger = trial.customerRoot.certificate;
  const { port } = await serveTls(trial.server, () => {}, {
    maxVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ca: stranger,
  });
  let isFirst = true;
  const between = await serveBetween(port, (bytes) => {
    const passed = isFirst ? Buffer.concat([Buffer.of(21, 3, 3, 0, 2, 1, code), bytes]) : bytes;
    isFirst = false;
    return passed;
  });
  const [direct, through] = [await trial.diagnose(port), await trial.diagnose(between.port)];
  expect(direct.verdict).toBe('access-refused');
  expect(through).toMatchObject({ verdict: direct.verdict, certainty: direct.certainty });
  expect(codes(through)).toEqual(codes(direct));
  expect(findings(through).at(-1)?.detail).toBe(findings(direct).at(-1)?.detail);
});
