// Apache asking for one path alone: the handshake and `/` say nothing of it, and naming the path with the probe does.
import { afterEach, describe, expect, it } from 'vitest';
import { diagnosisLines } from '../../../cli/diagnosis-text.ts';
import { settingsIn } from '../../servers/apache.ts';
import { accepting, openResources } from '../../servers/resources.ts';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';

const trial = useDiagnosing();
const resources = openResources();
afterEach(() => resources.end());

describe.skipIf(!findPeer('apache2'))('Apache httpd that requests the certificate only for /v1 (needs apache2)', () => {
  const start = async () => {
    const folder = resources.folder();
    const port = await freePort();
    folder.write('granted.txt', 'granted\n', 0o644);
    const file = folder.write(
      'httpd.conf',
      `${settingsIn(folder)}
      Listen 127.0.0.1:${port}
      <VirtualHost 127.0.0.1:${port}>
        SSLEngine on
        SSLProtocol TLSv1.2 +TLSv1.3
        SSLCertificateFile ${folder.write('server.pem', trial.server.certificate)}
        SSLCertificateKeyFile ${folder.write('server.key', trial.server.privateKey)}
        SSLCACertificateFile ${folder.write('roots.pem', trial.platformRoot.certificate)}
        AliasMatch ^/ ${folder.path}/granted.txt
        <Location />
          Require all granted
        </Location>
        <Location /v1>
          SSLVerifyClient require
          SSLVerifyDepth 3
        </Location>
      </VirtualHost>`,
    );
    await accepting(resources.start(findPeer('apache2') ?? 'apache2', ['-X', '-f', file], { cwd: folder.path }), [
      port,
    ]);
    return port;
  };
  const text = (diagnosis: Parameters<typeof diagnosisLines>[0]) =>
    diagnosisLines(diagnosis, (_style, words) => words).join('\n');

  it.each(['TLSv1.2', 'TLSv1.3'])(
    'is not reported as a server without client authentication, over %s',
    async (maxTlsVersion) => {
      const options = { path: '/v1/orders?id=1', destination: { maxTlsVersion } };
      const port = await start();
      for (const request of [{}, { probe: false }]) {
        const diagnosis = await trial.diagnose(port, { ...options, request });
        expect(diagnosis).toMatchObject({ verdict: 'not-mutual', certainty: 'inferred', request: { asked: false } });
        expect(findings(diagnosis)).toMatchObject([
          { code: 'client-certificate-not-requested', certainty: 'inferred' },
        ]);
        expect(findings(diagnosis)[0]?.detail).toMatch(/in the handshake.+Some servers ask only for some paths/);
        expect(diagnosis.remedies[0]).toMatchObject({ who: 'caller', do: expect.stringContaining('probe') });
        expect(text(diagnosis)).toContain('--probe /v1/orders\n');
        expect(text(diagnosis)).toContain('client-certificate-not-requested (inferred): ');
      }
      // Where the host alone was given, its first page is what there is to try.
      const plain = await trial.diagnose(port, { destination: { maxTlsVersion } });
      expect(plain).toMatchObject({ verdict: 'not-mutual', certainty: 'observed' });
      expect(findings(plain)[0]?.detail).toContain('nor for GET /.');
      expect(plain.remedies.map(({ who }) => who)).toEqual(['customer']);
      expect(plain.remedies[0]?.do).toContain(`on port ${port}`);
      expect(text(plain)).not.toContain('--probe');
    },
  );

  it.each([
    ['TLSv1.2', 'access-granted', 'passed passed passed passed passed'],
    ['TLSv1.3', 'access-refused', 'passed passed passed warning failed'],
  ])(
    'requests the certificate when that path is probed, over %s, and no finding contradicts it',
    async (maxTlsVersion, verdict, steps) => {
      const options = {
        path: '/v1/orders',
        destination: { maxTlsVersion },
        request: { probe: { path: '/v1/orders' } },
      };
      const diagnosis = await trial.diagnose(await start(), options);
      expect(diagnosis).toMatchObject({ verdict, certainty: 'observed' });
      expect(statuses(diagnosis)).toBe(steps);
      expect(
        findings(diagnosis)
          .map(({ detail }) => detail)
          .join(' '),
      ).not.toMatch(/any client|nor for|only for some/);
      expect(text(diagnosis)).not.toContain('--probe');
      if (verdict === 'access-granted')
        expect(codes(diagnosis)).toEqual(['client-certificate-asked-late', 'probe-answered']);
      else {
        expect(findings(diagnosis)[0]?.detail).toContain('only its response to GET /v1/orders mentions one');
        expect(diagnosis.remedies.find(({ tried }) => tried)).toMatchObject({ who: 'platform', tried: 'worked' });
      }
    },
  );
});
