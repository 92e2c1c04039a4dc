// Reads the bytes of a handshake message from front to back; what does not fit marks the message as malformed, and nothing throws.

/** Shared by a cursor and every cursor taken out of it, so that one look at the outermost tells about all. */
interface Fate {
  malformed: boolean;
}

/**
 * Numbers are big-endian, a vector is a length of 1 to 3 bytes and then that many bytes (RFC 8446, section 3.3 and 3.4).
 * After the first thing that does not fit everything reads as empty or 0 and `left` is 0, so loops over it end.
 */
export class Cursor {
  readonly #bytes: Buffer;
  readonly #fate: Fate;
  #at = 0;

  constructor(bytes: Buffer, fate: Fate = { malformed: false }) {
    this.#bytes = bytes;
    this.#fate = fate;
  }

  get malformed(): boolean {
    return this.#fate.malformed;
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#fate.malformed ? 0 : this.#bytes.length - this.#at;
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    if (length > this.left) {
      this.#fate.malformed = true;
      return empty;
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(size: 1 | 2 | 3): number {
    const bytes = this.take(size);
    return bytes.length === 0 ? 0 : bytes.readUIntBE(0, size);
  }

  vector(lengthSize: 1 | 2 | 3): Buffer {
    return this.take(this.number(lengthSize));
  }

  inside(lengthSize: 1 | 2 | 3): Cursor {
    return new Cursor(this.vector(lengthSize), this.#fate);
  }

  /** Bytes after the last field make a message malformed (RFC 8446, section 4: decode_error). */
  end(): void {
    if (this.left > 0) this.#fate.malformed = true;
  }
}

const empty = Buffer.alloc(0);
