// Files and identities that are broken in one way each, and the one sentence that each is answered with.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { InputFile } from '../../command/import/contents.ts';
import type { FindingCode } from '../../command/import/finding.ts';
import type { IdentitySettings } from '../../command/import/identity-from.ts';
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  type IssuedCertificate,
  openAuthority,
} from '../../local/authority/authority.ts';
import { contentOf, element, inside, integer, nothing, octetString, oid, sequence } from './encoded.ts';
import {
  convertByKeytool,
  derOf,
  encryptKey,
  exportPkcs12,
  keyDerOf,
  passphrase,
  type Subject,
  textFile,
  toPkcs7,
  type Workshop,
  withPbmac1,
} from './samples.ts';

export interface Broken {
  /** As the page says it. */
  readonly given: string;
  readonly files: readonly InputFile[];
  /** Absent: the right one. */
  readonly passphrase?: string | undefined;
  readonly settings?: Partial<IdentitySettings>;
  readonly says: readonly (readonly [FindingCode, string])[];
}

/** The clock of the table, and the dates of what is sound in it. */
export const now = Date.UTC(2026, 5, 1);
const dates = { notBefore: new Date(Date.UTC(2026, 0, 1)), notAfter: new Date(Date.UTC(2036, 0, 1)) };

const root = createAuthority({ commonName: 'Root', ...dates });
const issuer = root.intermediate({ commonName: 'Issuer', ...dates });

function issue(request: Partial<CertificateRequest> = {}, by: Authority = issuer): IssuedCertificate {
  return by.issue({ commonName: 'bot', usage: 'client', ...dates, ...request });
}

const bot = issue();
const other = issue({ commonName: 'other' });
const subject: Subject = {
  keyType: 'EC_P256',
  privateKey: bot.privateKey,
  certificates: [bot.certificate, issuer.certificate, root.certificate, root.certificate],
};

const pem = (...texts: readonly string[]) => textFile('bot.pem', texts.join(''));
const chain = (issued: IssuedCertificate) => [issued.privateKey, issued.certificate, issued.intermediates, issued.root];
const armoured = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
/** All that the identity needs but the key, or but the certificates. */
const certificates = textFile('chain.pem', chain(bot).slice(1).join(''));
const key = textFile('key.pem', bot.privateKey);

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 0x55;
  return copy;
}

/** A count that would keep a processor busy for half an hour. */
const hostile = 2 ** 31;

const pbes2 = '1.2.840.113549.1.5.13';
const pbkdf2 = '1.2.840.113549.1.5.12';
const scrypt = '1.3.6.1.4.1.11591.4.11';
const aes256 = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(16)));

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
      given: 'more than 1,024 keys and certificates',
      files: [
        pem(...chain(bot)),
        textFile('many.der', Buffer.concat(Array.from({ length: 1_021 }, () => derOf(bot.certificate)))),
      ],
      says: [['too-many-objects', 'There are more than 1024 keys and certificates; give only those of the identity.']],
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

/** What OpenSSL wrote, and something happened to. */
export function brokenByOpenssl(workshop: Workshop): Broken[] {
  const store = exportPkcs12(workshop, subject, 'forwards', []);
  const legacy = exportPkcs12(workshop, subject, 'forwards', ['-legacy']);
  const withoutMac = exportPkcs12(workshop, subject, 'forwards', ['-nomac']);
  const encrypted = encryptKey(workshop, bot.privateKey, ['pkcs8', '-topk8']);
  const camellia = encryptKey(workshop, bot.privateKey, ['pkcs8', '-topk8', '-v2', 'camellia-256-cbc']);
  const seed = encryptKey(workshop, bot.privateKey, ['pkey', '-traditional', '-camellia256']);
  const traditional = encryptKey(workshop, bot.privateKey, ['pkey', '-traditional', '-aes256']);
  const storeWrong = 'The passphrase for bot.p12 is wrong: the MAC of the PKCS#12 file does not match it.';
  return [
    {
      given: 'an encrypted key without a passphrase',
      files: [textFile('key.pem', encrypted), certificates],
      passphrase: undefined,
      says: [
        ['passphrase-needed', 'key.pem holds a private key that is encrypted, and there is no passphrase for it.'],
      ],
    },
    {
      given: 'an encrypted key with a wrong passphrase',
      files: [textFile('key.pem', encrypted), certificates],
      passphrase: 'guess',
      says: [['passphrase-wrong', 'The passphrase for key.pem is wrong, or its encrypted key is damaged.']],
    },
    {
      given: 'an old PEM key with a wrong passphrase',
      files: [textFile('key.pem', traditional), certificates],
      passphrase: 'guess',
      says: [['passphrase-wrong', 'The passphrase for key.pem is wrong, or its encrypted key is damaged.']],
    },
    {
      given: 'a passphrase of more than 4,096 bytes',
      files: [textFile('key.pem', encrypted), certificates],
      passphrase: 'x'.repeat(5_000),
      says: [['passphrase-wrong', 'The passphrase given for key.pem is longer than 4096 bytes.']],
    },
    {
      given: 'a key encrypted with Camellia',
      files: [textFile('key.pem', camellia), certificates],
      says: [
        [
          'encryption-unsupported',
          'key.pem is encrypted with the algorithm 1.2.392.200011.61.1.1.1.4, which is not supported.',
        ],
      ],
    },
    {
      given: 'an old PEM key encrypted with Camellia',
      files: [textFile('key.pem', seed), certificates],
      says: [
        [
          'encryption-unsupported',
          'key.pem is encrypted with a cipher of old PEM files that is not supported; convert it with openssl pkcs8 -topk8.',
        ],
      ],
    },
    {
      given: 'PKCS#12 without its passphrase',
      files: [textFile('bot.p12', store)],
      passphrase: undefined,
      says: [['passphrase-needed', 'bot.p12 is a PKCS#12 file that needs a passphrase, and there is none for it.']],
    },
    {
      given: 'PKCS#12 with a wrong passphrase',
      files: [textFile('bot.p12', store)],
      passphrase: 'guess',
      says: [['passphrase-wrong', storeWrong]],
    },
    {
      given: 'PKCS#12 of RC2 and 3DES with a wrong passphrase',
      files: [textFile('bot.p12', legacy)],
      passphrase: 'guess',
      says: [['passphrase-wrong', storeWrong]],
    },
    {
      given: 'PKCS#12 and PBMAC1 with a wrong passphrase',
      files: [textFile('bot.p12', withPbmac1(withoutMac))],
      passphrase: 'guess',
      says: [['passphrase-wrong', storeWrong]],
    },
    {
      given: 'PKCS#12 without a MAC and with a wrong passphrase',
      files: [textFile('bot.p12', withoutMac)],
      passphrase: 'guess',
      says: [
        ['passphrase-wrong', 'The passphrase for bot.p12 is wrong, or the PKCS#12 file, which has no MAC, is damaged.'],
      ],
    },
    {
      given: 'PKCS#12 that was changed after it was written',
      files: [textFile('bot.p12', changedName(store))],
      says: [
        [
          'store-damaged',
          'bot.p12 was changed after it was written: the passphrase opens it, but its MAC does not match.',
        ],
      ],
    },
    {
      given: 'PKCS#12 that was cut short',
      files: [textFile('bot.p12', store.subarray(0, -100))],
      says: [
        ['file-damaged', 'bot.p12 begins like a key, a certificate or a keystore in DER, but is cut short or damaged.'],
      ],
    },
    {
      given: 'PKCS#12 with a MAC that is none',
      files: [textFile('bot.p12', sequence(...inside(withoutMac), sequence(integer(1))))],
      says: [['store-damaged', 'bot.p12 is a PKCS#12 file that is damaged: its structure cannot be read.']],
    },
    {
      given: 'a PKCS#7 bundle without the key',
      files: [textFile('chain.p7b', toPkcs7(workshop, [bot.certificate, issuer.certificate], 'pem'))],
      says: [['no-key', 'There is no private key in what was given.']],
    },
  ];
}

/** `bot`, the friendly name of the key, stands in the clear, under the MAC. */
function changedName(store: Buffer): Buffer {
  return flipped(store, store.lastIndexOf(Buffer.from('\0b\0o\0t', 'latin1')) + 1);
}

export function brokenByKeytool(workshop: Workshop): Broken[] {
  const pkcs12 = exportPkcs12(workshop, subject, 'forwards', []);
  const jks = convertByKeytool(workshop, pkcs12, 'JKS');
  const ownKey = convertByKeytool(workshop, pkcs12, 'JKS', { keyPassphrase: 'Another-Horse-7302' });
  workshop.write('root.pem', root.certificate);
  const stores = ['-storepass', passphrase, '-noprompt', '-keystore'];
  workshop.keytool('-importcert', '-storetype', 'JKS', '-alias', 'root', '-file', 'root.pem', ...stores, 'trust.jks');
  workshop.keytool(
    '-genseckey',
    '-storetype',
    'JCEKS',
    '-alias',
    'aes',
    '-keyalg',
    'AES',
    '-keysize',
    '128',
    ...stores,
    'aes.jceks',
    '-keypass',
    passphrase,
  );
  return [
    {
      given: 'JKS without its passphrase',
      files: [textFile('bot.jks', jks)],
      passphrase: undefined,
      says: [
        [
          'passphrase-needed',
          'bot.jks is a Java keystore whose private key is encrypted, and there is no passphrase for it.',
        ],
      ],
    },
    {
      given: 'JKS with a wrong passphrase',
      files: [textFile('bot.jks', jks)],
      passphrase: 'guess',
      says: [
        [
          'passphrase-wrong',
          'The passphrase for bot.jks is wrong: neither the digest of the Java keystore nor a key in it matches.',
        ],
      ],
    },
    {
      given: 'JKS that was changed after it was written',
      files: [textFile('bot.jks', flipped(jks, jks.length - 1))],
      says: [
        [
          'store-damaged',
          'bot.jks was changed after it was written: the passphrase opens a key in it, but its digest does not match.',
        ],
      ],
    },
    {
      given: 'JKS that was cut short',
      files: [textFile('bot.jks', jks.subarray(0, 300))],
      says: [['store-damaged', 'bot.jks is a Java keystore that is damaged: its structure cannot be read.']],
    },
    {
      given: 'JKS whose key has a passphrase of its own',
      files: [textFile('bot.jks', ownKey)],
      says: [
        [
          'passphrase-wrong',
          'The private key in bot.jks (bot) opens with no passphrase that was given, or it is damaged.',
        ],
      ],
    },
    {
      given: 'a trust store in place of the keystore',
      files: [textFile('trust.jks', workshop.read('trust.jks'))],
      says: [['no-key', 'There is no private key in what was given.']],
    },
    {
      given: 'JCEKS with a secret key alone',
      files: [textFile('aes.jceks', workshop.read('aes.jceks')), pem(...chain(bot))],
      says: [
        ['store-empty', 'aes.jceks is a Java keystore without a private key or certificate.'],
        ['secret-key', 'aes.jceks (aes) is a secret key, and what stands behind it in the keystore cannot be read.'],
      ],
    },
  ];
}

/** Files that are whole, and an identity that is not. */
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
          'The private key in key.pem belongs to none of the certificates; these were issued for other keys: CN=bot (chain.pem, block 1).',
        ],
      ],
    },
    {
      given: 'two identities',
      files: [textFile('a.pem', chain(bot).join('')), textFile('b.pem', chain(other).join(''))],
      says: [
        [
          'identity-ambiguous',
          `There are 2 private keys with a client certificate, and nothing says which is meant: CN=bot (a.pem, block 2), SHA-256 ${short(bot)}…; CN=other (b.pem, block 2), SHA-256 ${short(other)}….`,
        ],
      ],
    },
    {
      given: 'a chain without an intermediate',
      files: [pem(bot.privateKey, bot.certificate, root.certificate)],
      says: [['issuer-missing', 'The issuer of CN=bot, which is CN=Issuer, is not among the certificates.']],
    },
    {
      given: 'a chain without its root',
      files: [pem(bot.privateKey, bot.certificate, issuer.certificate)],
      says: [['root-missing', 'The issuer of CN=Issuer, which is CN=Root, is not among the certificates.']],
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
    identity('a certificate that was signed by what is no authority', issue({ commonName: 'below' }, unsigned), [
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
      says: [
        ['renewal-malformed', 'renewal: issuer.kind must have a kind: aws-private-ca, step-ca, est, manual or local.'],
      ],
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
