// Decodes the content codings of HTTP, off the event loop, in slices, and bounded in output, input and time.
import zlib from 'node:zlib';
import { ByteCollector } from '../byte-collector.ts';
import { CountersignError } from '../errors.ts';
import { ZstdFrames } from './zstd-frames.ts';

interface Coding {
  readonly name: 'gzip' | 'deflate' | 'br' | 'zstd';
  /** A decoder for these bytes, with output buffers of `chunkSize` bytes. */
  open(bytes: Buffer, chunkSize: number): DecoderStream;
}

type DecoderStream = ReturnType<typeof zlib.createGunzip> | ReturnType<typeof zlib.createZstdDecompress>;

export interface DecodeOptions {
  readonly limitBytes: number;
  /** True once no one waits for the result: decoding ends within a slice. */
  readonly isAbandoned: () => boolean;
}

/** Each coding multiplies the work that a small body can cause. */
const maxCodings = 3;

/**
 * One frame is usual (RFC 8878, section 3 allows any number), and an empty frame of nine bytes costs as much as a full
 * one.
 */
const maxFrames = 1000;

/**
 * Coded bytes per job of the thread pool. Brotli can make a decoder build tables for a millisecond per 1.6 KB
 * (measured), so a job takes 5 ms at most.
 */
const sliceBytes = 8 * 1024;

/** Two of the four threads of libuv's pool: name lookups, file reads and signatures need the others. */
const maxParallelSlices = 2;

/**
 * A body may have this many coded bytes more than twice its decoded bytes. Real encoders add under 2 %, and hold back
 * one block of up to 128 KB (zstd). Endless empty blocks or members end here.
 */
const freeCodedBytes = 256 * 1024;

/** RFC 9659: a zstd content coding must get by with a window of 8 MB, so that a frame cannot ask for more memory. */
const zstdParams = { [zlib.constants.ZSTD_d_windowLogMax]: 23 };

const gzip: Coding = { name: 'gzip', open: (_, chunkSize) => zlib.createGunzip({ chunkSize }) };

const codings: Readonly<Record<string, Coding>> = {
  gzip,
  'x-gzip': gzip,
  deflate: {
    name: 'deflate',
    open: (bytes, chunkSize) => (isZlib(bytes) ? zlib.createInflate : zlib.createInflateRaw)({ chunkSize }),
  },
  br: { name: 'br', open: (_, chunkSize) => zlib.createBrotliDecompress({ chunkSize }) },
  zstd: { name: 'zstd', open: (_, chunkSize) => zlib.createZstdDecompress({ chunkSize, params: zstdParams }) },
};

/**
 * The codings of a Content-Encoding in the order to decode them: the last one named was applied last (RFC 9110,
 * section 8.4). Empty when there is nothing to decode or one coding is unknown: then the body is returned unchanged.
 */
export function codingsOf(contentEncoding: string): readonly Coding[] {
  const names = contentEncoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > maxCodings || !names.every((name) => Object.hasOwn(codings, name))) return [];
  return names.reverse().map((name) => codings[name] as Coding);
}

/**
 * Data that does not compress grows a little: deflate's stored blocks add 5 bytes to 16 KB (RFC 1951, section 3.2.4).
 */
export function maxCodedBytes(limitBytes: number): number {
  return limitBytes + Math.ceil(limitBytes / 64) + 1024;
}

/**
 * Throws `response-too-large` as soon as more than `limitBytes` came out, `response-malformed` for anything corrupt or
 * that costs more work than a real encoder causes, and `response-timeout` when abandoned.
 */
export async function decodeBody(order: readonly Coding[], coded: Buffer, options: DecodeOptions): Promise<Buffer> {
  let bytes = coded;
  for (const [index, coding] of order.entries()) {
    const isLast = index === order.length - 1;
    bytes = await decodeOne(coding, bytes, isLast ? options.limitBytes : maxCodedBytes(options.limitBytes), options);
  }
  return bytes;
}

async function decodeOne(coding: Coding, bytes: Buffer, maxBytes: number, options: DecodeOptions): Promise<Buffer> {
  const decoded = new ByteCollector({ maxBytes });
  const stream = coding.open(bytes, bytes.length > sliceBytes ? 64 * 1024 : 16 * 1024);
  const frames = coding.name === 'zstd' ? new ZstdFrames(bytes) : undefined;
  const decoder = drive(stream, (chunk) => {
    if (!decoded.add(chunk)) throw responseTooLarge(options.limitBytes);
    if (options.isAbandoned()) throw abandoned();
  });
  try {
    for (let from = 0; from < bytes.length; ) {
      const until = Math.min(from + sliceBytes, bytes.length);
      const end = frames ? frames.pieceEnd(from, until) : until;
      if (frames && frames.count > maxFrames) throw corrupt(coding, `has more than ${maxFrames} frames`);
      if (turns.isFull) await turns.wait();
      else turns.take();
      try {
        if (options.isAbandoned()) throw abandoned();
        await decoder.write(bytes.subarray(from, end), end === bytes.length);
      } finally {
        turns.release();
      }
      if (decoder.hasEnded() && stream.bytesWritten < bytes.length) throw corrupt(coding, 'is followed by other bytes');
      if (end > 2 * decoded.size + freeCodedBytes) throw corrupt(coding, 'holds next to no content for its size');
      from = end;
    }
  } catch (thrown) {
    throw thrown instanceof CountersignError ? thrown : corrupt(coding, 'is corrupt or ends early', thrown);
  } finally {
    stream.destroy();
  }
  return decoded.bytes;
}

interface Decoder {
  /** Resolves when the slice is decoded and its output taken; the last one when all of it is. */
  write(slice: Buffer, isLast: boolean): Promise<void>;
  /** The coding's own end was reached; what came behind it was not consumed. */
  hasEnded(): boolean;
}

/** `take` gets each piece of output; what it throws ends the decoding. */
function drive(stream: DecoderStream, take: (chunk: Buffer) => void): Decoder {
  let slice: PromiseWithResolvers<void> | undefined;
  let failure: unknown;
  let hasEnded = false;
  const fail = (thrown: unknown) => {
    failure ??= thrown;
    stream.destroy();
    slice?.reject(failure);
  };
  stream.on('data', (chunk: Buffer) => {
    try {
      if (failure === undefined) take(chunk);
    } catch (thrown) {
      fail(thrown);
    }
  });
  stream.on('error', fail);
  // Comes in place of the callback of `write` when bytes are left over.
  stream.on('end', () => {
    hasEnded = true;
    slice?.resolve();
  });
  return {
    write(bytes, isLast) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      slice = { promise, resolve, reject };
      if (failure !== undefined) reject(failure);
      else if (isLast) stream.end(bytes);
      else stream.write(bytes, (error) => (error ? fail(error) : resolve()));
      return promise;
    },
    hasEnded: () => hasEnded,
  };
}

/**
 * Slices of all bodies take turns in the order of asking, so that an expensive body delays the others by a slice at a
 * time.
 */
const turns = {
  taken: 0,
  waiting: [] as (() => void)[],
  get isFull(): boolean {
    return this.taken >= maxParallelSlices;
  },
  take(): void {
    this.taken += 1;
  },
  wait(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  },
  /** A turn is handed over where one waits. */
  release(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.taken -= 1;
  },
};

export function responseTooLarge(limitBytes: number): CountersignError {
  return new CountersignError('response-too-large', `The response has more than ${limitBytes} bytes.`, {
    evidence: { limitBytes },
  });
}

function corrupt({ name }: Coding, what: string, cause?: unknown): CountersignError {
  return new CountersignError('response-malformed', `The ${name} coding of the response ${what}.`, {
    evidence: { contentCoding: name },
    cause,
  });
}

function abandoned(): CountersignError {
  return new CountersignError('response-timeout', 'The response was not decoded in time.');
}

/**
 * `deflate` means zlib (RFC 9110, section 8.4.1.2), but some send it raw. RFC 1950, section 2.2: CM is 8, FCHECK makes
 * 31 divide.
 */
function isZlib(bytes: Buffer): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}
