// What node:crypto does not show of a certificate: key usage, path length, and the hash inside RSASSA-PSS.

export interface UsageFields {
  /** RFC 5280, section 4.2.1.3; undefined when the extension is absent, and then every use is allowed. */
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | undefined;
  /** RFC 5280, section 4.2.1.9; undefined when there is no limit. */
  readonly pathLength: number | undefined;
  /** RFC 4055, section 3.1: the OID of the hash as hex, `sha1` when it is left out; undefined for other algorithms. */
  readonly pssHash: string | undefined;
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

const tags = { integer: 0x02, bitString: 0x03, octetString: 0x04, sequence: 0x30 } as const;
const oids = { keyUsage: '551d0f', basicConstraints: '551d13', rsassaPss: '2a864886f70d01010a' } as const;

/** DER of a certificate that OpenSSL has already parsed: its lengths are sound, so only the fields are looked for. */
export function readUsageFields(der: Buffer): UsageFields {
  const [tbs, signatureAlgorithm] = elements(elements(der)[0]?.content);
  const extensions = elements(tbs?.content).find(({ tag }) => tag === 0xa3);
  let keyUsage: UsageFields['keyUsage'];
  let pathLength: number | undefined;
  for (const extension of elements(elements(extensions?.content)[0]?.content)) {
    const parts = elements(extension.content);
    const value = elements(parts.find(({ tag }) => tag === tags.octetString)?.content)[0];
    const oid = parts[0]?.content.toString('hex') ?? '';
    if (oid === oids.keyUsage) keyUsage = readKeyUsage(value);
    if (oid === oids.basicConstraints) pathLength = readPathLength(value);
  }
  return { keyUsage, pathLength, pssHash: readPssHash(signatureAlgorithm) };
}

/** The first content byte of a bit string counts unused bits; bit 0 is the highest of the next. */
function readKeyUsage(value: Element | undefined): UsageFields['keyUsage'] {
  const bits = value?.content[1] ?? 0;
  return { digitalSignature: (bits & 0x80) !== 0, keyCertSign: (bits & 0x04) !== 0 };
}

function readPathLength(value: Element | undefined): number | undefined {
  const limit = elements(value?.content).find(({ tag }) => tag === tags.integer);
  return limit && Number.parseInt(limit.content.toString('hex'), 16);
}

function readPssHash(algorithm: Element | undefined): string | undefined {
  const [oid, parameters] = elements(algorithm?.content);
  if (oid?.content.toString('hex') !== oids.rsassaPss) return undefined;
  const hash = elements(parameters?.content).find(({ tag }) => tag === 0xa0);
  return elements(elements(hash?.content)[0]?.content)[0]?.content.toString('hex') ?? 'sha1';
}

/** The elements that stand one after the other in `bytes`; tags of one byte are all that a certificate has. */
function elements(bytes: Buffer | undefined): Element[] {
  const found: Element[] = [];
  for (let at = 0; bytes !== undefined && at + 1 < bytes.length; ) {
    const tag = bytes[at] as number;
    let length = bytes[at + 1] as number;
    at += 2;
    if (length > 0x80) {
      const size = length & 0x7f;
      length = bytes.readUIntBE(at, Math.min(size, 6));
      at += size;
    }
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}
