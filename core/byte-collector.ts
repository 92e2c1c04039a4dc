// Collects the chunks of a stream into one buffer. Chunks of one byte cost no more memory than one large chunk.

/** Capacity that is allocated at first when the length is unknown, or announced as larger. */
const firstBytes = 16 * 1024;

export interface CollectorOptions {
  /** Bytes that do not fit are dropped. */
  readonly maxBytes: number;
  /** The announced length. Never allocated before half of it has arrived, unless it is small. */
  readonly expectedBytes?: number | undefined;
  /** Called with the total number of bytes about to be held. `add` throws what it throws. */
  readonly hold?: (bytes: number) => void;
}

/**
 * A chunk is a view of a larger buffer that Node allocated for a read. A list of chunks keeps an object of some 100
 * bytes for each, and possibly the whole buffer behind it: 4.5 MB in chunks of one byte took 1.4 GB. So chunks are
 * copied, except the first one, which most often is the whole body.
 */
export class ByteCollector {
  readonly #maxBytes: number;
  readonly #expectedBytes: number;
  readonly #hold: (bytes: number) => void;
  #held: Buffer = Buffer.alloc(0);
  #size = 0;

  constructor({ maxBytes, expectedBytes = 0, hold = () => {} }: CollectorOptions) {
    this.#maxBytes = maxBytes;
    this.#expectedBytes = expectedBytes <= maxBytes ? expectedBytes : 0;
    this.#hold = hold;
  }

  /** Bytes collected so far. */
  get size(): number {
    return this.#size;
  }

  /** The collected bytes; adding more does not change them. */
  get bytes(): Buffer {
    return this.#held.subarray(0, this.#size);
  }

  /** Takes what fits; false when the chunk did not fit whole. */
  add(chunk: Buffer): boolean {
    const room = this.#maxBytes - this.#size;
    const taken = chunk.length <= room ? chunk : chunk.subarray(0, room);
    const end = this.#size + taken.length;
    if (this.#size === 0) {
      this.#hold(end);
      this.#held = taken;
    } else {
      if (end > this.#held.length) this.#grow(end);
      this.#held.set(taken, this.#size);
    }
    this.#size = end;
    return taken === chunk;
  }

  /** Drops what has been collected. */
  clear(): void {
    this.#held = Buffer.alloc(0);
    this.#size = 0;
  }

  /** At least doubles, so that each byte is copied twice on average, up to what was announced or is allowed. */
  #grow(least: number): void {
    const most = Math.max(this.#expectedBytes || this.#maxBytes, least);
    const length = Math.min(most, Math.max(firstBytes, 2 * this.#held.length, least));
    this.#hold(length);
    const larger = Buffer.allocUnsafeSlow(length);
    larger.set(this.bytes);
    this.#held = larger;
  }
}

/**
 * Reads a stream to its end. Undefined when it has more than `maxBytes`: the rest is not read, and the stream
 * destroyed.
 */
export async function collectBytes(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | undefined> {
  const collector = new ByteCollector({ maxBytes });
  for await (const { buffer, byteOffset, byteLength } of stream) {
    if (!collector.add(Buffer.from(buffer, byteOffset, byteLength))) return undefined;
  }
  return collector.bytes;
}
