// DER written by hand, for files that no program on the machine writes: PBMAC1, hostile counts, BER in pieces.

export function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const length = [];
  for (let left = content.length; left > 0; left = Math.floor(left / 256)) length.unshift(left % 256);
  const head = content.length < 128 ? [tag, content.length] : [tag, 0x80 + length.length, ...length];
  return Buffer.concat([Buffer.from(head), content]);
}

export const sequence = (...contents: readonly Buffer[]) => element(0x30, ...contents);
export const octetString = (content: Buffer) => element(0x04, content);
export const nothing = element(0x05);

export function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return element(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left % 128) + 128);
    return groups;
  });
  return element(0x06, Buffer.from(bytes));
}

/** The elements inside the one that the bytes are, each whole. */
export function inside(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = headLength(bytes, 0); at < bytes.length; ) {
    const size = headLength(bytes, at) + contentLength(bytes, at);
    found.push(bytes.subarray(at, at + size));
    at += size;
  }
  return found;
}

export function contentOf(bytes: Buffer): Buffer {
  return bytes.subarray(headLength(bytes, 0));
}

function headLength(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] ?? 0;
  return first < 128 ? 2 : 2 + first - 128;
}

function contentLength(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] ?? 0;
  return first < 128 ? first : bytes.readUIntBE(at + 2, first - 128);
}

/** Constructed elements have an indefinite length, long octet strings are in pieces (X.690, section 8.1.3.6). */
export function indefinite(bytes: Buffer): Buffer {
  const tag = bytes[0] ?? 0;
  const end = Buffer.alloc(2);
  if ((tag & 0x20) !== 0) return Buffer.concat([Buffer.from([tag, 0x80]), ...inside(bytes).map(indefinite), end]);
  const content = contentOf(bytes);
  if (tag !== 0x04 || content.length < 500) return bytes;
  const pieces: Buffer[] = [];
  for (let at = 0; at < content.length; at += 400) pieces.push(octetString(content.subarray(at, at + 400)));
  return Buffer.concat([Buffer.from([0x24, 0x80]), ...pieces, end]);
}
