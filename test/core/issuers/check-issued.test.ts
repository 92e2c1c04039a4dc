// Of an issuer's answer nothing is trusted: each way in which it can be wrong has its reason, and a chain out of order
// is put in order.
import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { unusableReasons } from '../../../core/identity/unusable.ts';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { type ExpectedCertificate, usableParts } from '../../../core/issuers/check-issued.ts';
import { issuedReasons } from '../../../core/issuers/issuer-response.ts';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import { encodeName } from '../../../core/x509/distinguished-name.ts';
import { type Authority, createAuthority, type PublicRequest } from '../../../local/authority/authority.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { privateFolder } from '../../support/program.ts';

const day = 86_400_000;
const now = Date.now();
const inDays = (days: number) => new Date(now + days * day);

const root = createAuthority({ commonName: 'Root' });
const upper = root.intermediate({ commonName: 'Upper' });
const issuer = upper.intermediate({ commonName: 'Issuer' });
const privateKey = await newPrivateKey('EC_P256');
const request = certificateRequest({
  privateKey,
  subject: 'CN=bot,O=Acme',
  names: ['dns:bot.acme.example', 'ip:127.0.0.1'],
});
const asked = readCertificateRequest(request);
if (!asked) throw new Error('The request cannot be read.');

/** PEM of the certificate alone. */
function sign(change: Partial<PublicRequest> = {}, by: Authority = issuer): string {
  const { subject, publicKey, alternativeNames } = asked as NonNullable<typeof asked>;
  return by.certify({
    subject,
    publicKey,
    alternativeNames,
    usage: 'client',
    notBefore: inDays(-1),
    notAfter: inDays(90),
    ...change,
  }).certificate;
}

const above = issuer.certificate + upper.certificate + root.certificate;
const current = root.issue({ commonName: 'bot', notBefore: inDays(-80), notAfter: inDays(10) });

function use(certificates: string, change: Partial<ExpectedCertificate> = {}) {
  return usableParts({ certificates }, { identity: 'bot', privateKey, certificateRequest: request, now, ...change });
}

async function reasonOf(certificates: string, change: Partial<ExpectedCertificate> = {}): Promise<unknown> {
  const failure = await failureOf(() => use(certificates, change));
  expect(failure.code).toBe('issued-certificate-unusable');
  expect(failure.message).toMatch(/^[^\n]{10,300}\.$/);
  expect(failure.message).not.toContain('BEGIN');
  expect(failure.cause).toBeUndefined();
  expect([...issuedReasons, ...unusableReasons]).toContain(failure.evidence?.reason);
  return failure.evidence?.reason;
}

describe('a sound certificate is accepted', () => {
  const leaf = sign();
  const parts = {
    certificate: leaf,
    intermediateCertificates: issuer.certificate + upper.certificate,
    rootCertificate: root.certificate,
  };

  it('in order', () => {
    expect(use(leaf + above)).toEqual(parts);
  });

  it('out of order, with duplicates, text and an unrelated certificate', () => {
    const stranger = createAuthority({ commonName: 'Root' }).certificate;
    const text = `Bag Attributes: x\n${root.certificate}${stranger}\r\nsubject=CN=bot\n${upper.certificate}${leaf}${upper.certificate}${issuer.certificate}end`;
    expect(use(text)).toEqual(parts);
  });

  it('completed with certificates of the identity that the issuer left out', () => {
    const { certificate, root: rootCertificate } = current;
    expect(use(leaf + issuer.certificate + upper.certificate, { current: { certificate, rootCertificate } })).toEqual(
      parts,
    );
    const intermediateCertificates = issuer.certificate + upper.certificate;
    expect(use(leaf, { current: { certificate, intermediateCertificates, rootCertificate } })).toEqual(parts);
  });

  it('below the root that customers trust, if there are two', () => {
    const fresh = createAuthority({ commonName: 'New Root' });
    const crossed = root.intermediate({ commonName: 'New Root', privateKey: fresh.privateKey });
    const bundle = sign({}, fresh) + fresh.certificate + crossed.certificate;
    expect(use(bundle).rootCertificate).toBe(fresh.certificate);
    const renewed = use(bundle, { current: { certificate: current.certificate, rootCertificate: root.certificate } });
    expect(renewed.rootCertificate).toBe(root.certificate);
  });

  it('with an end no earlier than the current one, to the second', () => {
    const notAfter = new Date(new X509Certificate(current.certificate).validTo);
    expect(
      use(sign({ notAfter }) + above, { current: { ...current, rootCertificate: root.certificate } }),
    ).toBeDefined();
  });

  it('below an issuer that ends before it, where the current chain ends no later', () => {
    const ending = root.intermediate({ commonName: 'Issuer', notAfter: inDays(5) });
    const own = ending.issue({ commonName: 'bot', notAfter: inDays(10) });
    const chain = { intermediateCertificates: own.intermediates, rootCertificate: own.root };
    expect(use(sign({}, ending), { current: { certificate: own.certificate, ...chain } })).toBeDefined();
  });

  it('for less than two thirds of its life, if it replaces an expired one', () => {
    const ending = root.intermediate({ commonName: 'Issuer', notAfter: inDays(5) });
    const old = root.issue({ commonName: 'bot', notBefore: inDays(-90), notAfter: inDays(-1) });
    const chain = { certificate: old.certificate, rootCertificate: root.certificate };
    expect(use(sign({}, ending) + ending.certificate, { current: chain })).toBeDefined();
  });

  it('as the first one below an issuer that is valid until a renewal is due', () => {
    const ending = root.intermediate({ commonName: 'Issuer', notAfter: inDays(61) });
    expect(use(sign({}, ending) + ending.certificate + root.certificate)).toBeDefined();
  });

  it('without extended key usages, which allows every use', () => {
    expect(use(sign({ usage: 'none' }) + above)).toBeDefined();
  });

  it('with its subject in other kinds of string and another case (RFC 5280, section 7.1)', () => {
    expect(use(sign({ subject: encodeName('CN=#1303424F54,O=acme') }) + above)).toBeDefined();
  });

  it('with additional names, and host names in another case', () => {
    const more = ['dns:also.acme.example', 'ip:127.0.0.1', 'dns:BOT.Acme.example'];
    const fields = readCertificateRequest(certificateRequest({ privateKey, subject: 'CN=x', names: more }));
    expect(use(sign({ alternativeNames: fields?.alternativeNames }) + above)).toBeDefined();
  });

  it('when the clock of the issuer is a minute ahead', () => {
    expect(use(sign({ notBefore: new Date(now + 59_000) }) + above)).toBeDefined();
  });
});

/** Below the root, for the key and with the names of the request, with such basic constraints. */
function signedWithOpenssl(basicConstraints: string): string {
  const folder = privateFolder();
  folder.write('request.pem', request);
  folder.write('root.pem', root.certificate);
  folder.write('root.key', root.privateKey);
  folder.write(
    'extensions',
    `basicConstraints=${basicConstraints}\nkeyUsage=digitalSignature,keyCertSign\nextendedKeyUsage=clientAuth\n`,
  );
  const at = (name: string) => join(folder.path, name);
  const files = [
    '-in',
    at('request.pem'),
    '-CA',
    at('root.pem'),
    '-CAkey',
    at('root.key'),
    '-extfile',
    at('extensions'),
  ];
  const more = ['-days', '90', '-copy_extensions', 'copy', '-set_serial', '7'];
  return execFileSync('openssl', ['x509', '-req', ...files, ...more], { encoding: 'utf8', stdio: 'pipe' });
}

it('accepts a client certificate of OpenSSL that is not an authority', () => {
  expect(use(signedWithOpenssl('CA:FALSE') + root.certificate).rootCertificate).toBe(root.certificate);
});

describe('an unsound certificate is rejected', () => {
  const others = createAuthority({ commonName: 'Other' });
  const namesOf = (names: string[]) =>
    readCertificateRequest(certificateRequest({ privateKey, subject: 'CN=x', names }))?.alternativeNames;
  const otherKey = createPublicKey(others.privateKey);
  const withCurrent = { current: { certificate: current.certificate, rootCertificate: root.certificate } };
  const expired = upper.intermediate({ commonName: 'Issuer', notBefore: inDays(-9), notAfter: inDays(-1) });
  const ending = root.intermediate({ commonName: 'Issuer', notAfter: inDays(9) });
  const endingRoot = createAuthority({ commonName: 'Ending Root', notAfter: inDays(9) });
  const renewed = sign();
  const rsa = createAuthority({ commonName: 'RSA', keyAlgorithm: 'RSA_2048' });

  const cases: Record<string, [() => string, string, Partial<ExpectedCertificate>?]> = {
    'a certificate for another key': [() => sign({ publicKey: otherKey }) + above, 'key-mismatch'],
    'the chain alone': [() => above, 'key-mismatch'],
    'an expired certificate': [() => sign({ notBefore: inDays(-9), notAfter: inDays(-1) }) + above, 'expired'],
    'an expired issuer': [
      () => sign({}, expired) + expired.certificate + upper.certificate + root.certificate,
      'expired',
    ],
    'a certificate of tomorrow': [() => sign({ notBefore: inDays(1) }) + above, 'not-yet-valid'],
    'a clock that is more than a minute ahead': [
      () => sign({ notBefore: new Date(now + 62_000) }) + above,
      'not-yet-valid',
    ],
    'a certificate for servers': [() => sign({ usage: 'server' }) + above, 'no-client-authentication'],
    'a certificate for code': [() => sign({ usage: 'codeSigning' }) + above, 'no-client-authentication'],
    // Servers that are built on OpenSSL do not take it.
    'a certificate for any use': [() => sign({ usage: 'any' }) + above, 'no-client-authentication'],
    'an authority, which also is a client': [() => signedWithOpenssl('CA:TRUE') + root.certificate, 'is-authority'],
    'another common name': [() => sign({ subject: encodeName('CN=other,O=Acme') }) + above, 'wrong-subject'],
    'a part of the subject left out': [() => sign({ subject: encodeName('CN=bot') }) + above, 'wrong-subject'],
    'a part of the subject more': [() => sign({ subject: encodeName('CN=bot,O=Acme,C=DE') }) + above, 'wrong-subject'],
    'no alternative names': [() => sign({ alternativeNames: undefined }) + above, 'names-missing'],
    'an alternative name left out': [
      () => sign({ alternativeNames: namesOf(['dns:bot.acme.example']) }) + above,
      'names-missing',
    ],
    'another address': [
      () => sign({ alternativeNames: namesOf(['dns:bot.acme.example', 'ip:127.0.0.2']) }) + above,
      'names-missing',
    ],
    'an end before that of the current one': [
      () => sign({ notAfter: inDays(9) }) + above,
      'valid-shorter',
      withCurrent,
    ],
    'an issuer that ends before the current one': [
      () => sign({}, ending) + ending.certificate + root.certificate,
      'valid-shorter',
      withCurrent,
    ],
    'a root that ends before the current one': [
      () => sign({}, endingRoot) + endingRoot.certificate,
      'valid-shorter',
      withCurrent,
    ],
    'an issuer that ends before the renewal of a first one is due': [
      () => sign({}, ending) + ending.certificate + root.certificate,
      'issuer-ends-first',
    ],
    'the current one again': [
      () => renewed + above,
      'not-renewed',
      { current: { certificate: renewed, intermediateCertificates: above, rootCertificate: root.certificate } },
    ],
    'no issuer': [() => sign(), 'chain-incomplete'],
    'an issuer missing': [() => sign() + issuer.certificate + root.certificate, 'chain-incomplete'],
    'the root missing': [() => sign() + issuer.certificate + upper.certificate, 'chain-incomplete'],
    'a root that is not that of the chain': [
      () => sign() + issuer.certificate + upper.certificate,
      'chain-incomplete',
      { current: { ...current, rootCertificate: others.certificate } },
    ],
    'a certificate that signed itself': [
      () => createAuthority({ commonName: 'bot', privateKey }).certificate,
      'certificate-is-root',
    ],
    'a weak signature': [
      () => {
        const { certificate, root: above } = rsa.issue({ commonName: 'bot', privateKey, signatureHash: 'sha1' });
        return certificate + above;
      },
      'weak-signature',
    ],
    nothing: [() => '', 'answer-malformed'],
    'a page': [() => '<html>Sign in</html>', 'answer-malformed'],
    'a block that is not a certificate': [
      () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'answer-malformed',
    ],
    'a block that does not end': [() => sign().slice(0, 200), 'answer-malformed'],
    'a private key': [() => sign() + above + privateKey, 'answer-malformed'],
    'more than 64 KiB': [() => sign() + above + ' '.repeat(65_536), 'answer-too-large'],
    'more than 64 certificates': [() => sign() + above.repeat(22), 'answer-too-large'],
  };

  it.each(Object.entries(cases))('%s', async (_, [make, reason, change]) => {
    expect(await reasonOf(make(), change)).toBe(reason);
  });

  it('with a sentence that names the certificate of the chain that ends first', async () => {
    const failure = await failureOf(() => use(sign({}, ending) + ending.certificate + root.certificate, withCurrent));
    expect(failure.message).toMatch(/^The chain of the certificate expires with intermediateCertificates\[0\] on /);
    expect(failure.evidence).toMatchObject({ where: 'intermediateCertificates[0]' });
  });

  it('any bytes, without another error than this one', () => {
    const text = sign() + above;
    const damaged = fc
      .tuple(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 6 }))
      .map(([at, put]) => text.slice(0, at) + put + text.slice(at + put.length));
    fc.assert(
      fc.property(fc.oneof(damaged, damaged, fc.string(), fc.string({ unit: 'binary' })), (certificates) => {
        try {
          expect(use(certificates).rootCertificate).toBe(root.certificate);
        } catch (thrown) {
          if (!(thrown instanceof CountersignError)) throw thrown;
          expect(thrown.code).toBe('issued-certificate-unusable');
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
