// Apache asking per location: under TLS 1.3 that cannot be met; that maxTlsVersion helps is tried, and said.
import { afterEach, describe, expect, it } from 'vitest';
import { apacheLocation } from '../../servers/apache.ts';
import { missingFor } from '../../servers/listener.ts';
import { openResources } from '../../servers/resources.ts';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { freePort } from '../../support/port.ts';

const trial = useDiagnosing();
const resources = openResources();
afterEach(() => resources.end());

describe.skipIf(missingFor(apacheLocation))('Apache httpd with SSLVerifyClient in a Location (needs apache2)', () => {
  const start = async (clientRoots: string, protocols = 'TLSv1.2 +TLSv1.3', more = {}) => {
    const port = await freePort();
    const listener = {
      port,
      protocol: protocols as 'TLSv1.3',
      chain: trial.server.certificate,
      privateKey: trial.server.privateKey,
      clientRoots,
      ...more,
    };
    await apacheLocation.start([listener], resources);
    return port;
  };

  it('is detected, and a second attempt with TLS 1.2 succeeds', async () => {
    const diagnosis = await trial.diagnose(await start(trial.platformRoot.certificate));
    expect(diagnosis).toMatchObject({
      verdict: 'access-refused',
      certainty: 'observed',
      server: { protocol: 'TLSv1.3', software: 'Apache httpd' },
      request: { asked: false },
      probe: { status: 403 },
    });
    expect(statuses(diagnosis)).toBe('passed passed passed warning failed');
    expect(findings(diagnosis).at(-2)).toMatchObject({ evidence: { page: 'wanted-after-handshake' } });
    expect(findings(diagnosis).at(-1)).toMatchObject({ code: 'tls12-tried', evidence: { worked: true } });
    const [server, destination] = diagnosis.remedies;
    expect(server).toMatchObject({ who: 'customer', directive: expect.stringContaining('SSLVerifyClient require') });
    expect(destination).toMatchObject({ who: 'platform', tried: 'worked' });
    expect(destination?.do).toContain('maxTlsVersion');
  });

  it('grants access by renegotiation, which the report shows', async () => {
    const port = await start(trial.platformRoot.certificate);
    const diagnosis = await trial.diagnose(port, { destination: { maxTlsVersion: 'TLSv1.2' } });
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', request: { asked: true, afterRequest: true } });
    expect(codes(diagnosis)).toEqual(['client-certificate-asked-late', 'probe-answered']);
  });

  it('rejects a client that has no signature algorithm for the renegotiation, which OpenSSL does not show', async () => {
    const port = await start(trial.platformRoot.certificate, 'TLSv1.2', { sha1ClientsOnly: true });
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({
      verdict: 'access-refused',
      certainty: 'inferred',
      request: { asked: true, afterRequest: true },
    });
    expect(findings(diagnosis).at(-1)).toMatchObject({ evidence: { alert: 'handshake_failure' } });
  });

  it('is reported when TLS 1.2 does not help', async () => {
    const diagnosis = await trial.diagnose(await start(trial.customerRoot.certificate));
    expect(diagnosis.verdict).toBe('access-refused');
    expect(diagnosis.remedies.find(({ tried }) => tried)).toMatchObject({ tried: 'did-not-help' });
  });

  it('is not tried with TLS 1.2 if the destination forbids it', async () => {
    const port = await start(trial.platformRoot.certificate);
    const diagnosis = await trial.diagnose(port, { destination: { minTlsVersion: 'TLSv1.3' } });
    expect(codes(diagnosis)).not.toContain('tls12-tried');
  });
});
