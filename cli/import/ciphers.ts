// The ciphers that keys and keystores are encrypted with: today's by node:crypto, RC2 and single DES by node-forge.
import { createDecipheriv } from 'node:crypto';
import forge from 'node-forge';

export type Cipher =
  | 'aes-128-cbc'
  | 'aes-192-cbc'
  | 'aes-256-cbc'
  | 'aes-128-gcm'
  | 'aes-192-gcm'
  | 'aes-256-gcm'
  | 'des-ede3-cbc'
  | 'des-ede-cbc'
  | 'des-cbc'
  | 'rc2-cbc'
  | 'rc4';

export interface CipherUse {
  readonly cipher: Cipher;
  readonly key: Buffer;
  /** The nonce of GCM; empty for RC4. */
  readonly iv: Buffer;
  /** GCM: octets of the tag, which stands behind the text (RFC 5084, section 3.2). */
  readonly tagLength?: number;
  /** RC2 alone: effective bits of the key (RFC 2268, section 2). */
  readonly effectiveBits?: number;
}

/** Undefined when the padding or the tag is not right: the key is wrong, or the bytes are damaged. */
export function decipher(use: CipherUse, bytes: Buffer): Buffer | undefined {
  try {
    if (use.cipher === 'rc4') return rc4(use.key, bytes);
    if (use.cipher === 'rc2-cbc' || use.cipher === 'des-cbc') return decipherByForge(use, bytes);
    if (use.cipher.endsWith('-gcm')) return decipherGcm(use, bytes);
    const decipher = createDecipheriv(use.cipher, use.key, use.iv);
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  } catch {
    return undefined;
  }
}

function decipherGcm({ cipher, key, iv, tagLength = 12 }: CipherUse, bytes: Buffer): Buffer {
  const text = bytes.subarray(0, -tagLength);
  const decipher = createDecipheriv(cipher as 'aes-256-gcm', key, iv, { authTagLength: tagLength });
  decipher.setAuthTag(bytes.subarray(-tagLength));
  return Buffer.concat([decipher.update(text), decipher.final()]);
}

/** OpenSSL 3 keeps both in its legacy provider, which Node does not load. */
function decipherByForge({ cipher, key, iv, effectiveBits }: CipherUse, bytes: Buffer): Buffer | undefined {
  if (iv.length !== 8 || bytes.length === 0 || bytes.length % 8 !== 0) return undefined;
  const decipher = forgeDecipher(cipher, key, iv, effectiveBits);
  decipher.update(forge.util.createBuffer(bytes.toString('binary')));
  if (!decipher.finish()) return undefined;
  return Buffer.from(decipher.output.getBytes(), 'binary');
}

function forgeDecipher(cipher: Cipher, key: Buffer, iv: Buffer, effectiveBits: number | undefined) {
  if (cipher === 'des-cbc') {
    const decipher = forge.cipher.createDecipher('DES-CBC', key.toString('binary'));
    decipher.start({ iv: iv.toString('binary') } as Parameters<typeof decipher.start>[0]);
    return decipher;
  }
  const decipher = forge.rc2.createDecryptionCipher(key.toString('binary'), effectiveBits);
  decipher.start(iv.toString('binary'));
  return decipher;
}

/** node:crypto and node-forge do not have RC4; RFC 6229 has its test vectors. */
function rc4(key: Buffer, bytes: Buffer): Buffer {
  const state = Uint8Array.from({ length: 256 }, (_, index) => index);
  const at = (index: number) => state[index & 0xff] as number;
  const swap = (one: number, other: number) => {
    [state[one], state[other]] = [at(other), at(one)];
  };
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + at(i) + (key[i % key.length] as number)) & 0xff;
    swap(i, j);
  }
  let i = 0;
  let j = 0;
  return Buffer.from(
    bytes.map((byte) => {
      i = (i + 1) & 0xff;
      j = (j + at(i)) & 0xff;
      swap(i, j);
      return byte ^ at(at(i) + at(j));
    }),
  );
}
