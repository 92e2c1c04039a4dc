// Brotli bodies that are cheap to send and expensive to decode: each block has 256 prefix codes of 512 symbols and
// almost no content.
import zlib from 'node:zlib';

/** Least significant bit first (RFC 7932, section 1.5.1). */
class BitWriter {
  readonly #bytes: number[] = [];
  #bits = 0;

  put(value: number, width: number): void {
    for (let bit = 0; bit < width; bit++, this.#bits++) {
      if (this.#bits % 8 === 0) this.#bytes.push(0);
      this.#bytes[this.#bytes.length - 1] = (this.#bytes.at(-1) as number) | (((value >> bit) & 1) << (this.#bits % 8));
    }
  }

  get bytes(): Buffer {
    return Buffer.from(this.#bytes);
  }
}

/** RFC 7932, section 3.4: one symbol, which takes no bits. */
function simpleCode(writer: BitWriter, symbol: number, width: number): void {
  writer.put(1, 2);
  writer.put(0, 2);
  writer.put(symbol, width);
}

/** RFC 7932, section 3.5: all 512 symbols have codes of 9 bits, which takes 30 bits to say. */
function flatDistanceCode(writer: BitWriter): void {
  writer.put(3, 2);
  for (const length of [4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
    const [bits, width] = length === 9 ? ([0b01, 2] as const) : ([0b00, 2] as const);
    writer.put(bits, width);
  }
}

/** RFC 7932, section 9.2: one insert command of that many literals, and 256 unused trees of distance codes. */
function metablock(writer: BitWriter, contentBytes: 1 | 1100): void {
  writer.put(0, 1);
  writer.put(0, 2);
  writer.put(contentBytes - 1, 16);
  writer.put(0, 1);
  // One type of literals, commands and distances each; NPOSTFIX 3 and NDIRECT 112 make 512 distance symbols.
  writer.put(0, 3);
  writer.put(3, 2);
  writer.put(14, 4);
  writer.put(0, 2);
  writer.put(0, 1);
  // NTREESD 256.
  writer.put(1, 1);
  writer.put(7, 3);
  writer.put(127, 7);
  writer.put(0, 1);
  simpleCode(writer, 0, 8);
  writer.put(0, 1);
  simpleCode(writer, 120, 8);
  // Section 5: insert codes 1 (one literal) and 20 (1090, and 10 extra bits).
  simpleCode(writer, contentBytes === 1 ? 8 : 480, 10);
  for (let tree = 0; tree < 256; tree++) flatDistanceCode(writer);
  if (contentBytes === 1100) writer.put(10, 10);
}

/** About `codedBytes` long; decodes to an `x` per 1 KB, or with `contentBytes` 1100 to more bytes than it has. */
export function expensiveBrotli(codedBytes: number, contentBytes: 1 | 1100): Buffer {
  const blocks = new BitWriter();
  // Eight blocks end at a byte.
  for (let block = 0; block < 8; block++) metablock(blocks, contentBytes);
  const unit = blocks.bytes;
  const whole = Buffer.alloc(Math.floor(codedBytes / unit.length) * unit.length + 1);
  // Behind WBITS, one bit of 0: window of 64 KB.
  let carry = 0;
  for (let at = 0; at < whole.length - 1; at++) {
    const byte = unit[at % unit.length] as number;
    whole[at] = ((byte << 1) & 0xff) | carry;
    carry = byte >> 7;
  }
  // ISLAST and ISLASTEMPTY.
  whole[whole.length - 1] = carry | 0b110;
  return whole;
}

/** The same inside one more coding: 162 bytes for 4.4 MB. */
export function nestedBrotli(codedBytes: number, contentBytes: 1 | 1100): Buffer {
  return zlib.brotliCompressSync(expensiveBrotli(codedBytes, contentBytes));
}
