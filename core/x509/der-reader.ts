// Reads DER, as much of it as names and certificates need: elements one after another, and their children.

export interface DerElement {
  /** The identifier byte; tags over 30 do not occur in names and certificates and are refused. */
  readonly tag: number;
  readonly content: Buffer;
  /** With its identifier and length. */
  readonly whole: Buffer;
}

export const tag = {
  objectIdentifier: 0x06,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, constructed: the version of a certificate. */
  version: 0xa0,
} as const;

/**
 * The elements that the bytes consist of, or undefined when they do not consist of at most `most` of them. Lengths are
 * definite, of at most 3 bytes; that they are the shortest form is not asked (X.690, section 10.1): names are compared, not hashed.
 */
export function readElements(bytes: Buffer, most: number): DerElement[] | undefined {
  const elements: DerElement[] = [];
  let at = 0;
  while (at < bytes.length) {
    const identifier = bytes[at] ?? 0;
    let length = bytes[at + 1];
    if (elements.length === most || (identifier & 0x1f) === 0x1f || length === undefined) return undefined;
    let start = at + 2;
    if (length >= 0x80) {
      const size = length - 0x80;
      if (size === 0 || size > 3 || start + size > bytes.length) return undefined;
      length = bytes.readUIntBE(start, size);
      start += size;
    }
    const end = start + length;
    if (end > bytes.length) return undefined;
    elements.push({ tag: identifier, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

/** The elements inside the one element that the bytes are, which has that tag. */
export function readInside(bytes: Buffer, expected: number, most: number): DerElement[] | undefined {
  const [outer] = readElements(bytes, 1) ?? [];
  return outer?.tag === expected ? readElements(outer.content, most) : undefined;
}

/** Dotted, as in `2.5.4.3`; undefined when an arc is longer than a certificate has any reason for. */
export function readObjectIdentifier(content: Buffer): string | undefined {
  if (content.length === 0 || content.length > 32 || (content[content.length - 1] ?? 0) >= 0x80) return undefined;
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) return undefined;
    if (byte >= 0x80) continue;
    if (arcs.length === 0) {
      const first = Math.min(Math.floor(arc / 40), 2);
      arcs.push(first, arc - first * 40);
    } else {
      arcs.push(arc);
    }
    arc = 0;
  }
  return arcs.join('.');
}

export interface CertificateFields {
  /** DER of the Name. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** The object identifier of the algorithm that it is signed with. */
  readonly signature: string;
}

/** RFC 5280, section 4.1. Undefined when the bytes are no certificate. */
export function readCertificateFields(der: Buffer): CertificateFields | undefined {
  const [tbs, algorithm] = readInside(der, tag.sequence, 3) ?? [];
  const fields = tbs?.tag === tag.sequence ? readElements(tbs.content, 10) : undefined;
  const [oid] = algorithm?.tag === tag.sequence ? (readElements(algorithm.content, 2) ?? []) : [];
  if (!fields || oid?.tag !== tag.objectIdentifier) return undefined;
  // serialNumber, signature, issuer, validity, subject; the version before them may be left out.
  const first = fields[0]?.tag === tag.version ? 1 : 0;
  const issuer = fields[first + 2];
  const subject = fields[first + 4];
  const signature = readObjectIdentifier(oid.content);
  if (issuer?.tag !== tag.sequence || subject?.tag !== tag.sequence || !signature) return undefined;
  return { issuer: issuer.whole, subject: subject.whole, signature };
}
