// A server's flight made by hand: TLS 1.3 records sealed with a chosen secret, in any shape; shares no code with the
// reader.
import { type CipherGCM, createCipheriv, createHmac } from 'node:crypto';

export const suites = {
  TLS_AES_128_GCM_SHA256: { code: 0x1301, cipher: 'aes-128-gcm', hash: 'sha256', key: 16, tag: 16 },
  TLS_AES_256_GCM_SHA384: { code: 0x1302, cipher: 'aes-256-gcm', hash: 'sha384', key: 32, tag: 16 },
  TLS_CHACHA20_POLY1305_SHA256: { code: 0x1303, cipher: 'chacha20-poly1305', hash: 'sha256', key: 32, tag: 16 },
  TLS_AES_128_CCM_SHA256: { code: 0x1304, cipher: 'aes-128-ccm', hash: 'sha256', key: 16, tag: 16 },
  TLS_AES_128_CCM_8_SHA256: { code: 0x1305, cipher: 'aes-128-ccm', hash: 'sha256', key: 16, tag: 8 },
} as const;
export type SuiteName = keyof typeof suites;

export const handshakeLabel = 'SERVER_HANDSHAKE_TRAFFIC_SECRET';
export const applicationLabel = 'SERVER_TRAFFIC_SECRET_0';

/** A line as Node's keylog event has it. */
export function keyLogLine(label: string, secret: Buffer): Buffer {
  return Buffer.from(`${label} ${'5a'.repeat(32)} ${secret.toString('hex')}\n`);
}

export function number(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

export function vector(lengthSize: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([number(content.length, lengthSize), content]);
}

export function message(type: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(type), vector(3, ...parts)]);
}

export function extension(type: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([number(type, 2), vector(2, ...parts)]);
}

export function record(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type, 3, 3), vector(2, content)]);
}

/** RFC 8446, section 4.1.3. */
export function serverHello(suite: number, extensions: readonly Buffer[], random = Buffer.alloc(32, 7)): Buffer {
  const version = number(0x0303, 2);
  return message(2, version, random, vector(1), number(suite, 2), Buffer.of(0), vector(2, ...extensions));
}

/** supported_versions: TLS 1.3, and a key share of x25519. */
export const hello13 = [
  extension(43, number(0x0304, 2)),
  extension(51, number(0x001d, 2), vector(2, Buffer.alloc(32, 9))),
];

/** Seals in order; `padding` zeroes go after the content type (RFC 8446, section 5.2). */
export function createSealer(
  name: SuiteName,
  secret: Buffer,
): (type: number, content: Buffer, padding?: number) => Buffer {
  const suite = suites[name];
  const key = expand(suite.hash, secret, 'key', suite.key);
  const iv = expand(suite.hash, secret, 'iv', 12);
  let sequence = 0n;
  return (type, content, padding = 0) => {
    const plain = Buffer.concat([content, Buffer.of(type), Buffer.alloc(padding)]);
    const header = Buffer.concat([Buffer.of(23, 3, 3), number(plain.length + suite.tag, 2)]);
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64BE(sequence, 4);
    sequence += 1n;
    for (const [index, byte] of iv.entries()) nonce[index] = (nonce[index] ?? 0) ^ byte;
    const cipher = createCipheriv(suite.cipher as 'aes-128-gcm', key, nonce, { authTagLength: suite.tag }) as CipherGCM;
    cipher.setAAD(header, { plaintextLength: plain.length });
    const sealed = cipher.update(plain);
    cipher.final();
    return Buffer.concat([header, sealed, cipher.getAuthTag()]);
  };
}

export function expand(hash: string, secret: Buffer, label: string, length: number): Buffer {
  const info = Buffer.concat([number(length, 2), vector(1, Buffer.from(`tls13 ${label}`)), vector(1)]);
  const block = createHmac(hash, secret)
    .update(Buffer.concat([info, Buffer.of(1)]))
    .digest();
  return block.subarray(0, length);
}
