// Undamaged files of an identity with one defect, and the expected finding.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createAuthority, type IssuedCertificate, openAuthority } from '../../../local/authority/authority.ts';
import { type Broken, bot, certificates, chain, dates, issue, issuer, key, other, pem, root } from './broken.ts';
import { textFile } from './samples.ts';

export function brokenIdentities(): Broken[] {
  const identity = (given: string, issued: IssuedCertificate, ...says: Broken['says']): Broken => ({
    given,
    files: [pem(...chain(issued))],
    says,
  });
  const unsigned = openAuthority(
    bot.certificate,
    bot.privateKey,
    `${bot.certificate}${issuer.certificate}`,
    root.certificate,
  );
  const namesake = root.intermediate({ commonName: 'Issuer', ...dates });
  const oldRoot = createAuthority({ commonName: 'Old root', ...dates, notAfter: new Date(Date.UTC(2026, 3, 1)) });
  const weakIssuer = root.intermediate({ commonName: 'Weak issuer', ...dates, signatureHash: 'sha1' });
  return [
    {
      given: 'a private key and no certificate',
      files: [key],
      says: [['no-certificate', 'There is no certificate in what was given.']],
    },
    {
      given: 'certificates and no private key',
      files: [certificates],
      says: [['no-key', 'There is no private key in what was given.']],
    },
    {
      given: 'the key of another certificate',
      files: [textFile('key.pem', other.privateKey), certificates],
      says: [
        [
          'key-without-certificate',
          'The private key in key.pem does not belong to any certificate; these were issued for other keys: CN=bot (chain.pem, block 1).',
        ],
      ],
    },
    {
      given: 'two identities',
      files: [textFile('a.pem', chain(bot).join('')), textFile('b.pem', chain(other).join(''))],
      says: [
        [
          'identity-ambiguous',
          `There are 2 private keys with a client certificate; give only the files of one: CN=bot (a.pem, block 2), 2026-01-01 to 2036-01-01, SHA-256 ${short(bot)}…; CN=other (b.pem, block 2), 2026-01-01 to 2036-01-01, SHA-256 ${short(other)}….`,
        ],
      ],
    },
    {
      given: 'a chain without an intermediate',
      files: [pem(bot.privateKey, bot.certificate, root.certificate)],
      says: [['issuer-missing', 'The issuer of "CN=bot", which is "CN=Issuer", is not among the certificates.']],
    },
    {
      given: 'a chain without its root',
      files: [pem(bot.privateKey, bot.certificate, issuer.certificate)],
      says: [['root-missing', 'The issuer of "CN=Issuer", which is "CN=Root", is not among the certificates.']],
    },
    {
      given: 'an intermediate of the right name with another key',
      files: [pem(bot.privateKey, bot.certificate, namesake.certificate, root.certificate)],
      says: [
        [
          'issuer-missing',
          'The issuer of CN=bot (bot.pem, block 2) is missing: CN=Issuer (bot.pem, block 3) has its name, but another key signed.',
        ],
      ],
    },
    identity('a certificate that was not signed by an authority', issue({ commonName: 'below' }, unsigned), [
      'issuer-not-authority',
      'CN=bot (bot.pem, block 3) signed CN=below (bot.pem, block 2), but may not: it is not the certificate of an authority (basic constraints, key usage).',
    ]),
    {
      given: 'a certificate that signed itself',
      files: [pem(root.privateKey, root.certificate)],
      says: [
        [
          'certificate-is-root',
          'The certificate for the private key signed itself; a client certificate needs an issuer.',
        ],
        [
          'key-usage',
          'The key usage of CN=Root (bot.pem, block 2) does not allow digital signatures, which a TLS client makes.',
        ],
      ],
    },
    identity('a certificate that expired', issue({ notAfter: new Date(Date.UTC(2026, 4, 1)) }), [
      'expired',
      'CN=bot (bot.pem, block 2) expired on 2026-05-01T00:00:00.000Z.',
    ]),
    identity('a certificate that is not valid yet', issue({ notBefore: new Date(Date.UTC(2026, 6, 1)) }), [
      'not-yet-valid',
      'CN=bot (bot.pem, block 2) is not valid before 2026-07-01T00:00:00.000Z.',
    ]),
    identity('a root that expired', issue({}, oldRoot), [
      'expired',
      'CN=Old root (bot.pem, block 3) expired on 2026-04-01T00:00:00.000Z.',
    ]),
    identity('a certificate for servers alone', issue({ usage: 'server' }), [
      'extended-key-usage',
      'The extended key usage of CN=bot (bot.pem, block 2) does not allow client authentication.',
    ]),
    identity('a certificate signed with SHA-1', issue({ signatureHash: 'sha1' }), [
      'weak-signature',
      'CN=bot (bot.pem, block 2) is signed with ecdsa-with-SHA1, which is broken.',
    ]),
    identity('an intermediate signed with SHA-1', issue({}, weakIssuer), [
      'weak-signature',
      'CN=Weak issuer (bot.pem, block 3) is signed with ecdsa-with-SHA1, which is broken.',
    ]),
    identity('an RSA key of 1024 bits', issue({ keyAlgorithm: 'RSA_1024' }), [
      'weak-key',
      'The RSA key of CN=bot (bot.pem, block 2) has 1024 bits; 2048 is the least.',
    ]),
    identity('an EC key on another curve', issue({ privateKey: keyOn('secp256k1') }), [
      'weak-key',
      'The EC key of CN=bot (bot.pem, block 2) is not on the curve P-256, P-384 or P-521.',
    ]),
    {
      given: 'a certificate of a public web authority',
      files: [pem(...chain(bot))],
      settings: { publicRoots: [root.certificate] },
      says: [
        [
          'public-authority',
          'CN=bot (bot.pem, block 2) comes from the public web authority CN=Root; those stop issuing for client authentication by March 2027 (Chrome Root Program Policy 1.8), so take it from a private authority.',
        ],
      ],
    },
    {
      given: 'destinations that are malformed',
      files: [pem(...chain(bot))],
      settings: { destinations: [{ host: 'api.acme.example', port: 0 }] },
      says: [['destinations-malformed', 'destinations[0].port must be a whole number from 1 to 65535.']],
    },
    {
      given: 'a renewal that is malformed',
      files: [pem(...chain(bot))],
      settings: { renewal: { issuer: { kind: 'fax' } } },
      says: [['renewal-malformed', 'renewal: issuer.kind must be aws-private-ca, step-ca, est, manual or local.']],
    },
    identity(
      'a certificate of more than 64 KiB',
      issue({ names: Array.from({ length: 4_000 }, (_, index) => `host-${index}.acme.example`) }),
      ['document-too-large', 'The identity document has 136000 bytes; 65536 is the most.'],
    ),
    identity(
      'everything at once',
      issue(
        { keyAlgorithm: 'RSA_1024', usage: 'server', signatureHash: 'sha1', notAfter: new Date(Date.UTC(2026, 4, 1)) },
        oldRoot,
      ),
      ['weak-key', 'The RSA key of CN=bot (bot.pem, block 2) has 1024 bits; 2048 is the least.'],
      ['weak-signature', 'CN=bot (bot.pem, block 2) is signed with ecdsa-with-SHA1, which is broken.'],
      [
        'extended-key-usage',
        'The extended key usage of CN=bot (bot.pem, block 2) does not allow client authentication.',
      ],
      ['expired', 'CN=bot (bot.pem, block 2) expired on 2026-05-01T00:00:00.000Z.'],
      ['expired', 'CN=Old root (bot.pem, block 3) expired on 2026-04-01T00:00:00.000Z.'],
    ),
  ];
}

function keyOn(namedCurve: string): string {
  return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function short(issued: IssuedCertificate): string {
  return new X509Certificate(issued.certificate).fingerprint256.slice(0, 23);
}
