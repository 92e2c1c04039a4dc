// The content codings of HTTP taken off a body, with a limit on what comes out.
import zlib from 'node:zlib';
import { CountersignError } from '../errors.ts';

/** Throws `response-too-large` as soon as more than `limitBytes` came out, `response-malformed` for anything corrupt. */
type Decoder = (bytes: Buffer, limitBytes: number) => Buffer;

/** With `info`, what node:zlib's one-call functions return; its types do not know that. */
interface Inflated {
  readonly buffer: Buffer;
  /** `bytesWritten` is how much of the input was used. */
  readonly engine: { readonly bytesWritten: number };
}
type OneCall = (bytes: Buffer, options: { info: true; maxOutputLength: number }) => unknown;

/** Nobody in earnest sends more, and each one multiplies what a small body can cost. */
const maxCodings = 3;

/** One frame is usual (RFC 8878, section 3 allows any number), and an empty one of nine bytes costs as much as a full one. */
const maxFrames = 1000;

/** RFC 9659: a zstd content coding must get by with a window of 8 MB, so that a frame cannot ask for more memory. */
const zstdOptions = { params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } };

const inflateZlib = oneCall('deflate', zlib.inflateSync as OneCall);
const inflateRaw = oneCall('deflate', zlib.inflateRawSync as OneCall);
const gunzip = oneCall('gzip', zlib.gunzipSync as OneCall);

const codings: Readonly<Record<string, Decoder>> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  deflate: (bytes, limitBytes) => (isZlib(bytes) ? inflateZlib : inflateRaw)(bytes, limitBytes),
  br: oneCall('br', zlib.brotliDecompressSync as OneCall),
  zstd: oneCall('zstd', (bytes, options) => zlib.zstdDecompressSync(bytes, { ...zstdOptions, ...options }), maxFrames),
};

/**
 * The decoders for a Content-Encoding, in the order to apply them: the last coding named was put on last (RFC 9110,
 * section 8.4). Empty when there is nothing to take off or one coding is unknown: then the body is handed on as it came.
 */
export function decodersFor(contentEncoding: string): Decoder[] {
  const names = contentEncoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > maxCodings || !names.every((name) => Object.hasOwn(codings, name))) return [];
  return names.reverse().map((name) => codings[name] as Decoder);
}

/**
 * Synchronous: a decoded answer is small enough to take milliseconds, and the thread pool's round trips cost more than
 * that. node:zlib stops at maxOutputLength, so a bomb costs that much memory and no more.
 */
function oneCall(coding: string, inflate: OneCall, frames = 1): Decoder {
  return (bytes, limitBytes) => {
    const parts: Buffer[] = [];
    let rest = bytes;
    let size = 0;
    while (rest.length > 0) {
      if (parts.length === frames) throw corrupt(coding, 'is followed by other bytes');
      let part: Inflated;
      try {
        part = inflate(rest, { info: true, maxOutputLength: Math.max(1, limitBytes - size) }) as Inflated;
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw responseTooLarge(limitBytes);
        throw corrupt(coding, 'is corrupt or ends early', cause);
      }
      parts.push(part.buffer);
      size += part.buffer.length;
      if (size > limitBytes) throw responseTooLarge(limitBytes);
      rest = rest.subarray(part.engine.bytesWritten);
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, size);
  };
}

export function responseTooLarge(limitBytes: number): CountersignError {
  return new CountersignError('response-too-large', `The answer has more than ${limitBytes} bytes.`, {
    evidence: { limitBytes },
  });
}

function corrupt(contentCoding: string, what: string, cause?: unknown): CountersignError {
  return new CountersignError('response-malformed', `The ${contentCoding} coding of the answer ${what}.`, {
    evidence: { contentCoding },
    cause,
  });
}

/** `deflate` means zlib (RFC 9110, section 8.4.1.2), but some send it raw. RFC 1950, section 2.2: CM is 8, FCHECK makes 31 divide. */
function isZlib(bytes: Buffer): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}
