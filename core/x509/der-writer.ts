// Writes DER, as much of it as a certificate request needs: one element around others, and object identifiers.

export const derTag = {
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, constructed. */
  attributes: 0xa0,
} as const;

/** One element; the length in its shortest form (X.690, section 10.1). */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xffff ? 6 : length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 + digits.length), digits, content]);
}

/** `dotted` has two arcs at least, each below 2^53. */
export function derObjectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return derElement(derTag.objectIdentifier, Buffer.from([first * 40 + second, ...others].flatMap(base128)));
}

/** SET OF: DER wants its elements in the order of their bytes (X.690, section 11.6). */
export function derSetOf(elements: readonly Buffer[]): Buffer {
  return derElement(derTag.set, ...elements.toSorted(Buffer.compare));
}

function base128(arc: number): number[] {
  const digits = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) + 0x80);
  return digits;
}
