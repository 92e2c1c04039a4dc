// Tells by its shape what a piece of ASN.1 is: no name of a file and no label of a PEM block is believed.
import { type Ber, integer, oid, shape, tag } from './ber.ts';

export type ObjectKind =
  | 'certificate'
  | 'certificate-request'
  | 'revocation-list'
  | 'pkcs12'
  | 'pkcs7'
  | 'encrypted-key'
  | 'pkcs8'
  | 'pkcs1'
  | 'sec1'
  | 'public-key'
  | 'parameters';

/** Undefined when it is nothing that an identity is made of or mistaken for. */
export function recognise(node: Ber): ObjectKind | undefined {
  // `openssl ecparam` writes the curve's name, or the curve, in a PEM block of its own.
  if (node.tag === tag.oid) return 'parameters';
  if (node.tag !== tag.sequence) return undefined;
  const [first, second, third] = node.children;
  const tags = shape(node);
  if (is(tags, tag.sequence, tag.sequence, tag.bitString)) return signed(node);
  if (isCurve(tags, second)) return 'parameters';
  if (is(tags, tag.integer, tag.sequence) && oid(second?.children[0])) {
    if (second?.children[1]?.tag === tag.zero) return 'pkcs12';
    return third?.tag === tag.octetString ? 'pkcs8' : undefined;
  }
  if (is(tags, tag.oid, tag.zero)) return 'pkcs7';
  if (is(tags, tag.sequence, tag.octetString) && oid(first?.children[0])) return 'encrypted-key';
  if (is(tags, tag.integer, tag.octetString)) return integer(first) === 1 ? 'sec1' : undefined;
  if (is(tags, tag.sequence, tag.bitString) && tags.length === 2) return 'public-key';
  if (tags.every((each) => each === tag.integer)) {
    // RSAPrivateKey has nine; RSAPublicKey two; the parameters of DH two or three, and nobody takes them for a key.
    if (tags.length >= 9) return 'pkcs1';
    if (tags.length === 2) return 'public-key';
  }
  return undefined;
}

/** Certificate, request and list are all `SEQUENCE { what is signed, algorithm, signature }`. */
function signed({ children }: Ber): ObjectKind | undefined {
  const [content] = children;
  const tags = shape(content);
  const isStoredRequest = is(tags, tag.integer, tag.sequence, tag.sequence) && !isTime(tags[3]);
  // RFC 2986, section 4.1: the version, the name, the key (whose second part is a bit string), attributes.
  if (isStoredRequest && shape(content?.children[2])[1] === tag.bitString) return 'certificate-request';
  const fields = tags[0] === tag.integer ? tags.slice(1) : tags;
  if (is(fields, tag.sequence, tag.sequence) && isTime(fields[2])) return 'revocation-list';
  return 'certificate';
}

/** X9.62's ECParameters (RFC 3279, section 2.3.5): the version, the field, the coefficients, a point, its order. */
function isCurve(tags: readonly number[], field: Ber | undefined): boolean {
  const isField = oid(field?.children[0])?.startsWith('1.2.840.10045.1.') === true;
  return isField && is(tags, tag.integer, tag.sequence, tag.sequence, tag.octetString, tag.integer);
}

function isTime(value: number | undefined): boolean {
  return value === 0x17 || value === 0x18;
}

function is(tags: readonly number[], ...expected: readonly number[]): boolean {
  return expected.every((each, index) => tags[index] === each);
}
