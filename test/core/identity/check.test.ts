// The rules that make an identity usable, one by one, each with its reason.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkIdentity } from '../../../core/identity/check.ts';
import { createAuthority, openAuthority } from '../../../local/authority/authority.ts';
import { type DocumentKeys, failureOf, makeChain, makeKeys, store } from '../../support/identity/identities.ts';
import { dsaKey, explicitKey, rsaKey, rsaNumbers, rsaPublicKey, withKey } from '../../support/import/keys.ts';

const day = 86_400_000;
const now = Date.now();
const chain = makeChain();
const sound = makeKeys(chain);

const check = (keys: DocumentKeys) => checkIdentity('platform', store(keys), now);
const keyOf = (text: string) => createPrivateKey(text);

describe('a sound identity', () => {
  it('is returned with its version, fingerprint and expiry', () => {
    const identity = check(sound);
    expect(identity).toMatchObject({ name: 'platform', version: 'v1', stage: 'AWSCURRENT' });
    expect(identity.certificate).toBe(sound.certificate);
    expect(identity.intermediateCertificates).toBe(sound.intermediateCertificates);
    expect(identity.rootCertificate).toBe(sound.rootCertificate);
    expect(identity.fingerprint256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(identity.usableUntil).toBe(Date.parse(identity.validTo));
  });

  it('expires with the first certificate of its chain', () => {
    const root = createAuthority({ commonName: 'Root', notAfter: new Date(now + 5 * day) });
    const identity = check(makeKeys({ issuer: root }));
    expect(identity.intermediateCertificates).toBe('');
    expect(identity.usableUntil).toBe(Math.floor((now + 5 * day) / 1000) * 1000);
    expect(Date.parse(identity.validTo)).toBeGreaterThan(identity.usableUntil);
  });

  it.each(['RSA_2048', 'EC_P384'] as const)('can have a key of %s', (keyAlgorithm) => {
    expect(check(makeKeys(makeChain({ keyAlgorithm }), { keyAlgorithm })).name).toBe('platform');
  });

  it('can have several intermediates', () => {
    const deepest = chain.issuer.intermediate({ commonName: 'Second' }).intermediate({ commonName: 'Third' });
    expect(check(makeKeys({ issuer: deepest })).intermediateCertificates.match(/BEGIN/g)).toHaveLength(3);
  });

  it('can have no extended key usage (RFC 5280, section 4.2.1.12)', () => {
    expect(check(makeKeys(chain, { usage: 'none' })).name).toBe('platform');
  });

  it('can have a root with a SHA-1 signature, which is not verified for a trust anchor', () => {
    const root = createAuthority({ commonName: 'Old Root', signatureHash: 'sha1', keyAlgorithm: 'RSA_2048' });
    expect(check(makeKeys({ issuer: root })).name).toBe('platform');
  });

  it('can have text around its certificates, which is dropped', () => {
    const keys = {
      ...sound,
      certificate: `subject=CN = bot-platform\n${sound.certificate.replaceAll('\n', '\r\n')}trailer`,
    };
    expect(check(keys).certificate).toBe(sound.certificate);
  });

  it('can have a key in PKCS#1 or SEC1', () => {
    const sec1 = keyOf(sound.privateKey).export({ type: 'sec1', format: 'pem' }).toString();
    expect(check({ ...sound, privateKey: sec1 }).privateKey).toBe(sec1);
    const rsa = makeKeys(chain, { keyAlgorithm: 'RSA_2048' });
    const pkcs1 = keyOf(rsa.privateKey).export({ type: 'pkcs1', format: 'pem' }).toString();
    expect(check({ ...rsa, privateKey: pkcs1 }).privateKey).toBe(pkcs1);
  });
});

describe('an identity with one defect is rejected with the name of the defect', () => {
  const other = makeChain();
  const encrypted = (type: 'pkcs8' | 'sec1') =>
    keyOf(sound.privateKey).export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
  const expired = { notBefore: new Date(now - 9 * day), notAfter: new Date(now - day) };
  const early = { notBefore: new Date(now + day), notAfter: new Date(now + 9 * day) };
  const second = chain.issuer.intermediate({ commonName: 'Second' });
  const deep = makeKeys({ issuer: second });
  const swapped = chain.issuer.certificate + second.certificate;
  const notAnAuthority = makeKeys({
    issuer: (() => {
      const leaf = chain.root.issue({ commonName: 'Leaf that signs' });
      return openAuthority(leaf.certificate, leaf.privateKey, leaf.certificate, leaf.root);
    })(),
  });
  const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const armoured = (label: string, der: Buffer) =>
    `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
  const explicit = explicitKey();
  const rsaRoot = createAuthority({ commonName: 'RSA Root', keyAlgorithm: 'RSA_2048' });
  const renamedRoot = createAuthority({ commonName: 'Test Root' });

  const cases: Record<string, [() => DocumentKeys, reason: string, where: string]> = {
    'the key of another certificate': [
      () => ({ ...sound, privateKey: makeKeys(chain).privateKey }),
      'key-mismatch',
      'privateKey',
    ],
    'a key of another kind': [
      () => ({ ...sound, privateKey: makeKeys(chain, { keyAlgorithm: 'RSA_2048' }).privateKey }),
      'key-mismatch',
      'privateKey',
    ],
    'an encrypted PKCS#8 key': [() => ({ ...sound, privateKey: encrypted('pkcs8') }), 'key-encrypted', 'privateKey'],
    'an encrypted SEC1 key': [() => ({ ...sound, privateKey: encrypted('sec1') }), 'key-encrypted', 'privateKey'],
    'an Ed25519 key': [() => ({ ...sound, privateKey: ed25519 }), 'key-type', 'privateKey'],
    // OpenSSL would compute with these for seconds to minutes.
    'a DSA key': [() => ({ ...sound, privateKey: armoured('PRIVATE KEY', dsaKey()) }), 'key-type', 'privateKey'],
    'an RSA key of more than 8192 bits': [
      () => ({ ...sound, privateKey: armoured('PRIVATE KEY', rsaKey(8_193)) }),
      'key-too-large',
      'privateKey',
    ],
    'an RSA key in PKCS#1 with a huge exponent': [
      () => ({ ...sound, privateKey: armoured('RSA PRIVATE KEY', rsaNumbers(2_048, 8_000)) }),
      'key-too-large',
      'privateKey',
    ],
    'a certificate for an RSA key of more than 8192 bits': [
      () => ({ ...sound, certificate: armoured('CERTIFICATE', withKey(sound.certificate, rsaPublicKey(8_193))) }),
      'key-too-large',
      'certificate',
    ],
    'a root with a huge exponent': [
      () => ({
        ...sound,
        rootCertificate: armoured('CERTIFICATE', withKey(sound.rootCertificate, rsaPublicKey(2_048, 257))),
      }),
      'key-too-large',
      'rootCertificate',
    ],
    'an EC key whose curve is written out': [
      () => ({ ...sound, privateKey: armoured('EC PRIVATE KEY', explicit.sec1) }),
      'explicit-curve',
      'privateKey',
    ],
    'a certificate for an EC key whose curve is written out': [
      () => ({ ...sound, certificate: armoured('CERTIFICATE', withKey(sound.certificate, explicit.publicKey)) }),
      'explicit-curve',
      'certificate',
    ],
    'no key but text': [() => ({ ...sound, privateKey: 'SECRET' }), 'key-malformed', 'privateKey'],
    'a certificate as key': [() => ({ ...sound, privateKey: sound.certificate }), 'key-malformed', 'privateKey'],
    'two keys': [() => ({ ...sound, privateKey: sound.privateKey + sound.privateKey }), 'key-malformed', 'privateKey'],
    'a damaged key': [
      () => ({ ...sound, privateKey: sound.privateKey.replace(/\n.{40}/, '\nAAAA') }),
      'key-malformed',
      'privateKey',
    ],
    'a key cut short': [() => ({ ...sound, privateKey: sound.privateKey.slice(0, 80) }), 'pem-malformed', 'privateKey'],
    'a chain in certificate': [
      () => ({ ...sound, certificate: sound.certificate + sound.intermediateCertificates }),
      'certificate-count',
      'certificate',
    ],
    'a key beside the certificate': [
      () => ({ ...sound, certificate: sound.certificate + sound.privateKey }),
      'pem-malformed',
      'certificate',
    ],
    'no certificate but text': [() => ({ ...sound, certificate: 'SECRET' }), 'certificate-count', 'certificate'],
    'a damaged certificate': [
      () => ({ ...sound, certificate: sound.certificate.replace(/\n.{40}/, '\nAAAA') }),
      'pem-malformed',
      'certificate',
    ],
    'two roots': [
      () => ({ ...sound, rootCertificate: sound.rootCertificate + other.root.certificate }),
      'certificate-count',
      'rootCertificate',
    ],
    'no intermediate': [() => ({ ...sound, intermediateCertificates: '' }), 'chain-incomplete', 'certificate'],
    'the intermediate of another authority': [
      () => ({ ...sound, intermediateCertificates: other.issuer.certificate }),
      'chain-incomplete',
      'certificate',
    ],
    'the root of another authority': [
      () => ({ ...sound, rootCertificate: rsaRoot.certificate }),
      'chain-incomplete',
      'intermediateCertificates[0]',
    ],
    'a root of the same name with another key': [
      () => ({ ...sound, rootCertificate: renamedRoot.certificate }),
      'chain-incomplete',
      'intermediateCertificates[0]',
    ],
    'an intermediate as root': [
      () => ({ ...sound, intermediateCertificates: '', rootCertificate: chain.issuer.certificate }),
      'root-not-self-signed',
      'rootCertificate',
    ],
    'intermediates in the wrong order': [
      () => ({ ...deep, intermediateCertificates: swapped }),
      'chain-order',
      'intermediateCertificates[0]',
    ],
    'the root among the intermediates': [
      () => ({ ...sound, intermediateCertificates: sound.intermediateCertificates + sound.rootCertificate }),
      'intermediate-is-self-signed',
      'intermediateCertificates[1]',
    ],
    'the root as client certificate': [
      () => ({
        privateKey: chain.root.privateKey,
        certificate: chain.root.certificate,
        intermediateCertificates: '',
        rootCertificate: chain.root.certificate,
      }),
      'certificate-is-root',
      'certificate',
    ],
    'an issuer that is not an authority': [() => notAnAuthority, 'key-usage', 'intermediateCertificates[0]'],
    'an expired certificate': [() => makeKeys(chain, expired), 'expired', 'certificate'],
    'an expired intermediate': [
      () => makeKeys({ issuer: chain.root.intermediate({ commonName: 'Old', ...expired }) }),
      'expired',
      'intermediateCertificates[0]',
    ],
    'an expired root': [
      () => makeKeys({ issuer: createAuthority({ commonName: 'Old', ...expired }) }),
      'expired',
      'rootCertificate',
    ],
    'a certificate of the future': [() => makeKeys(chain, early), 'not-yet-valid', 'certificate'],
    'a certificate for servers alone': [
      () => makeKeys(chain, { usage: 'server' }),
      'extended-key-usage',
      'certificate',
    ],
    'a certificate for code signing': [
      () => makeKeys(chain, { usage: 'codeSigning' }),
      'extended-key-usage',
      'certificate',
    ],
    'a SHA-1 signature': [
      () => makeKeys({ issuer: rsaRoot }, { signatureHash: 'sha1' }),
      'weak-signature',
      'certificate',
    ],
    'a SHA-1 signature with ECDSA': [() => makeKeys(chain, { signatureHash: 'sha1' }), 'weak-signature', 'certificate'],
    'an MD5 signature': [
      () => makeKeys({ issuer: rsaRoot }, { signatureHash: 'md5' }),
      'weak-signature',
      'certificate',
    ],
    'an intermediate with a SHA-1 signature': [
      () => makeKeys({ issuer: rsaRoot.intermediate({ commonName: 'Weak', signatureHash: 'sha1' }) }),
      'weak-signature',
      'intermediateCertificates[0]',
    ],
    'an RSA key of 1024 bits': [() => makeKeys(chain, { keyAlgorithm: 'RSA_1024' }), 'weak-key', 'certificate'],
    'a root with an RSA key of 1024 bits': [
      () => makeKeys({ issuer: createAuthority({ commonName: 'Small', keyAlgorithm: 'RSA_1024' }) }),
      'weak-key',
      'rootCertificate',
    ],
  };

  it.each(Object.entries(cases))('%s', async (_, [make, reason, where]) => {
    const keys = make();
    const failure = await failureOf(() => check(keys));
    expect(failure.code).toBe('identity-unusable');
    expect(failure.evidence).toEqual({ reason, where, version: 'v1', stage: 'AWSCURRENT' });
    expect(failure.message).toMatch(/^[^\n]{10,200}\.$/);
    const told = JSON.stringify([failure.message, failure.evidence, String(failure.cause ?? '')]);
    expect(told).not.toContain('SECRET');
    for (const line of Object.values(keys).join('\n').split('\n')) {
      if (line.length > 20) expect(told).not.toContain(line.slice(0, 20));
    }
  });

  it('rejects a key of which only the public half matches', async () => {
    const scalar = (text: string) => Buffer.from(keyOf(text).export({ format: 'jwk' }).d as string, 'base64url');
    const der = keyOf(sound.privateKey).export({ type: 'pkcs8', format: 'der' });
    scalar(makeKeys(chain).privateKey).copy(der, der.indexOf(scalar(sound.privateKey)));
    const lines = der.toString('base64').replace(/.{64}/g, '$&\n');
    const privateKey = `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
    expect(keyOf(privateKey).asymmetricKeyType).toBe('ec');
    const failure = await failureOf(() => check({ ...sound, privateKey }));
    expect(failure.evidence?.reason).toBe('key-mismatch');
  });

  it('counts the second of notAfter as past, as OpenSSL does', async () => {
    const end = Date.parse(check(sound).validTo);
    expect(checkIdentity('platform', store(sound), end - 1).name).toBe('platform');
    const failure = await failureOf(() => checkIdentity('platform', store(sound), end));
    expect(failure.evidence?.reason).toBe('expired');
  });
});
