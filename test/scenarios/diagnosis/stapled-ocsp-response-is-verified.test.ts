// The OCSP response that a server staples, made by openssl: who signed it, for which certificate, when, and what it
// says.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { verifyStaple } from '../../../core/diagnosis/ocsp.ts';
import { type Authority, createAuthority, type IssuedCertificate } from '../../../local/authority/authority.ts';
import { codes, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { startOpenssl } from '../../support/openssl.ts';
import { findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';

const clock = { aheadMs: 0 };
const trial = useDiagnosing(() => Date.now() + clock.aheadMs);

interface StapleOptions {
  readonly state?: 'good' | 'revoked' | 'unknown';
  readonly signer?: { readonly certificate: string; readonly privateKey: string };
  readonly args?: readonly string[];
}

/** DER of the response, and the file that holds it. */
function staple(authority: Authority, about: IssuedCertificate, options: StapleOptions = {}) {
  const { state = 'good', signer = authority, args = [] } = options;
  const folder = privateFolder();
  const { serialNumber } = new X509Certificate(about.certificate);
  const line = state === 'revoked' ? 'R\t491231235959Z\t250101000000Z' : 'V\t491231235959Z\t';
  folder.write('index.txt', state === 'unknown' ? '' : `${line}\t${serialNumber}\tunknown\t/CN=api\n`);
  folder.write('ca.pem', authority.certificate);
  folder.write('signer.pem', signer.certificate);
  folder.write('signer.key', signer.privateKey);
  folder.write('leaf.pem', about.certificate);
  const run = (words: string) =>
    execFileSync(findPeer('openssl') ?? 'openssl', words.split(' '), { cwd: folder.path, stdio: 'pipe' });
  run('ocsp -issuer ca.pem -cert leaf.pem -no_nonce -reqout request.der');
  const made = ['-rsigner signer.pem -rkey signer.key -respout response.der', ...args].join(' ');
  run(`ocsp -index index.txt -CA ca.pem -reqin request.der ${made}`);
  return { file: join(folder.path, 'response.der'), der: readFileSync(join(folder.path, 'response.der')) };
}

/** Our own authority makes no certificates of that usage; openssl does. */
function responderOf(authority: Authority, usage: string) {
  const folder = privateFolder();
  folder.write('ca.pem', authority.certificate);
  folder.write('ca.key', authority.privateKey);
  folder.write('usage.cnf', `extendedKeyUsage=${usage}\n`);
  const run = (words: string) =>
    execFileSync(findPeer('openssl') ?? 'openssl', words.split(' '), { cwd: folder.path, stdio: 'pipe' });
  run('req -new -newkey rsa:2048 -nodes -subj /CN=responder -keyout responder.key -out responder.csr');
  run(
    'x509 -req -in responder.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile usage.cnf -out responder.pem',
  );
  const read = (name: string) => readFileSync(join(folder.path, name), 'utf8');
  return { certificate: read('responder.pem'), privateKey: read('responder.key') };
}

describe.skipIf(!findPeer('openssl'))('a stapled OCSP response (needs openssl)', () => {
  const root = trial.customerRoot;
  const leaf = new X509Certificate(trial.server.certificate);
  const issuer = new X509Certificate(root.certificate);
  const now = Date.now();
  const day = 86_400_000;
  const verdict = (options: StapleOptions, at = Date.now()) =>
    verifyStaple(staple(root, trial.server, { args: ['-ndays 7'], ...options }).der, leaf, issuer, at);

  it.each(['good', 'revoked', 'unknown'] as const)('of the issuer with status %s is reported', (state) => {
    expect(verdict({ state })).toMatchObject({ status: state, thisUpdate: expect.any(String) });
  });

  it.each(['-rmd sha384', '-resp_key_id', '-resp_no_certs'])('may be signed with %s', (arg) => {
    expect(verdict({ args: ['-ndays 7', arg] }).status).toBe('good');
  });

  it('signed with a broken hash is ignored', () => {
    expect(verdict({ args: ['-ndays 7', '-rmd sha1'] })).toMatchObject({
      status: 'invalid',
      says: expect.stringContaining('signed'),
    });
  });

  it('is ignored before thisUpdate and after nextUpdate', () => {
    expect(verdict({}, now + 8 * day).status).toBe('stale');
    expect(verdict({}, now - day)).toMatchObject({ status: 'invalid', says: 'is not valid yet' });
    // Revoked stays revoked.
    expect(verdict({ state: 'revoked' }, now + 8 * day).status).toBe('revoked');
  });

  it('for another certificate, or of another authority, is ignored', () => {
    const other = trial.serverWith({});
    expect(verifyStaple(staple(root, other).der, leaf, issuer, now)).toMatchObject({
      says: 'is about another certificate',
    });
    const stranger = createAuthority({ commonName: 'Customer Root' });
    expect(verdict({ signer: stranger }).status).toBe('invalid');
  });

  it('of a delegated responder is used only if the issuer authorized it', () => {
    const plain = root.issue({ commonName: 'responder', usage: 'both' });
    expect(verdict({ signer: plain }).status).toBe('invalid');
    expect(verdict({ signer: responderOf(root, 'OCSPSigning') }).status).toBe('good');
    const stranger = createAuthority({ commonName: 'Customer Root' });
    expect(verdict({ signer: responderOf(stranger, 'OCSPSigning') }).status).toBe('invalid');
  });

  it.each(['TLSv1.2', 'TLSv1.3'])('is read from the handshake over %s', async (maxTlsVersion) => {
    const options = { destination: { maxTlsVersion } };
    const clientRoots = trial.platformRoot.certificate;
    const served = async (state: 'good' | 'revoked') => {
      const { file } = staple(root, trial.server, { state, args: ['-ndays 7'] });
      const { port } = await startOpenssl(trial.server, { clientRoots, args: ['-status_file', file] });
      return await trial.diagnose(port, options);
    };
    const good = await served('good');
    expect(good).toMatchObject({ verdict: 'access-granted', server: { stapledOcsp: 'good' } });
    expect(codes(good)).toEqual(['probe-answered']);
    const revoked = await served('revoked');
    expect(revoked).toMatchObject({ verdict: 'access-granted', server: { stapledOcsp: 'revoked' } });
    expect(revoked.steps[2]).toMatchObject({ status: 'warning', findings: [{ code: 'stapled-ocsp-revoked' }] });
  });

  it.each([
    ['unknown', { state: 'unknown' }, 0],
    ['stale', {}, 8],
    ['invalid', { signer: createAuthority({ commonName: 'Customer Root' }) }, 0],
  ] as const)('that is %s is a warning and no failure', async (status, options, days) => {
    const { file } = staple(root, trial.server, { args: ['-ndays 7'], ...options });
    const clientRoots = trial.platformRoot.certificate;
    const { port } = await startOpenssl(trial.server, { clientRoots, args: ['-status_file', file] });
    clock.aheadMs = days * day;
    onTestFinished(() => {
      clock.aheadMs = 0;
    });
    const diagnosis = await trial.diagnose(port);
    expect(diagnosis).toMatchObject({ verdict: 'access-granted', server: { stapledOcsp: status } });
    expect(diagnosis.steps[2]).toMatchObject({ status: 'warning', findings: [{ code: `stapled-ocsp-${status}` }] });
    expect(diagnosis.remedies).toMatchObject([{ who: 'customer' }]);
  });

  it('with a changed byte is never good, and never breaks the diagnosis', () => {
    const { der } = staple(root, trial.server, { args: ['-ndays 7'] });
    const honest = verifyStaple(der, leaf, issuer, now);
    expect(honest.status).toBe('good');
    const tampered = fc.record({
      at: fc.nat(der.length - 1),
      bits: fc.integer({ min: 1, max: 255 }),
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(tampered, ({ at, bits, cut }) => {
        const bytes = Buffer.from(cut ? der.subarray(0, at) : der);
        if (!cut) bytes[at] = (bytes[at] ?? 0) ^ bits;
        const said = verifyStaple(bytes, leaf, issuer, now);
        // What is around the signed part may be changed without changing what it says.
        if (cut) expect(said.status).not.toBe('good');
        else if (said.status === 'good') expect(said).toEqual(honest);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(verifyStaple(Buffer.from(bytes), leaf, issuer, now).status).toBe('invalid');
      }),
    );
  });
});
