// Derives keys from passphrases: PBKDF2, scrypt, and the older functions of PKCS#5, PKCS#12 and OpenSSL's PEM.
import { createHash, hash, pbkdf2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { type BerElement, integerOf, octetsOf, oidOf, tag } from '../../core/x509/der.ts';
import type { Digest } from '../../core/x509/oids.ts';
import { refused } from './finding.ts';
import { type Allowance, most } from './limits.ts';

/** A passphrase in the encodings that the formats use. */
export interface Secret {
  /** PBES1, PBES2 and PBMAC1 (RFC 8018; RFC 9579, section 5), and what OpenSSL writes. */
  readonly utf8: Buffer;
  /** Java's own keystores: UTF-16, big-endian. */
  readonly utf16: Buffer;
  /** PKCS#12 (RFC 7292, appendix B.1): the same, followed by two zero octets. */
  readonly bmp: Buffer;
}

/**
 * `undefined` is no passphrase, which PKCS#12 distinguishes from the empty one. Throws `passphrase-wrong` if it is too
 * long.
 */
export function secretOf(passphrase: string | undefined, where: string): Secret {
  const utf8 = Buffer.from(passphrase ?? '');
  if (utf8.length > most.passphraseBytes) {
    const sentence = `The passphrase given for ${where} is longer than ${most.passphraseBytes} bytes.`;
    throw refused('passphrase-wrong', where, sentence);
  }
  const utf16 = Buffer.from(passphrase ?? '', 'utf16le').swap16();
  const bmp = passphrase === undefined ? Buffer.alloc(0) : Buffer.concat([utf16, Buffer.alloc(2)]);
  return { utf8, utf16, bmp };
}

/**
 * The secrets that programs make of one passphrase in PKCS#12, the standard's first. They differ outside ASCII only:
 * then there are at most 15, and each derivation has at most 5 inputs.
 *
 * | for PBES2 and PBMAC1 | written by |
 * | --- | --- |
 * | UTF-8 | RFC 8018; OpenSSL on a UTF-8 terminal, .NET |
 * | Latin-1 | OpenSSL on a Latin-1 terminal; node-forge |
 * | Windows-1252 | OpenSSL on Windows |
 * | UTF-16 | programs that use the bytes of PKCS#12's own schemes |
 *
 * | for PKCS#12's own schemes | written by |
 * | --- | --- |
 * | UTF-16 | RFC 7292; Java, Windows, node-forge, OpenSSL 1.1 and later |
 * | one character for each byte of UTF-8 | OpenSSL before 1.1 (`openssl pkcs12`, "NOTES"), on a UTF-8 terminal |
 * | one character for each byte of Windows-1252 | OpenSSL before 1.1 on Windows |
 */
export function secretsOf(secret: Secret): readonly Secret[] {
  if (secret.utf8.every((byte) => byte < 0x80)) return [secret];
  const passphrase = secret.utf8.toString();
  const latin1 = Buffer.from(passphrase, 'latin1');
  const windows = windows1252(passphrase);
  const utf8s = [secret.utf8, latin1, windows, secret.bmp, Buffer.from(secret.utf16).swap16()];
  const bmps = [secret.bmp, widened(secret.utf8), windows && widened(windows)];
  return bmps.flatMap((bmp) => utf8s.flatMap((utf8) => (bmp && utf8 ? { ...secret, utf8, bmp } : [])));
}

/** BMPString with one character for each byte, and its two zero octets. */
function widened(bytes: Buffer): Buffer {
  return Buffer.from(`${bytes.toString('latin1')}\0`, 'utf16le').swap16();
}

const windowsCharacters = new Map(
  Array.from({ length: 256 }, (_, byte) => [new TextDecoder('windows-1252').decode(Buffer.of(byte)), byte]),
);

/** Undefined if a character is not in Windows-1252. */
function windows1252(text: string): Buffer | undefined {
  const bytes = [...text].map((character) => windowsCharacters.get(character));
  return bytes.includes(undefined) ? undefined : Buffer.from(bytes as number[]);
}

const digestBytes: Record<Digest, number> = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  'sha512-224': 28,
  'sha512-256': 32,
};

/** RFC 8018, appendix B.1: id-hmacWithSHA1 to id-hmacWithSHA512-256. */
const hmacs: Readonly<Record<string, Digest>> = {
  '1.2.840.113549.2.6': 'md5',
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
  '1.2.840.113549.2.12': 'sha512-224',
  '1.2.840.113549.2.13': 'sha512-256',
};

/** The hash of an HMAC's AlgorithmIdentifier. Throws `encryption-unsupported`. */
export function hmacDigest(algorithm: BerElement | undefined, where: string): Digest {
  const name = oidOf(algorithm?.children[0]) ?? 'without a name';
  const digest = hmacs[name];
  if (digest) return digest;
  throw refused('encryption-unsupported', where, `${where} uses the HMAC algorithm ${name}, which is not supported.`);
}

export interface Derivation {
  readonly where: string;
  readonly allowance: Allowance;
}

const pbkdf2Async = promisify(pbkdf2);
const scryptAsync = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

const derivations = { pbkdf2: '1.2.840.113549.1.5.12', scrypt: '1.3.6.1.4.1.11591.4.11' } as const;

/**
 * `algorithm` is the AlgorithmIdentifier of PBKDF2 (RFC 8018, appendix A.2) or scrypt (RFC 7914, section 7), `length`
 * in octets. Undefined if its parameters cannot be read. Throws `encryption-unsupported` and `work-too-much`.
 */
export async function deriveKey(
  algorithm: BerElement | undefined,
  passphrase: Buffer,
  length: number,
  { where, allowance }: Derivation,
): Promise<Buffer | undefined> {
  const name = oidOf(algorithm?.children[0]);
  const [salt, ...parameters] = algorithm?.children[1]?.children ?? [];
  if (name !== derivations.pbkdf2 && name !== derivations.scrypt) {
    const sentence = `${where} makes its key with the algorithm ${name ?? 'without a name'}, which is not supported.`;
    throw refused('encryption-unsupported', where, sentence);
  }
  if (salt?.tag !== tag.octetString) return undefined;
  if (name === derivations.scrypt) {
    const [cost = 0, blockSize = 0, lanes = 0] = parameters.map((node) => integerOf(node) ?? 0);
    return await deriveByScrypt(salt.content, { cost, blockSize, lanes }, passphrase, length, { where, allowance });
  }
  const iterations = integerOf(parameters[0]) ?? 0;
  const prf = parameters.find((node) => node.tag === tag.sequence);
  const digest = prf === undefined ? 'sha1' : hmacDigest(prf, where);
  if (iterations < 1) return undefined;
  allowance.iterations(where, iterations, Math.ceil(length / digestBytes[digest]));
  try {
    return await pbkdf2Async(passphrase, salt.content, iterations, length, digest);
  } catch {
    // The length is 0, for example.
    return undefined;
  }
}

/** RFC 9579 requires 20 octets; no digest uses more than 256. */
const leastMacKey = 20;
const mostMacKey = 256;

/**
 * The length of PBMAC1's key in octets: from the parameters of its derivation, else that of the digest. Undefined if it
 * is out of range.
 */
export function macKeyLength(algorithm: BerElement | undefined, digest: Digest): number | undefined {
  const parameters = algorithm?.children[1]?.children ?? [];
  const length = parameters[oidOf(algorithm?.children[0]) === derivations.scrypt ? 4 : 2];
  if (length?.tag !== tag.integer) return digestBytes[digest];
  const octets = integerOf(length) ?? 0;
  return octets < leastMacKey || octets > mostMacKey ? undefined : octets;
}

async function deriveByScrypt(
  salt: Buffer,
  { cost, blockSize, lanes }: { cost: number; blockSize: number; lanes: number },
  passphrase: Buffer,
  length: number,
  { where, allowance }: Derivation,
): Promise<Buffer | undefined> {
  const bytes = 128 * cost * blockSize;
  if (bytes > most.scryptBytes || lanes > most.scryptLanes) {
    const sentence = `${where} asks for ${bytes} bytes and ${lanes} rounds of scrypt; ${most.scryptBytes} and ${most.scryptLanes} are the most.`;
    throw refused('work-too-much', where, sentence);
  }
  // Measured: 16 MiB take 30 to 50 ms, as long as 50,000 iterations of a digest.
  allowance.work(where, (bytes * lanes) / 256);
  try {
    const options = { cost, blockSize, parallelization: lanes, maxmem: 2 * most.scryptBytes };
    return await scryptAsync(passphrase, salt, length, options);
  } catch {
    // N is not a power of two, for example.
    return undefined;
  }
}

/** PBKDF1 (RFC 8018, section 5.1). */
export function derivePbkdf1(digest: 'md5' | 'sha1', passphrase: Buffer, salt: Buffer, iterations: number): Buffer {
  let result = createHash(digest).update(passphrase).update(salt).digest();
  for (let count = 1; count < iterations; count++) result = hash(digest, result, 'buffer');
  return result;
}

/** OpenSSL's EVP_BytesToKey with MD5 and one iteration: the key of a PEM block with `Proc-Type: 4,ENCRYPTED`. */
export function deriveOpensslKey(passphrase: Buffer, salt: Buffer, length: number): Buffer {
  let last = Buffer.alloc(0);
  let key = Buffer.alloc(0);
  while (key.length < length) {
    last = createHash('md5').update(last).update(passphrase).update(salt).digest();
    key = Buffer.concat([key, last]);
  }
  return key.subarray(0, length);
}

/** The ID byte of RFC 7292, appendix B.3. */
export const purpose = { key: 1, iv: 2, mac: 3 } as const;

/** RFC 7292, appendix B.2. Throws `work-too-much`. */
export function derivePkcs12(
  digest: Digest,
  id: (typeof purpose)[keyof typeof purpose],
  { passphrase, salt, iterations, length }: { passphrase: Buffer; salt: Buffer; iterations: number; length: number },
  { where, allowance }: Derivation,
): Buffer {
  const block = digestBytes[digest] > 32 || digest.startsWith('sha512') ? 128 : 64;
  const rounds = Math.ceil(length / digestBytes[digest]);
  // A loop in JavaScript takes about twice the time of PBKDF2 for each iteration.
  allowance.iterations(where, iterations, 2 * rounds);
  const diversifier = Buffer.alloc(block, id);
  const input = Buffer.concat([stretched(salt, block), stretched(passphrase, block)]);
  const result: Buffer[] = [];
  for (let round = 0; round < rounds; round++) {
    let value = createHash(digest).update(diversifier).update(input).digest();
    for (let count = 1; count < iterations; count++) value = hash(digest, value, 'buffer');
    result.push(value);
    addOneMore(input, stretched(value, block, block), block);
  }
  return Buffer.concat(result).subarray(0, length);
}

/** Repeated to a multiple of the block, or cut to `size`. */
function stretched(bytes: Buffer, block: number, size = Math.ceil(bytes.length / block) * block): Buffer {
  return bytes.length === 0 ? Buffer.alloc(0) : Buffer.alloc(size, bytes);
}

/** Each block of `input` becomes (block + value + 1) mod 2^(8 · length). */
function addOneMore(input: Buffer, value: Buffer, block: number): void {
  for (let start = 0; start < input.length; start += block) {
    let carry = 1;
    for (let index = block - 1; index >= 0; index--) {
      carry += (input[start + index] as number) + (value[index] as number);
      input[start + index] = carry & 0xff;
      carry >>= 8;
    }
  }
}

/** The salt and the count of PBEParameter (RFC 8018, appendix A.3) and pkcs-12PbeParams (RFC 7292, appendix C). */
export function saltAndIterations(
  parameters: BerElement | undefined,
): { salt: Buffer; iterations: number } | undefined {
  const [salt, count] = parameters?.children ?? [];
  const iterations = integerOf(count) ?? 0;
  if (salt?.tag !== tag.octetString || iterations < 1) return undefined;
  return { salt: octetsOf(salt) as Buffer, iterations };
}
