// Whether our chain and key satisfy a CertificateRequest: issuers, handshake signatures, certificate signatures.
import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  acceptsIssuer,
  acceptsSignature,
  unacceptedChainSignatures,
  unacceptedLeafSignature,
} from '../../../../core/tls/handshake-capture/accepted-certificates.ts';
import type { CertificateRequest } from '../../../../core/tls/handshake-capture/capture.ts';
import { readCertificateFields } from '../../../../core/x509/certificate.ts';
import { readName } from '../../../../core/x509/distinguished-name.ts';
import { createAuthority } from '../../../../local/authority/authority.ts';

const root = createAuthority({ commonName: 'Our Root', keyAlgorithm: 'RSA_2048' });
const upper = root.intermediate({ commonName: 'Our Upper', signatureHash: 'sha384' });
const lower = upper.intermediate({ commonName: 'Our Lower' });
const leaf = lower.issue({ commonName: 'platform', usage: 'client' });
const [leafDer, lowerDer, upperDer, rootDer] = [
  leaf.certificate,
  lower.certificate,
  upper.certificate,
  root.certificate,
].map((pem) => new X509Certificate(pem).raw) as [Buffer, Buffer, Buffer, Buffer];
const chain = [leafDer, lowerDer, upperDer];

function asking(fields: Partial<CertificateRequest>): CertificateRequest {
  return {
    acceptableIssuers: [],
    signatureAlgorithms: [],
    certificateSignatureAlgorithms: [],
    certificateTypes: [],
    ...fields,
  };
}

function names(...certificates: readonly Buffer[]): CertificateRequest {
  const subjects = certificates.map((der) => readCertificateFields(der)?.subject ?? Buffer.alloc(0));
  return asking({ acceptableIssuers: subjects.map(readName) });
}

describe('the issuers that a server accepts', () => {
  const stranger = new X509Certificate(createAuthority({ commonName: 'Stranger' }).certificate).raw;

  it('are any if it lists none', () => {
    expect(acceptsIssuer(asking({}), chain)).toEqual({
      accepted: true,
      ourIssuers: ['CN=Our Lower', 'CN=Our Upper', 'CN=Our Root'],
    });
  });

  it.each([
    ['the root', rootDer],
    ['the upper intermediate', upperDer],
    ['the one that issued the leaf', lowerDer],
  ])('%s among others', (_title, accepted) => {
    expect(acceptsIssuer(names(stranger, accepted), chain)).toMatchObject({ accepted: true });
  });

  it('do not include ours: the text lists both sides', () => {
    const request = names(stranger);
    expect(request.acceptableIssuers.map((name) => name.text)).toEqual(['CN=Stranger']);
    expect(acceptsIssuer(request, [leafDer])).toEqual({
      accepted: false,
      ourIssuers: ['CN=Our Lower'],
    });
  });

  it('a root above an intermediate that is not sent does not count', () => {
    expect(acceptsIssuer(names(rootDer), [leafDer]).accepted).toBe(false);
    expect(acceptsIssuer(names(rootDer), [leafDer, lowerDer]).accepted).toBe(false);
  });

  it('the leaf is not an issuer', () => {
    expect(acceptsIssuer(names(leafDer), chain).accepted).toBe(false);
  });

  it('the same name in another spelling is the same issuer', () => {
    const spelled = createAuthority({ commonName: 'OUR  root' });
    expect(acceptsIssuer(names(new X509Certificate(spelled.certificate).raw), chain).accepted).toBe(true);
  });

  it('bytes that are not a certificate are not an issuer', () => {
    expect(acceptsIssuer(names(rootDer), [Buffer.alloc(3)])).toMatchObject({ accepted: false, ourIssuers: [] });
  });
});

describe('the signature algorithms that a server accepts in the handshake', () => {
  const keys = {
    p256: createPublicKey(leaf.certificate),
    p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey,
    rsa: createPublicKey(root.certificate),
    shortRsa: generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey,
    pss: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey,
    ed25519: generateKeyPairSync('ed25519').publicKey,
  } satisfies Record<string, KeyObject>;

  it.each([
    ['p256', 'TLSv1.3', ['ecdsa_secp384r1_sha384', 'ecdsa_secp256r1_sha256'], true],
    ['p256', 'TLSv1.2', ['ecdsa_secp384r1_sha384', 'rsa_pkcs1_sha256'], true],
    ['p384', 'TLSv1.3', ['ecdsa_secp256r1_sha256'], false],
    ['p384', 'TLSv1.2', ['ecdsa_secp256r1_sha256'], true],
    ['p256', 'TLSv1.2', ['ecdsa_sha1', 'rsa_pss_rsae_sha256'], false],
    ['rsa', 'TLSv1.3', ['rsa_pkcs1_sha256', 'ecdsa_secp256r1_sha256'], false],
    ['rsa', 'TLSv1.3', ['rsa_pkcs1_sha256', 'rsa_pss_rsae_sha512'], true],
    ['rsa', 'TLSv1.2', ['rsa_pkcs1_sha256', 'rsa_pkcs1_sha1'], true],
    ['rsa', 'TLSv1.2', ['rsa_pss_pss_sha256', 'rsa_pkcs1_sha1'], false],
    ['shortRsa', 'TLSv1.3', ['rsa_pss_rsae_sha512', 'rsa_pss_rsae_sha256'], true],
    ['pss', 'TLSv1.3', ['rsa_pss_rsae_sha256', 'rsa_pss_pss_sha256'], true],
    ['ed25519', 'TLSv1.3', ['ecdsa_secp256r1_sha256', 'ed25519'], true],
    ['ed25519', 'TLSv1.2', ['rsa_pkcs1_sha256'], false],
  ] as const)('%s on %s, requested %j: %s', (key, protocol, signatureAlgorithms, accepted) => {
    expect(acceptsSignature(asking({ signatureAlgorithms }), protocol, keys[key])).toBe(accepted);
  });

  it('an empty list accepts any', () => {
    for (const key of Object.values(keys)) expect(acceptsSignature(asking({}), 'TLSv1.3', key)).toBe(true);
  });

  it('the certificate types of TLS 1.2 count only without signature algorithms', () => {
    const request = asking({ certificateTypes: ['rsa_sign'], signatureAlgorithms: ['ecdsa_secp256r1_sha256'] });
    expect(acceptsSignature(request, 'TLSv1.2', keys.p256)).toBe(true);
    expect(acceptsSignature(asking({ certificateTypes: ['rsa_sign'] }), 'TLSv1.2', keys.p256)).toBe(false);
    const both = asking({ certificateTypes: ['rsa_sign', 'ecdsa_sign'] });
    expect(acceptsSignature(both, 'TLSv1.2', keys.p256)).toBe(true);
    expect(acceptsSignature(both, 'TLSv1.2', keys.ed25519)).toBe(true);
    expect(acceptsSignature(both, 'TLSv1.2', keys.rsa)).toBe(true);
  });
});

describe('the signature algorithms of the client chain', () => {
  const whole = [...chain, rootDer];

  it('unlisted algorithms are reported, except that of the root', () => {
    expect(unacceptedChainSignatures(asking({}), whole)).toEqual([]);
    const listed = ['ecdsa_secp256r1_sha256', 'rsa_pkcs1_sha256'];
    expect(unacceptedChainSignatures(asking({ signatureAlgorithms: listed }), whole)).toEqual(['rsa_pkcs1_sha384']);
    const all = [...listed, 'rsa_pkcs1_sha384'];
    expect(unacceptedChainSignatures(asking({ signatureAlgorithms: all }), whole)).toEqual([]);
  });

  it('signature_algorithms_cert takes precedence over signature_algorithms', () => {
    const request = asking({
      signatureAlgorithms: ['ecdsa_secp256r1_sha256', 'rsa_pkcs1_sha256', 'rsa_pkcs1_sha384'],
      certificateSignatureAlgorithms: ['ecdsa_secp256r1_sha256'],
    });
    expect(unacceptedChainSignatures(request, whole)).toEqual(['rsa_pkcs1_sha384']);
  });

  it('only signature_algorithms_cert decides whether the client certificate is sent', () => {
    const [leaf] = chain as [Buffer];
    const own = ['ecdsa_secp256r1_sha256'];
    const others = ['rsa_pkcs1_sha512', 'ed25519'];
    expect(unacceptedLeafSignature(asking({ certificateSignatureAlgorithms: own }), leaf)).toBeUndefined();
    expect(unacceptedLeafSignature(asking({ signatureAlgorithms: others }), leaf)).toBeUndefined();
    expect(unacceptedLeafSignature(asking({ certificateSignatureAlgorithms: others }), leaf)).toBe(own[0]);
  });
});
