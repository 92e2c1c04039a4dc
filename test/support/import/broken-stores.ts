// Files from OpenSSL and keytool that were changed afterwards, and the expected finding.
import { type Broken, bot, certificates, chain, flipped, issuer, pem, root, subject } from './broken.ts';
import { inside, integer, sequence } from './encoded.ts';
import {
  convertByKeytool,
  encryptKey,
  exportPkcs12,
  passphrase,
  textFile,
  toPkcs7,
  type Workshop,
  withPbmac1,
} from './samples.ts';

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
      says: [['passphrase-needed', 'bot.p12 is a PKCS#12 file that needs a passphrase, but no passphrase was given.']],
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
      given: 'PKCS#12 with an invalid MAC',
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
