// Private keys behind a passphrase of their own: PKCS#8's encrypted form, and OpenSSL's older PEM with `DEK-Info`.

import { type BerElement, readOnlyBer, tag } from '../../core/x509/der.ts';
import type { KeyForm } from '../../core/x509/keys.ts';
import type { PemBlock } from '../../core/x509/pem.ts';
import { type Cipher, decipher } from './ciphers.ts';
import type { Collector } from './collector.ts';
import { deriveOpensslKey } from './derive.ts';
import { decrypt, encryptedParts } from './encrypted.ts';
import { refused } from './finding.ts';

export async function readEncryptedKey(node: BerElement, where: string, collector: Collector): Promise<void> {
  const parts = encryptedParts(node);
  if (!parts) throw refused('key-damaged', where, `${where} holds an encrypted private key that cannot be read.`);
  const secret = await collector.secret({ name: where, kind: 'key' }, neededSentence(where));
  const plain = await decrypt(parts.algorithm, parts.bytes, secret, { where, allowance: collector.allowance });
  if (!plain || !looksLikeKey(plain, where)) throw wrong(where);
  collector.key(plain, 'pkcs8', where);
}

/** RFC 1421, section 4.6.1.3, with the ciphers that OpenSSL has written there. */
const pemCiphers: Readonly<Record<string, { cipher: Cipher; keyLength: number; ivLength: number }>> = {
  'AES-128-CBC': { cipher: 'aes-128-cbc', keyLength: 16, ivLength: 16 },
  'AES-192-CBC': { cipher: 'aes-192-cbc', keyLength: 24, ivLength: 16 },
  'AES-256-CBC': { cipher: 'aes-256-cbc', keyLength: 32, ivLength: 16 },
  'DES-EDE3-CBC': { cipher: 'des-ede3-cbc', keyLength: 24, ivLength: 8 },
  'DES-CBC': { cipher: 'des-cbc', keyLength: 8, ivLength: 8 },
};

/** The labels that may have such headers. */
const forms: Readonly<Record<string, KeyForm>> = { 'RSA PRIVATE KEY': 'pkcs1', 'EC PRIVATE KEY': 'sec1' };

export async function readEncryptedPem(block: PemBlock, where: string, collector: Collector): Promise<void> {
  const [name = '', hex = ''] = (block.headers.get('dek-info') ?? '').split(',').map((part) => part.trim());
  const known = pemCiphers[name.toUpperCase()];
  if (!known) {
    const sentence = `${where} is encrypted with a cipher of old PEM files that is not supported; convert it with openssl pkcs8 -topk8.`;
    throw refused('encryption-unsupported', where, sentence);
  }
  const { cipher, keyLength, ivLength } = known;
  const iv = Buffer.from(hex, 'hex');
  const form = forms[block.label] ?? 'pkcs8';
  if (!block.bytes || iv.length !== ivLength) {
    throw refused('key-damaged', where, `${where} holds an encrypted private key that cannot be read.`);
  }
  const secret = await collector.secret({ name: where, kind: 'key' }, neededSentence(where));
  const key = deriveOpensslKey(secret.utf8, iv.subarray(0, 8), keyLength);
  const plain = decipher({ cipher, key, iv }, block.bytes);
  if (!plain || !looksLikeKey(plain, where)) throw wrong(where);
  collector.key(plain, form, where);
}

/** With a wrong passphrase the padding is right once in 256 times; what comes out is no ASN.1 then. */
export function looksLikeKey(plain: Buffer, where: string): boolean {
  try {
    return readOnlyBer(plain, where)?.tag === tag.sequence;
  } catch {
    return false;
  }
}

function neededSentence(where: string): string {
  return `${where} holds a private key that is encrypted, and there is no passphrase for it.`;
}

function wrong(where: string) {
  return refused('passphrase-wrong', where, `The passphrase for ${where} is wrong, or its encrypted key is damaged.`);
}
