// Looks at the kind, the size and the curve of a key before OpenSSL does, which computes with numbers of any size, deaf to every signal.
import { readElements, readObjectIdentifier } from './der-reader.ts';

/** One element of ASN.1, whoever read it. */
export interface KeyElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly children: readonly KeyElement[];
}

/** The first element of the bytes; undefined when they are none. */
export type ReadElement = (bytes: Buffer) => KeyElement | undefined;

/** How the octets of a private key are laid out: RFC 5958, RFC 8017, RFC 5915. */
export type KeyForm = 'pkcs8' | 'pkcs1' | 'sec1';

export type KeyFault = 'key-malformed' | 'key-type' | 'key-too-large' | 'explicit-curve';

/** Go's crypto/tls takes no more from a peer. A signature with a hostile key takes up to 0.2 s; with one twice as long, 1.5 s. */
const mostModulusBits = 8_192;
/** FIPS 186-5, appendix A.1.1. OpenSSL raises to it when it makes a signature, however long it is. */
const mostExponentBits = 256;
/** ML-DSA-87 has 2,592 octets, and of what OpenSSL knows nothing that is in use has more. */
const mostPublicOctets = 2_800;
/** P-521 has 66 octets. */
const mostScalarOctets = 128;

/** Behind `a key`. */
export const keyFaultWords = {
  'key-malformed': 'that cannot be parsed',
  'key-type': 'that is neither RSA nor EC',
  'key-too-large': `of more than ${mostModulusBits} bits, or with a public exponent of more than ${mostExponentBits}`,
  'explicit-curve': 'whose curve is written out in place of its name, which RFC 5480, section 2.1.1 forbids',
} as const satisfies Record<KeyFault, string>;

const tags = { integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30, zero: 0xa0 } as const;
const constructed = 0x20;

/** rsaEncryption and RSASSA-PSS (RFC 8017, appendix A), and X.500's own RSA. */
const rsa = new Set(['1.2.840.113549.1.1.1', '1.2.840.113549.1.1.10', '2.5.8.1.1']);
const ec = '1.2.840.10045.2.1';
/** No identity has one, and it costs nothing: the certificate is what is said to be of the wrong kind. */
const ed25519 = '1.3.101.112';

/** DER alone, as deep as it is asked for. */
export const readDer: ReadElement = (bytes) => {
  const [element] = readElements(bytes, 1) ?? [];
  return element && elementOf(element);
};

function elementOf({ tag, content }: { readonly tag: number; readonly content: Buffer }): KeyElement {
  return {
    tag,
    content,
    get children() {
      return (tag & constructed) === 0 ? [] : (readElements(content, 16) ?? []).map(elementOf);
    },
  };
}

export function privateKeyFault(bytes: Buffer, form: KeyForm, read: ReadElement = readDer): KeyFault | undefined {
  const key = read(bytes);
  if (key?.tag !== tags.sequence) return 'key-malformed';
  if (form === 'pkcs1') return rsaFault(key);
  if (form === 'sec1') return ecFault(key);
  const [version, algorithm, wrapped] = key.children;
  const octets = wrapped && octetsOf(wrapped);
  const name = algorithmOf(algorithm);
  if (version?.tag !== tags.integer || !octets || name === undefined) return 'key-malformed';
  if (rsa.has(name)) return rsaFault(read(octets));
  if (name === ec) return curveFault(algorithm?.children[1]) ?? ecFault(read(octets));
  return name === ed25519 ? undefined : 'key-type';
}

/** Of the key in a certificate (RFC 5280, section 4.1). A kind that no identity has is no fault here: it may be a stranger's. */
export function certificateKeyFault(bytes: Buffer, read: ReadElement = readDer): KeyFault | undefined {
  const fields = read(bytes)?.children[0]?.children ?? [];
  // serialNumber, signature, issuer, validity, subject; the version before them may be left out.
  const info = fields[fields[0]?.tag === tags.zero ? 6 : 5];
  const [algorithm, bits] = info?.children ?? [];
  const name = algorithmOf(algorithm);
  if (info === undefined || bits?.tag !== tags.bitString || name === undefined) return 'key-malformed';
  if (name === ec && algorithm?.children[1]?.tag === tags.sequence) return 'explicit-curve';
  if (info.content.length > mostPublicOctets) return 'key-too-large';
  if (!rsa.has(name)) return undefined;
  const [modulus, exponent] = read(bits.content.subarray(1))?.children ?? [];
  return sizeFault(modulus, mostModulusBits) ?? sizeFault(exponent, mostExponentBits);
}

function algorithmOf(algorithm: KeyElement | undefined): string | undefined {
  const [name] = algorithm?.children ?? [];
  return name?.tag === tags.oid ? readObjectIdentifier(name.content) : undefined;
}

/** RFC 8017, appendix A.1.2: the version and eight numbers; a key of more than two primes has one element more. */
function rsaFault(key: KeyElement | undefined): KeyFault | undefined {
  const numbers = key?.children ?? [];
  if (key?.tag !== tags.sequence || numbers.length !== 9) return 'key-malformed';
  for (const number of numbers) {
    const fault = sizeFault(number, mostModulusBits);
    if (fault) return fault;
  }
  return sizeFault(numbers[2], mostExponentBits);
}

/** RFC 5915, section 3. */
function ecFault(key: KeyElement | undefined): KeyFault | undefined {
  const [version, scalar, ...rest] = key?.children ?? [];
  const octets = scalar && octetsOf(scalar);
  if (version?.tag !== tags.integer || !octets || octets.length > mostScalarOctets) return 'key-malformed';
  const parameters = rest.find(({ tag }) => tag === tags.zero);
  return parameters && curveFault(parameters.children[0]);
}

function curveFault(curve: KeyElement | undefined): KeyFault | undefined {
  if (curve?.tag === tags.oid) return undefined;
  return curve?.tag === tags.sequence ? 'explicit-curve' : 'key-malformed';
}

/** OpenSSL reads these numbers as if none were negative, and passes over leading zeros. */
function sizeFault(number: KeyElement | undefined, mostBits: number): KeyFault | undefined {
  if (number?.tag !== tags.integer) return 'key-malformed';
  const first = number.content.findIndex((octet) => octet !== 0);
  if (first === -1) return undefined;
  const bits = (number.content.length - first) * 8 - (Math.clz32(number.content[first] as number) - 24);
  return bits > mostBits ? 'key-too-large' : undefined;
}

/** BER may send an OCTET STRING in pieces (X.690, section 8.7.3). */
function octetsOf({ tag, content, children }: KeyElement): Buffer | undefined {
  if (tag === tags.octetString) return content;
  if (tag !== (tags.octetString | constructed)) return undefined;
  return Buffer.concat(children.map((piece) => octetsOf(piece) ?? Buffer.alloc(0)));
}
