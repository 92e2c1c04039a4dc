// Kind, size and curve of a key are checked before OpenSSL computes with it, wherever the key is.
import { createCipheriv, createHash, generateKeyPairSync, hash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { InputFile } from '../../../cli/import/contents.ts';
import { identityFrom } from '../../../cli/import/identity-from.ts';
import { readFiles } from '../../../cli/import/read-files.ts';
import { armoured, bot, certificates, chain, key, now, pem } from '../../support/import/broken.ts';
import {
  contentOf,
  element,
  indefinite,
  inside,
  integer,
  nothing,
  octetString,
  oid,
  sequence,
} from '../../support/import/encoded.ts';
import {
  algorithms,
  dhKey,
  dsaKey,
  explicitKey,
  numberOf,
  pkcs8Of,
  rsaKey,
  rsaNumbers,
  rsaPublicKey,
  withKey,
} from '../../support/import/keys.ts';
import { keyDerOf, passphrase, textFile } from '../../support/import/samples.ts';

async function codesOf(...files: readonly InputFile[]): Promise<readonly string[]> {
  const { findings } = await readFiles(files, async () => passphrase);
  return findings.map(({ code }) => code);
}

/** PBES2 of AES-256 and one iteration (RFC 8018, appendix A.4). */
function encrypted(plain: Buffer): Buffer {
  const [salt, iv] = [randomBytes(8), randomBytes(16)];
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(passphrase, salt, 1, 32, 'sha1'), iv);
  const kdf = sequence(oid('1.2.840.113549.1.5.12'), sequence(octetString(salt), integer(1)));
  const scheme = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(iv));
  const algorithm = sequence(oid('1.2.840.113549.1.5.13'), sequence(kdf, scheme));
  return sequence(algorithm, octetString(Buffer.concat([cipher.update(plain), cipher.final()])));
}

function opensslPem(label: string, plain: Buffer): string {
  const iv = randomBytes(16);
  const salted = Buffer.concat([Buffer.from(passphrase), iv.subarray(0, 8)]);
  const first = hash('md5', salted, 'buffer');
  const secret = Buffer.concat([first, hash('md5', Buffer.concat([first, salted]), 'buffer')]);
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const headers = `Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,${iv.toString('hex')}\n\n`;
  return armoured(label, Buffer.concat([cipher.update(plain), cipher.final()])).replace('\n', `\n${headers}`);
}

function pkcs12(bag: string, value: Buffer): Buffer {
  const data = (content: Buffer) => sequence(oid('1.2.840.113549.1.7.1'), element(0xa0, octetString(content)));
  const safe = sequence(sequence(oid(`1.2.840.113549.1.12.10.1.${bag}`), element(0xa0, value)));
  return sequence(integer(3), data(sequence(data(safe))));
}

/** Java's own format and cipher, with one key and no certificate. */
function jks(plain: Buffer): Buffer {
  const secret = Buffer.from(passphrase, 'utf16le').swap16();
  const sha1 = (...parts: readonly Buffer[]) => hash('sha1', Buffer.concat(parts), 'buffer');
  const salt = randomBytes(20);
  const hidden = Buffer.from(plain);
  for (let at = 0, stream: Buffer = salt; at < hidden.length; at += 20) {
    stream = sha1(secret, stream);
    for (let index = 0; index < 20 && at + index < hidden.length; index++) {
      hidden[at + index] = (hidden[at + index] as number) ^ (stream[index] as number);
    }
  }
  const entry = sequence(
    sequence(oid('1.3.6.1.4.1.42.2.17.1.1'), nothing),
    octetString(Buffer.concat([salt, hidden, sha1(secret, plain)])),
  );
  const word = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
  const alias = Buffer.from([0, 3, ...Buffer.from('bot')]);
  const parts = [
    word(0xfeedfeed),
    word(2),
    word(1),
    word(1),
    alias,
    Buffer.alloc(8),
    word(entry.length),
    entry,
    word(0),
  ];
  const body = Buffer.concat(parts);
  const digest = createHash('sha1').update(secret).update('Mighty Aphrodite').update(body).digest();
  return Buffer.concat([body, digest]);
}

const wrappings: Readonly<Record<string, (pkcs8: Buffer) => Buffer | string>> = {
  'in DER': (pkcs8) => pkcs8,
  'in PEM': (pkcs8) => armoured('PRIVATE KEY', pkcs8),
  'in PKCS#12': (pkcs8) => pkcs12('1', pkcs8),
  'in PKCS#12, in BER and in pieces': (pkcs8) => pkcs12('1', indefinite(pkcs8)),
  'encrypted in PKCS#12': (pkcs8) => pkcs12('2', encrypted(pkcs8)),
  'encrypted in PKCS#8': encrypted,
  'in old PEM with DEK-Info': (pkcs8) => opensslPem('PRIVATE KEY', pkcs8),
  'in JKS': jks,
};

// Without the judgement one of these takes seconds to minutes, and ends in another finding.
describe.each(Object.entries(wrappings))('a private key %s', (_where, wrap) => {
  const keys: Readonly<Record<string, [() => Buffer, string]>> = {
    'of DSA': [dsaKey, 'key-type'],
    'of DH': [dhKey, 'key-type'],
    'of RSA that is too large': [() => rsaKey(8_193), 'key-too-large'],
    'of RSA with a huge exponent': [() => rsaKey(2_048, 8_000), 'key-too-large'],
    'with a curve that is written out': [() => explicitKey().pkcs8, 'explicit-curve'],
  };

  it.each(Object.entries(keys))('%s is rejected', { timeout: 60_000 }, async (_kind, [make, code]) => {
    expect(await codesOf(textFile('key', wrap(make())))).toEqual([code]);
  });

  it('that an identity can have is read', async () => {
    const { keys, findings } = await readFiles(
      [textFile('key', wrap(keyDerOf(bot.privateKey)))],
      async () => passphrase,
    );
    expect(findings).toEqual([]);
    expect(keys).toHaveLength(1);
  });
});

describe('a private key in an older form', () => {
  const { sec1 } = explicitKey();

  it.each([
    ['PKCS#1', rsaNumbers(8_193), 'key-too-large'],
    ['PKCS#1 with a huge exponent', rsaNumbers(2_048, 257), 'key-too-large'],
    ['SEC1', sec1, 'explicit-curve'],
    ['PKCS#1 in old PEM with DEK-Info', opensslPem('RSA PRIVATE KEY', rsaNumbers(8_193)), 'key-too-large'],
    ['SEC1 in old PEM with DEK-Info', opensslPem('EC PRIVATE KEY', sec1), 'explicit-curve'],
    ['DSA in PKCS#8 under the label of PKCS#1', opensslPem('RSA PRIVATE KEY', dsaKey()), 'key-damaged'],
  ] as const)('%s is rejected', { timeout: 60_000 }, async (_form, bytes, code) => {
    expect(await codesOf(textFile('key', Buffer.from(bytes as string)))).toEqual([code]);
  });

  it('can contain the parameters of its curve', async () => {
    const [version, algorithm] = inside(keyDerOf(bot.privateKey)) as [Buffer, Buffer];
    expect(await codesOf(textFile('key', sequence(version, algorithm, octetString(sec1))))).toEqual(['explicit-curve']);
  });

  it('is damaged if its point has 300 octets, or if it has three primes', async () => {
    const [version, algorithm, wrapped] = inside(keyDerOf(bot.privateKey)) as [Buffer, Buffer, Buffer];
    const [one, , ...rest] = inside(contentOf(wrapped)) as [Buffer, Buffer];
    const long = sequence(one, octetString(randomBytes(300)), ...rest);
    const three = sequence(...inside(rsaNumbers(2_048)), sequence(sequence(numberOf(9), numberOf(9), numberOf(9))));
    const files = [sequence(version, algorithm, octetString(long)), pkcs8Of(algorithms.rsa, nothing, three)];
    for (const file of files) expect(await codesOf(textFile('key', file))).toEqual(['key-damaged']);
  });
});

describe('a certificate', () => {
  const file = (publicKey: Buffer) => textFile('odd.crt', withKey(bot.certificate, publicKey));

  it.each([
    ['with an RSA key that is too large', rsaPublicKey(8_193), 'key-too-large'],
    ['with a huge exponent', rsaPublicKey(2_048, 257), 'key-too-large'],
    ['with a key of another kind that is too large', dsaPublicKey(8_000), 'key-too-large'],
    ['with a curve that is written out', explicitKey().publicKey, 'explicit-curve'],
  ])('%s is rejected, beside a sound identity too', async (_what, publicKey, code) => {
    expect(await codesOf(pem(...chain(bot)), file(publicKey))).toEqual([code]);
  });

  it.each([
    ['with RSA of 8,192 bits', rsaPublicKey(8_192, 256)],
    ['with DSA', dsaPublicKey(2_048)],
    ['with Ed25519', generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })],
  ])('of another key %s is skipped', async (_what, publicKey) => {
    const contents = await readFiles([pem(...chain(bot)), file(publicKey)], async () => passphrase);
    expect(identityFrom(contents, { now, publicRoots: [] })).toMatchObject({ document: {} });
  });

  function dsaPublicKey(bits: number): Buffer {
    const parameters = sequence(numberOf(bits), numberOf(256), numberOf(bits));
    return sequence(sequence(oid(algorithms.dsa), parameters), element(0x03, Buffer.alloc(1), numberOf(bits)));
  }
});

describe('an unusual but allowed key', () => {
  it('is RSA of 8,192 bits with an exponent of 256', async () => {
    expect(await codesOf(textFile('key', rsaKey(8_192, 256)))).toEqual([]);
  });

  it.each(['ed25519', 'rsa-pss'] as const)(
    'is %s: the finding says that its certificate is of the wrong kind',
    async (kind) => {
      const { privateKey, publicKey } =
        kind === 'ed25519' ? generateKeyPairSync(kind) : generateKeyPairSync(kind, { modulusLength: 2_048 });
      const files = [
        textFile('key', privateKey.export({ type: 'pkcs8', format: 'der' })),
        textFile('bot.crt', withKey(bot.certificate, publicKey.export({ type: 'spki', format: 'der' }))),
      ];
      const result = identityFrom(await readFiles(files, async () => passphrase), { now, publicRoots: [] });
      expect(result).toContainEqual(
        expect.objectContaining({ code: 'key-type', sentence: 'The key of CN=bot (bot.crt) is neither RSA nor EC.' }),
      );
    },
  );

  it('can follow the parameters of its curve, named or explicit', async () => {
    const parameters = [oid('1.2.840.10045.3.1.7'), explicitKey().curve];
    for (const curve of parameters) {
      const file = textFile('key.pem', armoured('EC PARAMETERS', curve) + bot.privateKey);
      const contents = await readFiles([file, certificates], async () => passphrase);
      expect(identityFrom(contents, { now, publicRoots: [] })).toMatchObject({
        document: { privateKey: Buffer.from(key.bytes).toString() },
      });
    }
  });
});
