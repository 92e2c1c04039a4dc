// Files with one defect each, written by hand, and the expected finding.
import { generateKeyPairSync } from 'node:crypto';
import { armoured, type Broken, bot, certificates, chain, flipped, issue, key, other, pem } from './broken.ts';
import { contentOf, element, inside, integer, nothing, octetString, oid, sequence } from './encoded.ts';
import { dsaKey, explicitKey, rsaKey, rsaPublicKey, withKey } from './keys.ts';
import { derOf, keyDerOf, textFile } from './samples.ts';

/** A count that would keep a processor busy for half an hour. */
const hostile = 2 ** 31;

const pbes2 = '1.2.840.113549.1.5.13';
const pbkdf2 = '1.2.840.113549.1.5.12';
const scrypt = '1.3.6.1.4.1.11591.4.11';
const aes256 = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(16)));

const hmacOfSha256 = sequence(oid('1.2.840.113549.2.9'), nothing);

function encryptedWith(kdf: Buffer, cipher: Buffer = aes256): Buffer {
  return sequence(sequence(oid(pbes2), sequence(kdf, cipher)), octetString(Buffer.alloc(64)));
}

const data = '1.2.840.113549.1.7.1';
function pkcs12Of(contents: readonly Buffer[], ...mac: readonly Buffer[]): Buffer {
  const safe = octetString(sequence(...contents));
  return sequence(integer(3), sequence(oid(data), element(0xa0, safe)), ...mac);
}

/** The public half of one key beside the private half of another (RFC 5915, section 3). */
function tornKey(): Buffer {
  const [version, algorithm, wrapped] = inside(keyDerOf(bot.privateKey)) as [Buffer, Buffer, Buffer];
  const [one, , publicHalf] = inside(contentOf(wrapped)) as [Buffer, Buffer, Buffer];
  const [, privateHalf] = inside(contentOf(inside(keyDerOf(other.privateKey))[2] as Buffer)) as [Buffer, Buffer];
  return sequence(version, algorithm, octetString(sequence(one, privateHalf, publicHalf)));
}

const rsa = issue({ keyAlgorithm: 'RSA_2048' });

/** The last number is the coefficient (RFC 8017, appendix A.1.2). */
function dentedRsa(): Buffer {
  const der = keyDerOf(rsa.privateKey, 'pkcs1');
  return flipped(der, der.length - 1);
}

/** The bit string of the key usage says a length that it does not have; OpenSSL looks when it is asked, not before. */
function dentedExtension(): Buffer {
  const der = Buffer.from(derOf(bot.certificate));
  const bitString = der.indexOf(oid('2.5.29.15')) + 5 + 3 + 2;
  der[bitString + 1] = 0x84;
  return der;
}

export function brokenFiles(): Broken[] {
  const der = keyDerOf(bot.privateKey);
  const request = sequence(
    sequence(
      integer(0),
      sequence(),
      sequence(sequence(oid('1.2.840.10045.2.1')), element(0x03, Buffer.alloc(9))),
      element(0xa0),
    ),
    sequence(oid('1.2.840.10045.4.3.2')),
    element(0x03, Buffer.alloc(9)),
  );
  const list = sequence(
    sequence(integer(1), sequence(oid('1.2.840.10045.4.3.2')), sequence(), element(0x17, Buffer.from('260101000000Z'))),
    sequence(oid('1.2.840.10045.4.3.2')),
    element(0x03, Buffer.alloc(9)),
  );
  const keyOf = (bytes: Buffer) => [textFile('key.p8', bytes), certificates];
  const macOf = (iterations: number) =>
    sequence(
      sequence(sequence(oid('1.3.14.3.2.26'), nothing), octetString(Buffer.alloc(20))),
      octetString(Buffer.alloc(8)),
      integer(iterations),
    );
  const pbmac1Of = (length: number) => {
    const kdf = sequence(
      oid(pbkdf2),
      sequence(octetString(Buffer.alloc(8)), integer(1), integer(length), hmacOfSha256),
    );
    const algorithm = sequence(oid('1.2.840.113549.1.5.14'), sequence(kdf, hmacOfSha256));
    return sequence(sequence(algorithm, octetString(Buffer.alloc(32))), octetString(Buffer.alloc(8)));
  };
  const tooMany = 'There are more than 1024 keys, certificates and other objects; give only those of the identity.';
  const explicit = explicitKey();
  const unreadableStore = 'bot.p12 is a PKCS#12 file that is damaged: its structure cannot be read.';
  return [
    {
      given: 'an empty file',
      files: [pem(...chain(bot)), textFile('root.pem', '')],
      says: [['file-empty', 'root.pem is empty.']],
    },
    {
      given: 'a file of more than 1 MiB',
      files: [textFile('disk.img', Buffer.alloc(1_048_577, 0x30))],
      says: [
        ['file-too-large', 'disk.img has 1048577 bytes; 1048576 is the most.'],
        ['no-key', 'There is no private key in what was given.'],
        ['no-certificate', 'There is no certificate in what was given.'],
      ],
    },
    {
      given: 'more than 64 files',
      files: [pem(...chain(bot)), ...Array.from({ length: 64 }, () => key)],
      says: [['too-many-files', '65 files were given; 64 is the most.']],
    },
    {
      given: 'more than 1,024 keys, certificates and other objects',
      files: [
        pem(...chain(bot)),
        textFile('many.der', Buffer.concat(Array.from({ length: 1_021 }, () => derOf(bot.certificate)))),
      ],
      says: [['too-many-objects', tooMany]],
    },
    {
      given: 'a file of half a million objects that are empty',
      files: [pem(...chain(bot)), textFile('empty.der', Buffer.alloc(1_048_576, '3000', 'hex'))],
      says: [
        ['format-unknown', 'empty.der is neither a key nor a certificate nor a keystore.'],
        ['too-many-objects', tooMany],
      ],
    },
    {
      given: 'PKCS#12 of 99,000 bags that are empty',
      files: [
        pem(...chain(bot)),
        textFile(
          'bot.p12',
          pkcs12Of([sequence(oid(data), element(0xa0, octetString(sequence(Buffer.alloc(198_000, '3000', 'hex')))))]),
        ),
      ],
      says: [
        ['store-damaged', unreadableStore],
        ['too-many-objects', tooMany],
      ],
    },
    {
      given: 'ASN.1 that is nested without an end',
      files: [
        pem(...chain(bot)),
        textFile(
          'deep.der',
          Array.from({ length: 999 }).reduce<Buffer>((inner) => sequence(inner), nothing),
        ),
      ],
      says: [['nesting-too-deep', 'deep.der is nested more than 24 levels deep.']],
    },
    {
      given: 'a text without a key or certificate',
      files: [pem(...chain(bot)), textFile('README', 'The key is in the safe.\n')],
      says: [['format-unknown', 'README is neither a key nor a certificate nor a keystore.']],
    },
    {
      given: 'ASN.1 of another kind',
      files: [pem(...chain(bot)), textFile('params.der', sequence(oid('1.2.3.4'), integer(7)))],
      says: [['format-unknown', 'params.der is neither a key nor a certificate nor a keystore.']],
    },
    {
      given: 'an HTML page',
      files: [pem(...chain(bot)), textFile('root.crt', '<!DOCTYPE html><title>Not found</title>')],
      says: [['format-unsupported', 'root.crt is an HTML page, perhaps an error page in place of the download.']],
    },
    {
      given: 'JSON',
      files: [pem(...chain(bot)), textFile('bot.json', '{"privateKey":"…"}')],
      says: [
        [
          'format-unsupported',
          'bot.json is JSON; an identity document or a JWK is not imported, but keys and certificates are.',
        ],
      ],
    },
    {
      given: 'a ZIP archive',
      files: [pem(...chain(bot)), textFile('bot.zip', Buffer.from('PK\u0003\u0004………'))],
      says: [['format-unsupported', 'bot.zip is a ZIP archive; unpack it and give the files in it.']],
    },
    {
      given: 'a BKS keystore',
      files: [
        pem(...chain(bot)),
        textFile('bot.bks', Buffer.concat([Buffer.from([0, 0, 0, 2, 0, 0, 0, 20]), Buffer.alloc(40)])),
      ],
      says: [
        [
          'format-unsupported',
          'bot.bks is a BKS or UBER keystore of Bouncy Castle; convert it to PKCS#12 with the program that wrote it.',
        ],
      ],
    },
    {
      given: "a key in OpenSSH's format",
      files: [textFile('id_rsa', armoured('OPENSSH PRIVATE KEY', Buffer.from('openssh-key-v1'))), certificates],
      says: [
        [
          'format-unsupported',
          "id_rsa is a key in OpenSSH's own format; write it as PKCS#8 with ssh-keygen -p -m PKCS8.",
        ],
      ],
    },
    {
      given: 'a key of PuTTY',
      files: [textFile('bot.ppk', 'PuTTY-User-Key-File-3: ssh-rsa'), certificates],
      says: [['format-unsupported', 'bot.ppk is a key of PuTTY, which is for SSH and not for TLS.']],
    },
    {
      given: 'a PEM block without its END line',
      files: [textFile('key.pem', bot.privateKey.replace(/-----END.*/, '')), certificates],
      says: [['pem-damaged', 'key.pem is a PEM block without its END line.']],
    },
    {
      given: 'a PEM block with other characters in it',
      files: [textFile('key.pem', bot.privateKey.replace('M', '*')), certificates],
      says: [['pem-damaged', 'key.pem is a PEM block whose text is not base64.']],
    },
    {
      given: 'a PEM block whose first line is damaged',
      files: [textFile('key.pem', bot.privateKey.replace('BEGIN PRIVATE', 'BEGIN private')), certificates],
      says: [['pem-damaged', 'key.pem holds a PEM block whose first line is damaged.']],
    },
    {
      given: 'a certificate that was cut short',
      files: [key, certificates, textFile('bot.crt', derOf(bot.certificate).subarray(0, 200))],
      says: [
        ['file-damaged', 'bot.crt begins like a key, a certificate or a keystore in DER, but is cut short or damaged.'],
      ],
    },
    {
      given: 'bytes behind a certificate',
      files: [key, certificates, textFile('bot.crt', Buffer.concat([derOf(bot.certificate), Buffer.from('<eof>')]))],
      says: [['file-damaged', 'bot.crt holds bytes behind its last object that belong to nothing.']],
    },
    {
      given: 'a certificate with a damaged key in it',
      files: [
        key,
        certificates,
        textFile(
          'bot.crt',
          armoured(
            'CERTIFICATE',
            flipped(derOf(bot.certificate), derOf(bot.certificate).indexOf(oid('1.2.840.10045.3.1.7')) + 4),
          ),
        ),
      ],
      says: [['certificate-damaged', 'bot.crt holds a certificate that cannot be read.']],
    },
    {
      given: 'a certificate with a damaged extension in it',
      files: [key, certificates, textFile('bot.crt', dentedExtension())],
      says: [['certificate-damaged', 'bot.crt holds a certificate that cannot be read.']],
    },
    {
      given: 'a private key that is damaged',
      files: [textFile('key.der', flipped(der, der.indexOf(oid('1.2.840.10045.3.1.7')) + 4)), certificates, key],
      says: [['key-damaged', 'key.der holds a private key that cannot be read.']],
    },
    {
      given: 'a private key whose private half is of another key',
      files: [textFile('key.der', tornKey()), certificates],
      says: [
        [
          'key-damaged',
          'The private key in key.der is damaged: its private half does not belong to its certificate, or not whole.',
        ],
      ],
    },
    {
      given: 'an RSA key with one damaged number of eight, which still signs',
      files: [textFile('key.der', dentedRsa()), pem(...chain(rsa).slice(1))],
      says: [
        [
          'key-damaged',
          'The private key in key.der is damaged: its private half does not belong to its certificate, or not whole.',
        ],
      ],
    },
    {
      given: 'a DSA key',
      files: [textFile('key.der', dsaKey()), certificates],
      says: [['key-type', 'key.der holds a private key that is neither RSA nor EC.']],
    },
    {
      given: 'an RSA key of 8,193 bits beside a certificate for it',
      files: [textFile('key.der', rsaKey(8_193)), textFile('bot.crt', withKey(bot.certificate, rsaPublicKey(8_193)))],
      says: [
        [
          'key-too-large',
          'key.der holds a private key of more than 8192 bits, or with a public exponent of more than 256.',
        ],
        [
          'key-too-large',
          'bot.crt holds a certificate with a key of more than 8192 bits, or with a public exponent of more than 256.',
        ],
      ],
    },
    {
      given: 'an EC key whose curve is written out, with a certificate for it',
      files: [
        textFile('key.pem', armoured('EC PARAMETERS', explicit.curve) + armoured('EC PRIVATE KEY', explicit.sec1)),
        textFile('bot.crt', withKey(bot.certificate, explicit.publicKey)),
      ],
      says: [
        [
          'explicit-curve',
          'key.pem, block 2 holds a private key whose curve is written out in place of its name, which RFC 5480, section 2.1.1 forbids.',
        ],
        [
          'explicit-curve',
          'bot.crt holds a certificate with a key whose curve is written out in place of its name, which RFC 5480, section 2.1.1 forbids.',
        ],
      ],
    },
    {
      given: 'a certificate request in place of the certificate',
      files: [key, textFile('bot.csr', request)],
      says: [
        ['no-certificate', 'There is no certificate in what was given.'],
        ['certificate-request', 'bot.csr is a certificate request, not the certificate that the authority made of it.'],
      ],
    },
    {
      given: 'a public key in place of the private key',
      files: [certificates, textFile('key.pub', publicKeyPem())],
      says: [
        ['no-key', 'There is no private key in what was given.'],
        ['public-key', 'key.pub is a public key; the private key is needed.'],
      ],
    },
    {
      given: 'a revocation list among the files, and an empty PKCS#7 file',
      files: [pem(...chain(bot)), textFile('ca.crl', list), textFile('chain.p7b', pkcs7Of('1.2.840.113549.1.7.2'))],
      says: [
        ['store-empty', 'chain.p7b is a PKCS#7 file without a certificate.'],
        ['revocation-list', 'ca.crl is a revocation list, which an identity does not need.'],
      ],
    },
    {
      given: 'a PKCS#7 file of encrypted data',
      files: [pem(...chain(bot)), textFile('mail.p7m', pkcs7Of('1.2.840.113549.1.7.3'))],
      says: [
        [
          'format-unsupported',
          'mail.p7m is a PKCS#7 file, but not one of certificates: it holds encrypted or other data.',
        ],
      ],
    },
    {
      given: 'PBKDF2 with 2³¹ iterations',
      files: keyOf(encryptedWith(sequence(oid(pbkdf2), sequence(octetString(Buffer.alloc(8)), integer(hostile))))),
      says: [
        [
          'work-too-much',
          'key.p8 asks for 2147483648 iterations to make a key of its passphrase; 5000000 is the most.',
        ],
      ],
    },
    {
      given: 'scrypt with 1 GiB',
      files: keyOf(
        encryptedWith(
          sequence(oid(scrypt), sequence(octetString(Buffer.alloc(8)), integer(2 ** 20), integer(8), integer(1))),
        ),
      ),
      says: [
        ['work-too-much', 'key.p8 asks for 1073741824 bytes and 1 rounds of scrypt; 134217728 and 16 are the most.'],
      ],
    },
    {
      given: 'a key made from the passphrase in an unknown way',
      files: keyOf(encryptedWith(sequence(oid('1.2.3.4'), sequence()))),
      says: [['encryption-unsupported', 'key.p8 makes its key with the algorithm 1.2.3.4, which is not supported.']],
    },
    {
      given: 'PKCS#12 with 2³¹ iterations for its MAC',
      files: [textFile('bot.p12', pkcs12Of([], macOf(hostile)))],
      says: [
        [
          'work-too-much',
          'bot.p12 asks for 2147483648 iterations to make a key of its passphrase; 5000000 is the most.',
        ],
      ],
    },
    {
      given: 'PKCS#12 with a MAC whose key has no octets',
      files: [textFile('bot.p12', pkcs12Of([], pbmac1Of(0)))],
      says: [['store-damaged', unreadableStore]],
    },
    {
      given: 'PKCS#12 with a MAC whose key has 19 octets, of 20 that RFC 9579 asks for',
      files: [textFile('bot.p12', pkcs12Of([], pbmac1Of(19)))],
      says: [['store-damaged', unreadableStore]],
    },
    {
      given: 'PKCS#12 without anything in it',
      files: [textFile('bot.p12', pkcs12Of([])), pem(...chain(bot))],
      says: [['store-empty', 'bot.p12 is a PKCS#12 file without a key or certificate.']],
    },
  ];
}

function publicKeyPem(): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function pkcs7Of(type: string): Buffer {
  const signed = sequence(integer(1), element(0x31), sequence(oid(data)), element(0x31));
  return sequence(oid(type), element(0xa0, signed));
}
