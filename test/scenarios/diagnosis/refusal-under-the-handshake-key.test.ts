// mbedTLS 3.6 over TLS 1.3 refuses a client certificate with an alert under the key of the handshake. OpenSSL cannot
// open that record; the captured handshake can.
import { expect, it } from 'vitest';
import { codes, findings, statuses, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { serveHandshakeKeyAlert } from '../../support/handshake-capture/handshake-key-alert.ts';
import { mbedtlsRefusal, mbedtlsSecrets } from '../../support/handshake-capture/mbedtls-refusal.ts';
import { replay } from '../../support/handshake-capture/record.ts';

const trial = useDiagnosing();
const unknownCa = 48;
const internalError = 80;

it.each([1, 7, 4096])('the alert of a recorded mbedTLS rejection is read, %d bytes at a time', (chunkSize) => {
  for (const secretsFirst of [true, false]) {
    const capture = replay(mbedtlsRefusal, mbedtlsSecrets, chunkSize, secretsFirst);
    expect(capture).toMatchObject({ protocol: 'TLSv1.3', asked: true, finished: true, stopped: 'undecryptable' });
    expect(capture.alerts).toEqual([
      { level: 'fatal', description: 'unknown_ca', code: unknownCa, encrypted: true, afterFinished: true },
    ]);
  }
});

it('a record that neither key decrypts is not an alert', () => {
  const changed = Buffer.from(mbedtlsRefusal);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  const capture = replay(changed, mbedtlsSecrets, 4096, true);
  expect(capture.alerts).toEqual([]);
  expect(capture.stopped).toBe('undecryptable');
});

it.each([{}, { request: { probe: false } }])('the rejection is reported, with a probe and without', async (options) => {
  const { port } = await serveHandshakeKeyAlert(trial.server, trial.customerRoot.certificate, unknownCa);
  const diagnosis = await trial.diagnose(port, options);
  expect(diagnosis).toMatchObject({ verdict: 'access-refused', certainty: 'observed' });
  expect(statuses(diagnosis)).toBe('passed passed passed warning failed');
  expect(findings(diagnosis).at(-1)).toMatchObject({
    code: 'client-certificate-rejected',
    evidence: { alert: 'unknown_ca' },
  });
  expect(diagnosis.remedies[0]).toMatchObject({ who: 'customer', do: expect.stringMatching(/^Add the root/) });
});

it('an alert that is not about certificates is inferred', async () => {
  const { port } = await serveHandshakeKeyAlert(trial.server, trial.customerRoot.certificate, internalError);
  expect(await trial.diagnose(port)).toMatchObject({ verdict: 'access-refused', certainty: 'inferred' });
});

it('the same server grants access to a certificate that it trusts', async () => {
  const { port } = await serveHandshakeKeyAlert(trial.server, trial.platformRoot.certificate, unknownCa);
  const diagnosis = await trial.diagnose(port);
  expect(diagnosis).toMatchObject({ verdict: 'access-granted', certainty: 'observed' });
  expect(codes(diagnosis)).toEqual(['probe-answered']);
});
