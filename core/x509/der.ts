// DER and BER (X.690): one reader, one writer, and the tags.

/** One element of DER. */
export interface DerElement {
  /** The identifier octet: class, constructed or primitive, number. Elements with a number over 30 are not read. */
  readonly tag: number;
  /** Without identifier, length and end-of-contents. */
  readonly content: Buffer;
  /** With its identifier and length. */
  readonly whole: Buffer;
}

/** One element of BER with everything below it. */
export interface BerElement extends DerElement {
  /** Empty if the element is primitive. */
  readonly children: readonly BerElement[];
}

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  /** `[0]` of a primitive type with an implicit tag. */
  context0Primitive: 0x80,
  /** `[0]`, constructed. */
  context0: 0xa0,
  /** `[3]`, constructed: the extensions of a certificate. */
  context3: 0xa3,
} as const;

/** Reasons for which this folder refuses what it reads; those of certificates and keys are in docs/identities.md. */
export type X509Reason =
  | 'pem-malformed'
  | 'certificate-count'
  | 'certificate-is-root'
  | 'intermediate-is-self-signed'
  | 'root-not-self-signed'
  | 'chain-order'
  | 'chain-incomplete'
  | 'issuer-not-authority'
  | 'path-too-long'
  | 'key-usage'
  | 'extended-key-usage'
  | 'weak-signature'
  | 'unknown-signature'
  | 'weak-key'
  | 'key-type'
  | 'key-too-large'
  | 'explicit-curve'
  | 'not-yet-valid'
  | 'expired'
  | 'key-encrypted'
  | 'key-malformed'
  | 'key-mismatch'
  | 'subject-malformed'
  | 'names-malformed'
  | 'nesting-too-deep'
  | 'too-many-elements';

/** Thrown by the readers and checks of this folder. The message is one sentence and quotes nothing that was read. */
export class X509Error extends Error {
  override readonly name = 'X509Error';
  readonly reason: X509Reason;
  /** The place that the caller named: a key of the identity document, or a file. */
  readonly where: string;

  constructor(reason: X509Reason, where: string, sentence: string) {
    super(sentence);
    this.reason = reason;
    this.where = where;
  }
}

const constructed = 0x20;

interface Header {
  readonly tag: number;
  /** Where the content begins. */
  readonly start: number;
  /** Where it ends; undefined if the length is indefinite. */
  readonly stop: number | undefined;
}

/** Lengths have at most 4 octets. The shortest form (X.690, section 10.1) is not required. */
function readHeader(bytes: Buffer, at: number, end: number): Header | undefined {
  const identifier = bytes[at];
  const first = bytes[at + 1];
  if (identifier === undefined || first === undefined || at + 2 > end || (identifier & 0x1f) === 0x1f) return undefined;
  if (first === 0x80) return { tag: identifier, start: at + 2, stop: undefined };
  const size = first > 0x80 ? first - 0x80 : 0;
  if (size > 4 || at + 2 + size > end) return undefined;
  const start = at + 2 + size;
  const stop = start + (size === 0 ? first : bytes.readUIntBE(at + 2, size));
  return stop > end ? undefined : { tag: identifier, start, stop };
}

/** The DER elements that the bytes consist of; undefined if the bytes are not a sequence of at most `most` elements. */
export function readElements(bytes: Buffer, most: number): DerElement[] | undefined {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = elements.length < most ? readHeader(bytes, at, bytes.length) : undefined;
    if (header?.stop === undefined) return undefined;
    const { start, stop } = header;
    elements.push({ tag: header.tag, content: bytes.subarray(start, stop), whole: bytes.subarray(at, stop) });
    at = stop;
  }
  return elements;
}

/** The DER elements inside the one element that the bytes are, if that element has the expected tag. */
export function readInside(bytes: Buffer, expected: number, most: number): DerElement[] | undefined {
  const [outer] = readElements(bytes, 1) ?? [];
  return outer?.tag === expected ? readElements(outer.content, most) : undefined;
}

/** Bounds of one readBer: a hostile file must not exhaust the stack or the memory. */
const berLimits = { depth: 24, elements: 100_000 } as const;

/**
 * The first element of `bytes` with everything below it; bytes after it are ignored. Lengths may be indefinite (old
 * versions of Windows and NSS write PKCS#12 so). Undefined if the bytes are not BER. `where` is for the sentence.
 * Throws X509Error: `nesting-too-deep`, `too-many-elements`.
 */
export function readBer(bytes: Buffer, where: string): BerElement | undefined {
  let elements = 0;
  return element(0, bytes.length, 0);

  function element(at: number, end: number, depth: number): BerElement | undefined {
    elements += 1;
    if (elements > berLimits.elements) {
      const sentence = `${where} consists of more than ${berLimits.elements} ASN.1 elements.`;
      throw new X509Error('too-many-elements', where, sentence);
    }
    if (depth > berLimits.depth) {
      throw new X509Error('nesting-too-deep', where, `${where} is nested more than ${berLimits.depth} levels deep.`);
    }
    const header = readHeader(bytes, at, end);
    if (header === undefined) return undefined;
    const { tag: identifier, start, stop } = header;
    const isConstructed = (identifier & constructed) !== 0;
    if (stop === undefined && !isConstructed) return undefined;
    const children: BerElement[] = [];
    const limit = stop ?? end;
    let next = start;
    while (isConstructed && next < limit) {
      // End-of-contents (X.690, section 8.1.5).
      if (stop === undefined && bytes[next] === 0 && bytes[next + 1] === 0) break;
      const child = element(next, limit, depth + 1);
      if (child === undefined) return undefined;
      children.push(child);
      next += child.whole.length;
    }
    if (stop !== undefined) {
      return { tag: identifier, content: bytes.subarray(start, stop), children, whole: bytes.subarray(at, stop) };
    }
    if (next + 2 > end) return undefined;
    return { tag: identifier, content: bytes.subarray(start, next), children, whole: bytes.subarray(at, next + 2) };
  }
}

/** The one element that all of the bytes are, or undefined. Throws as readBer does. */
export function readOnlyBer(bytes: Buffer, where: string): BerElement | undefined {
  const element = readBer(bytes, where);
  return element?.whole.length === bytes.length ? element : undefined;
}

/** An OCTET STRING, or what has an implicit tag in its place: BER can split it into pieces (X.690, section 8.7.3). */
export function octetsOf(element: BerElement | undefined): Buffer | undefined {
  if (element === undefined || (element.tag & constructed) === 0) return element?.content;
  return Buffer.concat(element.children.map((piece) => octetsOf(piece) ?? Buffer.alloc(0)));
}

/** Dotted, as in `2.5.4.3`; undefined if the element is not an object identifier. */
export function oidOf(element: DerElement | undefined): string | undefined {
  return element?.tag === tag.objectIdentifier ? readObjectIdentifier(element.content) : undefined;
}

/** A whole number that is not negative, of at most 6 octets. For a longer one 2⁴⁸, which exceeds every limit. */
export function integerOf(element: DerElement | undefined): number | undefined {
  const { content } = element ?? {};
  if (element?.tag !== tag.integer || !content?.length || ((content[0] ?? 0) & 0x80) !== 0) return undefined;
  const digits = content[0] === 0 ? content.subarray(1) : content;
  if (digits.length > 6) return 2 ** 48;
  return digits.length === 0 ? 0 : digits.readUIntBE(0, digits.length);
}

/** Dotted, as in `2.5.4.3`; undefined if it has more than 32 octets or an arc over 2^46. */
export function readObjectIdentifier(content: Buffer): string | undefined {
  if (content.length === 0 || content.length > 32 || (content[content.length - 1] ?? 0) >= 0x80) return undefined;
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) return undefined;
    if (byte >= 0x80) continue;
    const first = Math.min(Math.floor(arc / 40), 2);
    if (arcs.length === 0) arcs.push(first, arc - first * 40);
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** One element of DER; the length in its shortest form (X.690, section 10.1). */
export function derElement(identifier: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(identifier, length), content]);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xffff ? 6 : length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.of(identifier, 0x80 + digits.length), digits, content]);
}

/** `dotted` has at least two arcs, each below 2^53. */
export function derObjectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return derElement(tag.objectIdentifier, Buffer.from([first * 40 + second, ...others].flatMap(base128)));
}

/** SET OF: DER sorts its elements by their bytes (X.690, section 11.6). */
export function derSetOf(elements: readonly Buffer[]): Buffer {
  return derElement(tag.set, ...elements.toSorted(Buffer.compare));
}

function base128(arc: number): number[] {
  const digits = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) + 0x80);
  return digits;
}
