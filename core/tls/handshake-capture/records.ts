// Cuts a stream of bytes into TLS records, and the content of records into handshake messages, each byte copied once.
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

/** Hands out whole pieces of a stream that comes in chunks of any size. */
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
