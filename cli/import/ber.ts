// Reads BER (X.690), of which DER is a part: a tree that is bounded in depth and number, whatever the bytes are.
import { readObjectIdentifier } from '../../core/x509/der-reader.ts';
import { refused } from './finding.ts';
import { most } from './limits.ts';

export interface Ber {
  /** The identifier octet: class, constructed or not, number. Numbers over 30 do not occur in what is read here. */
  readonly tag: number;
  /** Without identifier, length and end-of-contents. */
  readonly content: Buffer;
  /** Of a constructed one; empty for the others. */
  readonly children: readonly Ber[];
  readonly whole: Buffer;
}

export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, and `[0]` of a primitive type that is tagged implicitly. */
  zero: 0xa0,
  zeroPrimitive: 0x80,
} as const;

const constructed = 0x20;

/**
 * The first element of `bytes`; what stands behind it is left. Lengths may be indefinite (old versions of Windows and NSS
 * write PKCS#12 so). Undefined when the bytes are no BER. Throws `nesting-too-deep` and `too-many-objects`.
 */
export function readBer(bytes: Buffer, where: string): Ber | undefined {
  let elements = 0;

  function element(at: number, end: number, depth: number): { node: Ber; next: number } | undefined {
    elements += 1;
    if (elements > most.elements) {
      throw refused('too-many-objects', where, `${where} consists of more than ${most.elements} ASN.1 elements.`);
    }
    if (depth > most.depth) {
      throw refused('nesting-too-deep', where, `${where} is nested more than ${most.depth} levels deep.`);
    }
    const identifier = bytes[at];
    const first = bytes[at + 1];
    if (identifier === undefined || first === undefined || at + 2 > end || (identifier & 0x1f) === 0x1f)
      return undefined;
    const isConstructed = (identifier & constructed) !== 0;
    let start = at + 2;
    if (first === 0x80) return isConstructed ? indefinite(identifier, at, start, end, depth) : undefined;
    let length = first;
    if (first > 0x80) {
      const size = first - 0x80;
      if (size > 4 || start + size > end) return undefined;
      length = bytes.readUIntBE(start, size);
      start += size;
    }
    const stop = start + length;
    if (stop > end) return undefined;
    const children: Ber[] = [];
    for (let next = start; isConstructed && next < stop; ) {
      const child = element(next, stop, depth + 1);
      if (child === undefined) return undefined;
      children.push(child.node);
      next = child.next;
    }
    const node = { tag: identifier, content: bytes.subarray(start, stop), children, whole: bytes.subarray(at, stop) };
    return { node, next: stop };
  }

  function indefinite(identifier: number, at: number, start: number, end: number, depth: number) {
    const children: Ber[] = [];
    for (let next = start; next + 1 < end; ) {
      if (bytes[next] === 0 && bytes[next + 1] === 0) {
        const stop = next + 2;
        const node = {
          tag: identifier,
          content: bytes.subarray(start, next),
          children,
          whole: bytes.subarray(at, stop),
        };
        return { node, next: stop };
      }
      const child = element(next, end, depth + 1);
      if (child === undefined) return undefined;
      children.push(child.node);
      next = child.next;
    }
    return undefined;
  }

  return element(0, bytes.length, 0)?.node;
}

/** One element that is all of the bytes, or undefined. */
export function readOnly(bytes: Buffer, where: string): Ber | undefined {
  const node = readBer(bytes, where);
  return node?.whole.length === bytes.length ? node : undefined;
}

/** An OCTET STRING, or what is tagged as one implicitly: BER may send it in pieces (X.690, section 8.7.3). */
export function octets(node: Ber | undefined): Buffer | undefined {
  if (node === undefined || (node.tag & constructed) === 0) return node?.content;
  return Buffer.concat(node.children.map((piece) => octets(piece) ?? Buffer.alloc(0)));
}

/** Dotted; undefined when the element is no object identifier. */
export function oid(node: Ber | undefined): string | undefined {
  return node?.tag === tag.oid ? readObjectIdentifier(node.content) : undefined;
}

/** A whole number of at most 6 octets that is not negative. Of longer ones 2⁴⁸, which is over every limit. */
export function integer(node: Ber | undefined): number | undefined {
  if (node?.tag !== tag.integer || node.content.length === 0 || ((node.content[0] ?? 0) & 0x80) !== 0) return undefined;
  const digits = node.content[0] === 0 ? node.content.subarray(1) : node.content;
  if (digits.length > 6) return 2 ** 48;
  return digits.length === 0 ? 0 : digits.readUIntBE(0, digits.length);
}

/** Tags of the children in order, to tell one structure from another. */
export function shape(node: Ber | undefined): readonly number[] {
  return node?.children.map((child) => child.tag) ?? [];
}
