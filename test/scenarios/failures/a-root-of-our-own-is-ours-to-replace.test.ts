// Certificates in serverRoots: an expired one is the platform's to replace, an issuing authority works, and a renewed
// root is named by its fingerprint and never trusted by its key.
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthority, openAuthority } from '../../../local/authority/authority.ts';
import { codes, findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const diagnosing = useDiagnosing();
const ok = 'HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n';
const day = 86_400_000;
const past = { notBefore: new Date(Date.now() - 3000 * day), notAfter: new Date(Date.now() - 20 * day) };
const ca = trial.platformRoot.certificate + diagnosing.platformRoot.certificate;

const old = createAuthority({ commonName: 'Corp root', ...past });
const renewed = createAuthority({ commonName: 'Corp root', privateKey: old.privateKey });
const renewedPrint = new X509Certificate(renewed.certificate).fingerprint256;
const leaf = renewed.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });

function served(intermediates: string) {
  return serveHttps({ ...leaf, intermediates }, (socket) => socket.end(ok), { rejectUnauthorized: true, ca });
}

describe.each([
  ['is not served', '', undefined],
  ['is served', renewed.certificate, renewedPrint],
])('an expired root in serverRoots, whose renewal %s', (_what, intermediates, renewedRoot) => {
  it('is a fault that the platform must mend', async () => {
    const { port } = await served(intermediates);
    const destination = { serverRoots: old.certificate };
    const problem = await trial.fails('server-certificate-expired', port, { destination });
    expect(problem.hint).toMatch(/^The platform must replace/);
    expect(problem.detail).toMatch(/^A certificate in the serverRoots of the destination \(CN=Corp root\) expired/);
    const evidence = { reason: 'CERT_HAS_EXPIRED', subject: 'CN=Corp root', inServerRoots: true };
    expect(problem.evidence).toMatchObject(evidence);
    expect(problem.evidence.renewedRoot).toBe(renewedRoot);

    const diagnosis = await diagnosing.diagnose(port, { destination });
    expect(codes(diagnosis).slice(0, 1)).toEqual(['server-certificate-expired']);
    expect(findings(diagnosis)[0]?.evidence).toMatchObject(evidence);
    expect(findings(diagnosis)[0]?.evidence?.renewedRoot).toBe(renewedRoot);
    expect(diagnosis.remedies[0]).toMatchObject({
      who: 'platform',
      do: expect.stringMatching(/^Replace CN=Corp root/),
    });
    expect(diagnosis.remedies.map(({ who }) => who)).not.toContain('customer');
  });
});

describe('a chain below a valid root', () => {
  it('works with the renewed root, beside the expired one too', async () => {
    const { port } = await served('');
    for (const serverRoots of [renewed.certificate, old.certificate + renewed.certificate]) {
      expect((await trial.call(port, { destination: { serverRoots } })).body).toMatchObject({ status: 204 });
      const diagnosis = await diagnosing.diagnose(port, { destination: { serverRoots } });
      expect(diagnosis.verdict).toBe('access-granted');
    }
  });

  it('works with the issuing authority alone', async () => {
    const root = createAuthority({ commonName: 'Root above' });
    const issuer = root.intermediate({ commonName: 'Issuer' });
    const own = issuer.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
    const { port } = await serveHttps(own, (socket) => socket.end(ok), { rejectUnauthorized: true, ca });
    const destination = { serverRoots: issuer.certificate };
    expect((await trial.call(port, { destination })).body).toMatchObject({ status: 204 });
    expect((await diagnosing.diagnose(port, { destination })).verdict).toBe('access-granted');
  });

  it('is not trusted because another root has the same name and key', async () => {
    const other = createAuthority({ commonName: 'Corp root' });
    const { port } = await served(renewed.certificate);
    const destination = { serverRoots: other.certificate };
    await trial.fails('server-certificate-untrusted', port, { destination });
    const diagnosis = await diagnosing.diagnose(port, { destination });
    const evidence = findings(diagnosis)[0]?.evidence;
    expect(evidence).toMatchObject({ reason: 'unknown-root', fingerprint256: renewedPrint });
    expect(evidence).not.toHaveProperty('renewedRoot');
  });
});

it('an expired certificate that the server sends is a fault of the customer', async () => {
  const own = openAuthority(trial.customerRoot.certificate, trial.customerRoot.privateKey)
    .intermediate({ commonName: 'Issuer', ...past })
    .issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const { port } = await serveHttps(own, (socket) => socket.end(ok));
  const destination = { serverRoots: trial.customerRoot.certificate };
  const problem = await trial.fails('server-certificate-expired', port, { destination });
  expect(problem.evidence).not.toHaveProperty('inServerRoots');
  const diagnosis = await diagnosing.diagnose(port, { destination });
  expect(diagnosis.remedies[0]?.who).toBe('customer');
});

it('an unrelated served certificate does not turn an unknown root into a missing intermediate', async () => {
  const stranger = createAuthority({ commonName: 'Stranger root' });
  const stray = createAuthority({ commonName: 'Another root' });
  const own = stranger
    .intermediate({ commonName: 'Stranger issuer' })
    .issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const { port } = await serveHttps({ ...own, intermediates: own.intermediates + stray.certificate }, (socket) =>
    socket.end(ok),
  );
  const diagnosis = await diagnosing.diagnose(port);
  expect(findings(diagnosis).find(({ code }) => code === 'server-certificate-untrusted')?.evidence).toMatchObject({
    reason: 'unknown-root',
    missingIssuer: 'CN=Stranger root',
  });
});
