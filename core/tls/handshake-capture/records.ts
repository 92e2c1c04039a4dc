// TLS records: splits a byte stream into records and messages, and decrypts the records of TLS 1.3.

import { createDecipheriv, createHmac } from 'node:crypto';
import { captureLimits, type Stopped } from './capture.ts';

/** RFC 8446, section 5.1. */
export const contentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

export interface TlsRecord {
  readonly type: number;
  /** The 5 bytes before the body: TLS 1.3 authenticates them. */
  readonly header: Buffer;
  readonly body: Buffer;
}

export interface HandshakeMessage {
  readonly type: number;
  readonly body: Buffer;
}

/** Returns whole pieces of a stream that comes in chunks of any size. */
export interface Splitter<Piece> {
  /** Takes the pieces that the chunk completes, in order, up to the first that gives a reason to stop. */
  push(chunk: Buffer, take: (piece: Piece) => Stopped | undefined): Stopped | undefined;
  /** Nothing is half read. */
  readonly atBoundary: boolean;
  /** Zeroes what is half read. */
  clear(): void;
}

/** RFC 8446, section 5.2: 2^14 bytes and 256 for the protection; TLS 1.2 allows 2048 (RFC 5246, section 6.2.3). */
const maxRecordBody = 2 ** 14 + 2048;

export function createRecordSplitter(): Splitter<TlsRecord> {
  let first = true;
  return createSplitter(
    5,
    (header) => {
      const type = header.readUInt8(0);
      const length = header.readUInt16BE(3);
      const isRecord = type >= 20 && type <= 23 && header.readUInt8(1) === 3 && length <= maxRecordBody;
      if (!isRecord) return first ? 'not-tls' : 'malformed';
      first = false;
      return length;
    },
    (header, body) => ({ type: header.readUInt8(0), header, body }),
  );
}

/** RFC 8446, section 4: one byte of type, three of length. Messages span records, and records hold several messages. */
export function createMessageSplitter(): Splitter<HandshakeMessage> {
  return createSplitter(
    4,
    (header) => {
      const length = header.readUIntBE(1, 3);
      return length > captureLimits.messageBytes ? 'too-long' : length;
    },
    (header, body) => ({ type: header.readUInt8(0), body }),
  );
}

function createSplitter<Piece>(
  headerLength: number,
  bodyLength: (header: Buffer) => number | Stopped,
  piece: (header: Buffer, body: Buffer) => Piece,
): Splitter<Piece> {
  let header = Buffer.alloc(headerLength);
  let body: Buffer | undefined;
  let filled = 0;

  /** Fills the target from the chunk and tells how many bytes that took. */
  function fill(target: Buffer, chunk: Buffer, at: number): number {
    const copied = chunk.copy(target, filled, at);
    filled += copied;
    return copied;
  }

  return {
    push(chunk, take) {
      let at = 0;
      while (at < chunk.length) {
        if (!body) {
          at += fill(header, chunk, at);
          if (filled < headerLength) return undefined;
          const length = bodyLength(header);
          if (typeof length === 'string') return length;
          body = Buffer.alloc(length);
          filled = 0;
        }
        at += fill(body, chunk, at);
        if (filled < body.length) return undefined;
        const whole = piece(header, body);
        header = Buffer.alloc(headerLength);
        body = undefined;
        filled = 0;
        const stopped = take(whole);
        if (stopped) return stopped;
      }
      return undefined;
    },
    get atBoundary() {
      return body === undefined && filled === 0;
    },
    clear() {
      body?.fill(0);
      body = undefined;
      filled = 0;
    },
  };
}

/** One cipher suite of TLS 1.3 (RFC 8446, appendix B.4). Lengths in bytes; the secret is as long as the hash. */
export interface Suite {
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305' | 'aes-128-ccm';
  readonly hash: 'sha256' | 'sha384';
  readonly secretLength: number;
  readonly keyLength: number;
  readonly tagLength: number;
}

export const suites: ReadonlyMap<string, Suite> = new Map<string, Suite>([
  ['TLS_AES_128_GCM_SHA256', suite('aes-128-gcm', 'sha256', 16, 16)],
  ['TLS_AES_256_GCM_SHA384', suite('aes-256-gcm', 'sha384', 32, 16)],
  ['TLS_CHACHA20_POLY1305_SHA256', suite('chacha20-poly1305', 'sha256', 32, 16)],
  ['TLS_AES_128_CCM_SHA256', suite('aes-128-ccm', 'sha256', 16, 16)],
  ['TLS_AES_128_CCM_8_SHA256', suite('aes-128-ccm', 'sha256', 16, 8)],
]);

function suite(cipher: Suite['cipher'], hash: Suite['hash'], keyLength: number, tagLength: number): Suite {
  return { cipher, hash, secretLength: hash === 'sha256' ? 32 : 48, keyLength, tagLength };
}

/** RFC 8446, section 5.3: every AEAD of TLS 1.3 has a nonce of 12 bytes. */
const ivLength = 12;

/** Opens the records of one direction and one epoch, in order. */
export interface RecordOpener {
  /** The inner plaintext with its content type and padding, or undefined when the record does not authenticate. */
  open(header: Buffer, body: Buffer): Buffer | undefined;
  /** Zeroes the key; nothing opens afterwards. */
  close(): void;
}

/** The content type is the last byte that is not zero; what follows it is padding (RFC 8446, section 5.4). */
export function contentOf(inner: Buffer): { readonly type: number; readonly bytes: Buffer } {
  let end = inner.length - 1;
  while (end > 0 && inner[end] === 0) end -= 1;
  return { type: inner[end] ?? 0, bytes: inner.subarray(0, Math.max(end, 0)) };
}

/** The secret is read, not kept. */
export function createRecordOpener(suite: Suite, secret: Buffer): RecordOpener {
  const key = expandLabel(suite, secret, 'key', suite.keyLength);
  const iv = expandLabel(suite, secret, 'iv', ivLength);
  const nonce = Buffer.alloc(ivLength);
  let sequence = 0;
  return {
    open(header, body) {
      if (body.length < suite.tagLength) return undefined;
      // The sequence number, padded to 12 bytes on the left, XOR the iv. 32 bits are more than the reader's limits
      // allow.
      iv.copy(nonce);
      nonce.writeUInt32BE((iv.readUInt32BE(8) ^ sequence++) >>> 0, 8);
      const sealed = body.subarray(0, body.length - suite.tagLength);
      try {
        // Node's types know CCM's and ChaCha's option apart; at run time it is the one option of every AEAD.
        const decipher = createDecipheriv(suite.cipher as 'aes-128-ccm', key, nonce, {
          authTagLength: suite.tagLength,
        });
        decipher.setAuthTag(body.subarray(sealed.length));
        decipher.setAAD(header, { plaintextLength: sealed.length });
        const plain = decipher.update(sealed);
        decipher.final();
        return plain;
      } catch {
        return undefined;
      }
    },
    close() {
      key.fill(0);
      iv.fill(0);
    },
  };
}

/** The secret after a KeyUpdate (RFC 8446, section 7.2). */
export function nextSecret(suite: Suite, secret: Buffer): Buffer {
  return expandLabel(suite, secret, 'traffic upd', suite.secretLength);
}

/**
 * HKDF-Expand-Label with an empty context (RFC 8446, section 7.1); one block of HKDF-Expand (RFC 5869, 2.3) is enough
 * for all.
 */
function expandLabel(suite: Suite, secret: Buffer, label: string, length: number): Buffer {
  const name = `tls13 ${label}`;
  const info = Buffer.concat([Buffer.from([0, length, name.length]), Buffer.from(name), Buffer.from([0, 1])]);
  const block = createHmac(suite.hash, secret).update(info).digest();
  const output = Buffer.from(block.subarray(0, length));
  block.fill(0);
  return output;
}

/**
 * The secret of one line of NSS's key log format (`<label> <client random> <secret>`, both in hex), which is what
 * Node's `keylog` event returns, when the label is the one asked for. Never goes through a string, so that it can be
 * zeroed.
 */
export function secretOfLine(line: Buffer, label: string): Buffer | undefined {
  const randomAt = label.length + 1;
  const secretAt = randomAt + 65;
  let end = line.length;
  while (end > 0 && (line[end - 1] === 0x0a || line[end - 1] === 0x0d)) end -= 1;
  const length = (end - secretAt) / 2;
  if (line.length < randomAt || line.toString('latin1', 0, randomAt) !== `${label} `) return undefined;
  if (line[secretAt - 1] !== 0x20 || (length !== 32 && length !== 48)) return undefined;
  const secret = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) {
    const value = nibble(line[secretAt + 2 * i]) * 16 + nibble(line[secretAt + 2 * i + 1]);
    if (!(value >= 0)) return undefined;
    secret[i] = value;
  }
  return secret;
}

function nibble(character = 0): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : Number.NaN;
}
