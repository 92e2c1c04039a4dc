// Finds where the frames of a zstd body end (RFC 8878, section 3.1), without decoding them.

const frameMagic = 0xfd2fb528;
/** RFC 8878, section 3.1.2: 0x184d2a50 to 0x184d2a5f. */
const skippableMagic = 0x184d2a5;
/** RFC 8878, section 3.1.1.2: sizes of Dictionary_ID and Frame_Content_Size by their flags. */
const dictionaryIdBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];
const blockType = { rle: 1, reserved: 3 } as const;

/**
 * Node 24 stops decoding at the end of a frame and Node 26 goes on with the next one, so the frames are counted here.
 * Malformed input counts as part of a frame that never ends: the decoder refuses it.
 */
export class ZstdFrames {
  readonly #bytes: Buffer;
  /** Frames that have begun. */
  count = 0;
  /** Offset of the next header of a frame or block. */
  #at = 0;
  #isInFrame = false;
  #checksumBytes = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The end of the frame that `from` lies in, or `until` if that comes first. Offsets must not go back. */
  pieceEnd(from: number, until: number): number {
    while (this.#at < until && (this.#isInFrame || this.#at <= from)) {
      if (this.#isInFrame) this.#readBlockHeader();
      else this.#readFrameHeader();
    }
    return this.#isInFrame ? until : Math.min(this.#at, until);
  }

  #readFrameHeader(): void {
    this.count += 1;
    const magic = this.#integer(this.#at, 4);
    if (magic >>> 4 === skippableMagic) {
      this.#at += 8 + this.#integer(this.#at + 4, 4);
      return;
    }
    this.#isInFrame = true;
    if (magic !== frameMagic) {
      this.#at = Number.POSITIVE_INFINITY;
      return;
    }
    const descriptor = this.#integer(this.#at + 4, 1);
    const isSingleSegment = (descriptor & 0x20) !== 0;
    this.#checksumBytes = descriptor & 0x04 ? 4 : 0;
    const sizeFlag = descriptor >> 6;
    this.#at += 5 + (isSingleSegment ? 0 : 1) + (dictionaryIdBytes[descriptor & 3] as number);
    this.#at += sizeFlag === 0 && isSingleSegment ? 1 : (contentSizeBytes[sizeFlag] as number);
  }

  #readBlockHeader(): void {
    const header = this.#integer(this.#at, 3);
    const type = (header >> 1) & 3;
    if (type === blockType.reserved) {
      this.#at = Number.POSITIVE_INFINITY;
      return;
    }
    this.#at += 3 + (type === blockType.rle ? 1 : header >> 3);
    if ((header & 1) === 0) return;
    this.#at += this.#checksumBytes;
    this.#isInFrame = false;
  }

  /** Little-endian; bytes behind the end count as 0. */
  #integer(at: number, bytes: number): number {
    let value = 0;
    for (let index = bytes - 1; index >= 0; index--) value = value * 256 + (this.#bytes[at + index] ?? 0);
    return value;
  }
}
