// `countersign identity csr` and `complete` on a directory: the stored key, the signed certificate, and its faults.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directorySource } from '../../../core/identity/directory.ts';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import { type Authority, createAuthority } from '../../../local/authority/authority.ts';
import { authorities, contentsOf, day, expired, ground, issue, neverPrint } from '../../support/cli/identity-ground.ts';

const { platformIssuer } = authorities;

/** As an authority answers a request: the certificate, and its chain where `withChain`. */
function signed(
  request: string,
  authority: Authority = platformIssuer,
  dates: { notBefore?: Date; notAfter?: Date } = {},
) {
  const asked = readCertificateRequest(request);
  if (!asked) throw new Error('The request cannot be read.');
  const { subject, publicKey, alternativeNames } = asked;
  return authority.certify({
    subject,
    publicKey,
    ...(alternativeNames && { alternativeNames }),
    usage: 'client',
    ...dates,
  });
}

/** The key that waits; no output may hold it. */
function keyThatWaits(directory: string, name: string): string {
  const { privateKey } = JSON.parse(readFileSync(join(directory, `.countersign/${name}.request.json`), 'utf8'));
  neverPrint(privateKey);
  return privateKey;
}

describe('a first certificate', () => {
  it('without destinations has a warning in JSON as well', async () => {
    const { directory, folder, identity, json } = ground();
    const asked = await identity(['csr', 'acme']);
    keyThatWaits(directory, 'acme');
    const issued = signed(asked.out);
    const file = folder.write('acme.pem', issued.certificate + issued.intermediates + issued.root);
    const { answer, error } = await json(['complete', 'acme', '--certificate', file]);
    const [warning] = answer.warnings;
    expect(warning).toMatchObject({ code: 'any-public-host' });
    expect(error).toContain(warning.sentence);
  });

  it('is requested with a key that stays local, and completes the identity', async () => {
    const { directory, folder, identity, json } = ground();
    const asked = await identity(['csr', 'acme', '--subject', 'CN=bot,O=Acme', '--name', 'dns:bot.acme.example']);
    expect(asked.code).toBe(0);
    // Standard output is the request and nothing else: `> request.pem`.
    expect(asked.out).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n[^-]+-----END CERTIFICATE REQUEST-----\n$/);
    expect(asked.error).toContain(
      `A new key is stored in the directory ${directory}. This is its certificate request.\n`,
    );
    expect(asked.error).toContain('countersign identity complete acme --certificate FILE\n');
    const key = keyThatWaits(directory, 'acme');
    const file = join(directory, '.countersign/acme.request.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);

    // Shown again as often as it is wanted, and listed as what it is.
    expect((await identity(['csr', 'acme'])).out).toBe(asked.out);
    expect((await json(['list'])).answer.identities).toEqual([
      { identity: 'acme', isUsable: false, problem: expect.objectContaining({ reason: 'request-waits' }) },
    ]);
    expect(await identity(['inspect', 'acme'])).toMatchObject({
      code: 1,
      error: '"acme" has nothing at AWSCURRENT. A certificate request waits: countersign identity csr shows it.\n',
    });
    expect((await json(['destinations', 'acme', 'list'])).answer.error.code).toBe('no-version');

    const issued = signed(asked.out);
    const all = folder.write('back.pem', issued.certificate + issued.intermediates + issued.root);
    const done = await json(['complete', 'acme', '--certificate', all, '--destination', 'api.acme.example']);
    expect([done.code, done.answer]).toMatchObject([
      0,
      { outcome: 'activated', chain: [{ role: 'client', subject: 'CN=bot, O=Acme' }, {}, { role: 'root' }] },
    ]);
    const { document } = await directorySource(directory).read('acme', 'AWSCURRENT');
    const stored = JSON.parse(document);
    expect(stored).toMatchObject({ certificate: issued.certificate, destinations: [{ host: 'api.acme.example' }] });
    expect(createPublicKey(stored.privateKey).equals(createPublicKey(key))).toBe(true);
    expect(new X509Certificate(stored.certificate).subjectAltName).toBe('DNS:bot.acme.example');
    expect(existsSync(file)).toBe(false);
    expect((await json(['complete', 'acme', '--certificate', all])).answer.error.code).toBe('no-request');
  });
});

describe('the next certificate', () => {
  it('has the subject, names and key algorithm of the current one, and needs no chain', async () => {
    const { directory, folder, put, json, identity } = ground();
    const current = issue('bot', { names: ['bot.acme.example'], keyAlgorithm: 'RSA_2048' });
    put('acme', current, [{ host: 'api.acme.example' }]);
    const { answer } = await json(['csr', 'acme']);
    keyThatWaits(directory, 'acme');
    expect(answer).toMatchObject({ identity: 'acme', made: true, subject: 'CN=bot' });
    const fields = readCertificateRequest(answer.certificateRequest);
    expect(fields?.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    const again = await json(['csr', 'acme']);
    expect(again.answer).toEqual({ ...answer, made: false });

    // DER, and nothing but the certificate: the chain in use leads to its root.
    const { certificate } = signed(answer.certificateRequest);
    const file = join(folder.path, 'back.cer');
    writeFileSync(file, new X509Certificate(certificate).raw);
    const done = await json(['complete', 'acme', '--certificate', file]);
    expect([done.code, done.answer.outcome]).toEqual([0, 'activated']);
    const stored = JSON.parse((await directorySource(directory).read('acme', 'AWSCURRENT')).document);
    expect(stored).toMatchObject({ certificate, destinations: [{ host: 'api.acme.example' }] });
    expect(new X509Certificate(certificate).subjectAltName).toBe('DNS:bot.acme.example');
    expect((await json(['inspect', 'acme', '--stage', 'previous'])).answer.certificates[0].fingerprint256).toBe(
      new X509Certificate(current.certificate).fingerprint256,
    );
    expect(await identity(['rollback', 'acme', '--yes'])).toMatchObject({ code: 0 });
  });

  it('keeps the current key with --reuse-key, and takes a new authority from --chain', async () => {
    const { directory, folder, put, json } = ground();
    const current = issue();
    put('acme', current, [{ host: 'api.acme.example' }]);
    const { answer, error } = await json(['csr', 'acme', '--reuse-key']);
    expect(error).toContain(
      `The current key is used in the directory ${directory}. This is its certificate request.\n`,
    );
    const other = createAuthority({ commonName: 'Other Root' }).intermediate({ commonName: 'Other Issuer' });
    const issued = signed(answer.certificateRequest, other);
    const file = folder.write('back.pem', issued.certificate);
    const missing = await json(['complete', 'acme', '--certificate', file]);
    expect([missing.code, missing.answer.findings[0]]).toMatchObject([
      1,
      { code: 'issuer-missing', sentence: expect.stringContaining('CN=Other Issuer') },
    ]);
    const chain = [folder.write('root.pem', issued.root), folder.write('issuer.pem', issued.intermediates)];
    const done = await json(['complete', 'acme', '--certificate', file, '--chain', ...chain]);
    expect([done.code, done.answer.chain.map(({ subject }: { subject: string }) => subject)]).toEqual([
      0,
      ['CN=bot', 'CN=Other Issuer', 'CN=Other Root'],
    ]);
    expect(JSON.parse((await directorySource(directory).read('acme', 'AWSCURRENT')).document).privateKey).toBe(
      current.privateKey,
    );
  });

  it('that is for another key, expired or for a server changes nothing, and the request stays open', async () => {
    const { directory, folder, put, json } = ground();
    put('acme', issue('in-use'), [{ host: 'api.acme.example' }]);
    const { answer } = await json(['csr', 'acme']);
    keyThatWaits(directory, 'acme');
    const before = contentsOf(directory);
    const past = { notBefore: new Date(Date.now() - 90 * day), notAfter: new Date(Date.now() - day) };
    const asked = readCertificateRequest(answer.certificateRequest);
    if (!asked) throw new Error('The request cannot be read.');
    const server = platformIssuer.certify({ subject: asked.subject, publicKey: asked.publicKey, usage: 'server' });
    const wrong: readonly (readonly [string, string])[] = [
      [issue('somebody-else').certificate, 'key-without-certificate'],
      [expired('somebody-else').certificate, 'key-without-certificate'],
      [signed(answer.certificateRequest, platformIssuer, past).certificate, 'expired'],
      [server.certificate, 'extended-key-usage'],
      // Beside it stands that a request was given in its place.
      [answer.certificateRequest, 'key-without-certificate'],
    ];
    for (const [index, [text, code]] of wrong.entries()) {
      const file = folder.write(`${index}.pem`, text);
      const ran = await json(['complete', 'acme', '--certificate', file]);
      expect([ran.code, ran.answer.outcome, ran.answer.findings[0].code]).toEqual([1, 'refused', code]);
      if (code === 'key-without-certificate')
        expect(ran.answer.findings[0].sentence).toContain(
          'The private key in the request that waits does not belong to any certificate',
        );
      if (text === answer.certificateRequest) expect(ran.answer.findings[1].code).toBe('certificate-request');
    }
    expect(contentsOf(directory)).toEqual(before);
    const missing = await json(['complete', 'acme', '--certificate', 'nowhere.pem']);
    expect([missing.code, missing.answer.error.detail]).toEqual([2, 'There is no file nowhere.pem.']);
  });

  it('must come without a key, which the signer would know', async () => {
    const { directory, folder, put, pem, json } = ground();
    put('acme', issue('in-use'), [{ host: 'api.acme.example' }]);
    const { answer } = await json(['csr', 'acme']);
    const waiting = keyThatWaits(directory, 'acme');
    const before = contentsOf(directory);
    const stranger = createAuthority({ commonName: 'Strange Root' });
    const theirs = issue('stranger', {}, stranger);
    const { certificate, intermediates, root } = signed(answer.certificateRequest);
    const good = folder.write('good.pem', certificate + intermediates + root);
    const cells = [
      ['--certificate', pem('theirs.pem', theirs)],
      // Beside the right certificate, which would be passed over where the other one is preferred.
      ['--certificate', folder.write('both.pem', certificate + theirs.privateKey + theirs.certificate + theirs.root)],
      ['--certificate', good, '--chain', pem('chain.pem', theirs)],
      // The open request does not concern the authority either.
      ['--certificate', folder.write('ours.pem', waiting + certificate)],
    ];
    for (const args of cells) {
      const ran = await json(['complete', 'acme', ...args]);
      expect([ran.code, ran.answer.error?.code], args.join(' ')).toEqual([1, 'key-not-wanted']);
      expect(ran.answer.error.detail).toMatch(/^\w+\.pem\b.* contains a private key\./);
    }
    expect(contentsOf(directory)).toEqual(before);
    expect((await json(['complete', 'acme', '--certificate', good])).code).toBe(0);
    const stored = JSON.parse((await directorySource(directory).read('acme', 'AWSCURRENT')).document);
    expect(createPublicKey(stored.privateKey).equals(createPublicKey(waiting))).toBe(true);
  });

  it('--new discards a key only after the new one is stored', async () => {
    const { directory, put, json, identity } = ground();
    put('acme', issue('in-use'), [{ host: 'api.acme.example' }]);
    const { answer } = await json(['csr', 'acme', '--key', 'ec_p384']);
    const first = keyThatWaits(directory, 'acme');
    const changed = await json(['csr', 'acme', '--subject', 'CN=other']);
    expect([changed.code, changed.answer.error.code]).toEqual([1, 'request-waits']);
    for (const wrong of [
      ['--subject', 'no name'],
      ['--name', 'what:ever'],
      ['--key', 'DSA'],
    ]) {
      const ran = await identity(['csr', 'acme', '--new', ...wrong]);
      expect(ran.code).not.toBe(0);
      expect(ran.error).not.toContain('defect');
      expect(keyThatWaits(directory, 'acme')).toBe(first);
    }
    const anew = await json(['csr', 'acme', '--new']);
    expect([anew.code, anew.answer.made]).toEqual([0, true]);
    expect(keyThatWaits(directory, 'acme')).not.toBe(first);
    expect(anew.answer.certificateRequest).not.toBe(answer.certificateRequest);
    expect(readCertificateRequest(answer.certificateRequest)?.publicKey.asymmetricKeyDetails?.namedCurve).toBe(
      'secp384r1',
    );
  });

  it('a damaged request or a damaged identity is one error sentence', async () => {
    const { directory, put, identity, json } = ground();
    put('acme', issue('in-use'), [{ host: 'api.acme.example' }]);
    await json(['csr', 'acme']);
    keyThatWaits(directory, 'acme');
    const file = join(directory, '.countersign/acme.request.json');
    writeFileSync(file, readFileSync(file).subarray(0, 100));
    expect(await identity(['csr', 'acme'])).toMatchObject({
      code: 1,
      out: '',
      error: `The certificate request in ${file} cannot be read. Remove it.\n`,
    });
    put('other', issue('other'), []);
    writeFileSync(join(directory, 'other/destinations.json'), '{');
    expect(await identity(['csr', 'other'])).toMatchObject({ code: 1, error: expect.stringContaining('is not JSON') });
    const { answer } = await json(['csr', 'other', '--subject', 'CN=other']);
    expect(answer).toMatchObject({ made: true, subject: 'CN=other' });
    keyThatWaits(directory, 'other');
  });

  it('is not available through rotate, which a directory does not support', async () => {
    const { put, identity } = ground();
    put('acme', issue());
    expect(await identity(['rotate', 'acme'])).toMatchObject({
      code: 1,
      out: '',
      error: 'Secrets Manager rotates, a directory does not. Renew it with countersign identity renew acme.\n',
    });
    expect(await identity(['rotate', 'acme', '--timeout', '0'])).toMatchObject({ code: 2 });
  });
});
