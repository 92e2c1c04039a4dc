// Certificates of a hostile server on which Node or a careless line of ours would end the process: each ends one call.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveHttps } from '../../support/servers.ts';
import { serverNames, useTrial } from '../../support/trial.ts';

const trial = useTrial();
const diagnosing = useDiagnosing();

/** A curve without a NIST name: Node 24.21 dies when it puts such a key into its old form of a certificate. */
const oddKey = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const answer = (certificate: IssuedCertificate, version: 'TLSv1.2' | 'TLSv1.3') =>
  serveHttps(certificate, (socket) => socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n'), {
    maxVersion: version,
    minVersion: version,
  });

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (version) => {
  it.each(['secp256k1', 'brainpoolP256r1', 'brainpoolP384r1'])(
    'an unknown issuer with a key on %s is reported as untrusted',
    async (curve) => {
      const issuer = createAuthority({ commonName: 'Odd', privateKey: oddKey(curve) });
      const server = issuer.issue({ commonName: 'api', names: serverNames, usage: 'server' });
      const { port } = await answer({ ...server, intermediates: issuer.certificate }, version);
      await trial.fails('server-certificate-untrusted', port);
      expect((await diagnosing.diagnose(port)).verdict).toBe('server-not-trusted');
    },
  );

  it('a certificate that imitates the issuer of a trusted one changes nothing', async () => {
    for (const { authorities, served } of [
      { authorities: trial.customerRoot, served: trial.server },
      { authorities: diagnosing.customerRoot, served: diagnosing.server },
    ]) {
      const decoy = createAuthority({
        commonName: 'Customer Root',
        privateKey: oddKey('secp256k1'),
        keyIdentifier: keyIdentifierOf(authorities.certificate),
      });
      expect(new X509Certificate(served.certificate).checkIssued(new X509Certificate(decoy.certificate))).toBe(true);
      const { port } = await answer({ ...served, intermediates: decoy.certificate }, version);
      if (served === trial.server) expect((await trial.call(port)).body).toMatchObject({ status: 204 });
      else expect((await diagnosing.diagnose(port)).verdict).toBe('access-granted');
    }
  });

  it('an unreadable date is left out of the error', async () => {
    const expired = { notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') };
    const server = trial.serverWith(expired);
    const der = Buffer.from(new X509Certificate(server.certificate).raw);
    der.write('XXXXXXXXXXXXX', der.indexOf('200101000000Z'), 'latin1');
    const certificate = `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    const { port } = await answer({ ...server, certificate }, version);
    const { statusCode, body } = await trial.call(port);
    expect({ statusCode, step: body.step }).toEqual({ statusCode: 502, step: 3 });
    expect((await diagnosing.diagnose(port)).verdict).toBe('server-not-trusted');
  });
});

/** The subject key identifier, as OpenSSL wrote it into the DER: OID 2.5.29.14, an octet string in an octet string. */
function keyIdentifierOf(pem: string): string {
  const der = new X509Certificate(pem).raw;
  const at = der.indexOf(Buffer.from('0603551d0e0416', 'hex')) + 9;
  return der.subarray(at, at + 20).toString('hex');
}
