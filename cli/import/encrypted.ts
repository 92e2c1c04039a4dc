// Decrypts with a passphrase: PBES2, PBES1 and the schemes of PKCS#12, as the AlgorithmIdentifier says.
import { type BerElement, integerOf, octetsOf, oidOf, tag } from '../../core/x509/der.ts';
import { type Cipher, type CipherUse, decipher } from './ciphers.ts';
import {
  type Derivation,
  deriveKey,
  derivePbkdf1,
  derivePkcs12,
  purpose,
  type Secret,
  saltAndIterations,
} from './derive.ts';
import { refused } from './finding.ts';

const pbes2 = '1.2.840.113549.1.5.13';

/** RFC 8018, appendix A.3. */
const pbes1: Readonly<Record<string, { digest: 'md5' | 'sha1'; cipher: Cipher }>> = {
  '1.2.840.113549.1.5.3': { digest: 'md5', cipher: 'des-cbc' },
  '1.2.840.113549.1.5.6': { digest: 'md5', cipher: 'rc2-cbc' },
  '1.2.840.113549.1.5.10': { digest: 'sha1', cipher: 'des-cbc' },
  '1.2.840.113549.1.5.11': { digest: 'sha1', cipher: 'rc2-cbc' },
};

/** RFC 7292, appendix C. */
const pkcs12Schemes: Readonly<Record<string, { cipher: Cipher; keyLength: number }>> = {
  '1.2.840.113549.1.12.1.1': { cipher: 'rc4', keyLength: 16 },
  '1.2.840.113549.1.12.1.2': { cipher: 'rc4', keyLength: 5 },
  '1.2.840.113549.1.12.1.3': { cipher: 'des-ede3-cbc', keyLength: 24 },
  '1.2.840.113549.1.12.1.4': { cipher: 'des-ede-cbc', keyLength: 16 },
  '1.2.840.113549.1.12.1.5': { cipher: 'rc2-cbc', keyLength: 16 },
  '1.2.840.113549.1.12.1.6': { cipher: 'rc2-cbc', keyLength: 5 },
};

/** RFC 8018, appendix B.2; RFC 5084; NIST's arc of AES. */
const pbes2Ciphers: Readonly<Record<string, { cipher: Cipher; keyLength: number }>> = {
  '2.16.840.1.101.3.4.1.2': { cipher: 'aes-128-cbc', keyLength: 16 },
  '2.16.840.1.101.3.4.1.22': { cipher: 'aes-192-cbc', keyLength: 24 },
  '2.16.840.1.101.3.4.1.42': { cipher: 'aes-256-cbc', keyLength: 32 },
  '2.16.840.1.101.3.4.1.6': { cipher: 'aes-128-gcm', keyLength: 16 },
  '2.16.840.1.101.3.4.1.26': { cipher: 'aes-192-gcm', keyLength: 24 },
  '2.16.840.1.101.3.4.1.46': { cipher: 'aes-256-gcm', keyLength: 32 },
  '1.2.840.113549.3.7': { cipher: 'des-ede3-cbc', keyLength: 24 },
  '1.3.14.3.2.7': { cipher: 'des-cbc', keyLength: 8 },
  '1.2.840.113549.3.2': { cipher: 'rc2-cbc', keyLength: 16 },
};

/**
 * `algorithm` is the AlgorithmIdentifier. Undefined when the passphrase is wrong or the bytes are damaged, which no
 * scheme but GCM's tells apart. Throws `encryption-unsupported` and `work-too-much`.
 */
export async function decrypt(
  algorithm: BerElement | undefined,
  bytes: Buffer,
  secret: Secret,
  derivation: Derivation,
): Promise<Buffer | undefined> {
  const name = oidOf(algorithm?.children[0]) ?? 'without a name';
  const parameters = algorithm?.children[1];
  const use = await cipherUse(name, parameters, secret, derivation);
  return use && decipher(use, bytes);
}

async function cipherUse(
  name: string,
  parameters: BerElement | undefined,
  secret: Secret,
  derivation: Derivation,
): Promise<CipherUse | undefined> {
  if (name === pbes2) return await usePbes2(parameters, secret, derivation);
  const ofPkcs5 = pbes1[name];
  const ofPkcs12 = pkcs12Schemes[name];
  if (!ofPkcs5 && !ofPkcs12) throw unsupported(name, derivation.where);
  const given = saltAndIterations(parameters);
  if (given === undefined) return undefined;
  if (ofPkcs5) {
    derivation.allowance.iterations(derivation.where, given.iterations, 2);
    const derived = derivePbkdf1(ofPkcs5.digest, secret.utf8, given.salt, given.iterations);
    const key = derived.subarray(0, 8);
    return { cipher: ofPkcs5.cipher, key, iv: derived.subarray(8, 16), effectiveBits: 64 };
  }
  const { cipher, keyLength } = ofPkcs12 as NonNullable<typeof ofPkcs12>;
  const from = { passphrase: secret.bmp, ...given };
  const key = derivePkcs12('sha1', purpose.key, { ...from, length: keyLength }, derivation);
  const iv = cipher === 'rc4' ? key : derivePkcs12('sha1', purpose.iv, { ...from, length: 8 }, derivation);
  return { cipher, key, iv, effectiveBits: 8 * keyLength };
}

/** RFC 8018, appendix A.4. */
async function usePbes2(
  parameters: BerElement | undefined,
  secret: Secret,
  derivation: Derivation,
): Promise<CipherUse | undefined> {
  const [kdf, scheme] = parameters?.children ?? [];
  const name = oidOf(scheme?.children[0]) ?? 'without a name';
  const known = pbes2Ciphers[name];
  if (!known) throw unsupported(name, derivation.where);
  const settings = scheme?.children[1];
  let { keyLength } = known;
  let iv = octetsOf(settings);
  let tagLength = 12;
  let effectiveBits = 0;
  if (known.cipher.endsWith('-gcm')) {
    iv = settings?.children[0]?.content;
    tagLength = integerOf(settings?.children[1]) ?? 12;
    if (tagLength < 12 || tagLength > 16) return undefined;
  }
  if (known.cipher === 'rc2-cbc') {
    const [version, vector] = settings?.children ?? [];
    effectiveBits = rc2Bits[integerOf(version) ?? 0] ?? integerOf(version) ?? 0;
    iv = vector?.content;
    // PBKDF2's own length of the key comes before the usual one: RC2 has any.
    keyLength =
      kdf?.children[1]?.children
        .slice(2)
        .map(integerOf)
        .find((length) => length !== undefined) ?? 16;
    if (effectiveBits < 1 || effectiveBits > 1024 || keyLength < 1 || keyLength > 128) return undefined;
  }
  if (!iv || iv.length === 0) return undefined;
  const key = await deriveKey(kdf, secret.utf8, keyLength, derivation);
  return key && { cipher: known.cipher, key, iv, tagLength, effectiveBits };
}

/** RFC 8018, appendix B.2.3: the version stands for the effective bits. */
const rc2Bits: Readonly<Record<number, number>> = { 160: 40, 120: 64, 58: 128 };

function unsupported(name: string, where: string) {
  const sentence = `${where} is encrypted with the algorithm ${name}, which is not supported.`;
  return refused('encryption-unsupported', where, sentence);
}

/** EncryptedPrivateKeyInfo (RFC 5958, section 3): the algorithm and the octets. */
export function encryptedParts(node: BerElement): { algorithm: BerElement | undefined; bytes: Buffer } | undefined {
  const [algorithm, data] = node.children;
  if (algorithm?.tag !== tag.sequence || data?.tag !== tag.octetString) return undefined;
  return { algorithm, bytes: data.content };
}
