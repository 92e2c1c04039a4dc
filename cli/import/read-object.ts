// Recognises one ASN.1 object by its structure, and reads it: key, certificate, PKCS#12, PKCS#7.
import { type BerElement, integerOf, oidOf, readBer, tag } from '../../core/x509/der.ts';
import { readPkcs7 } from '../../core/x509/pem.ts';
import type { Collector } from './collector.ts';
import { readEncryptedKey } from './encrypted-key.ts';
import { refused } from './finding.ts';
import { readPkcs12 } from './pkcs12.ts';

type ObjectKind =
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

/** Throws `format-unknown` and what the readers throw. */
async function readObject(node: BerElement, where: string, collector: Collector): Promise<void> {
  switch (recognise(node)) {
    case 'certificate':
      return collector.certificate(node.whole, where);
    case 'pkcs8':
      return collector.key(node.whole, 'pkcs8', where);
    case 'pkcs1':
      return collector.key(node.whole, 'pkcs1', where);
    case 'sec1':
      return collector.key(node.whole, 'sec1', where);
    case 'encrypted-key':
      return await readEncryptedKey(node, where, collector);
    case 'pkcs12':
      return await readPkcs12(node, where, collector);
    case 'pkcs7':
      return await readBundle(node, where, collector);
    case 'certificate-request': {
      const sentence = `${where} is a certificate request, not the certificate that the authority made of it.`;
      return collector.finding('certificate-request', where, sentence);
    }
    case 'revocation-list':
      return collector.finding(
        'revocation-list',
        where,
        `${where} is a revocation list, which an identity does not need.`,
      );
    case 'public-key':
      return collector.finding('public-key', where, `${where} is a public key; the private key is needed.`);
    case 'parameters':
      return;
    case undefined:
      throw refused('format-unknown', where, `${where} is neither a key nor a certificate nor a keystore.`);
  }
}

/** DER: one object, or several in a row. Throws `file-damaged` for bytes after the last one, and `too-many-objects`. */
export async function readObjects(bytes: Buffer, where: string, collector: Collector): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const node = readBer(rest, where);
    if (node === undefined) {
      // Line breaks and padding of a transfer.
      if (rest.length < bytes.length && /^[\0\s]*$/.test(rest.toString('latin1'))) return;
      throw rest.length < bytes.length ? leftOver(where) : damaged(where);
    }
    rest = rest.subarray(node.whole.length);
    if (node.tag === 0 && node.whole.length === 2) continue;
    await collector.object(where, () => readObject(node, where, collector));
  }
}

/** Throws `store-empty` and `format-unsupported`. */
async function readBundle(node: BerElement, where: string, collector: Collector): Promise<void> {
  const certificates = readPkcs7(node);
  if (certificates === undefined) {
    const sentence = `${where} is a PKCS#7 file, but not one of certificates: it holds encrypted or other data.`;
    throw refused('format-unsupported', where, sentence);
  }
  if (certificates.length === 0)
    throw refused('store-empty', where, `${where} is a PKCS#7 file without a certificate.`);
  for (const der of certificates) await collector.object(where, () => collector.certificate(der, where));
}

function damaged(where: string) {
  const sentence = `${where} begins like a key, a certificate or a keystore in DER, but is cut short or damaged.`;
  return refused('file-damaged', where, sentence);
}

function leftOver(where: string) {
  return refused('file-damaged', where, `${where} holds bytes behind its last object that belong to nothing.`);
}

/**
 * Recognises an object by its structure: file names and labels of PEM blocks are not trusted. Undefined if it is of no
 * kind that an identity consists of or that is mistaken for one.
 */
function recognise(node: BerElement): ObjectKind | undefined {
  // `openssl ecparam` writes the name or the parameters of the curve in a PEM block of its own.
  if (node.tag === tag.objectIdentifier) return 'parameters';
  if (node.tag !== tag.sequence) return undefined;
  const [first, second, third] = node.children;
  const tags = tagsOf(node);
  if (is(tags, tag.sequence, tag.sequence, tag.bitString)) return signed(node);
  if (isCurve(tags, second)) return 'parameters';
  if (is(tags, tag.integer, tag.sequence) && oidOf(second?.children[0])) {
    if (second?.children[1]?.tag === tag.context0) return 'pkcs12';
    return third?.tag === tag.octetString ? 'pkcs8' : undefined;
  }
  if (is(tags, tag.objectIdentifier, tag.context0)) return 'pkcs7';
  if (is(tags, tag.sequence, tag.octetString) && oidOf(first?.children[0])) return 'encrypted-key';
  if (is(tags, tag.integer, tag.octetString)) return integerOf(first) === 1 ? 'sec1' : undefined;
  if (is(tags, tag.sequence, tag.bitString) && tags.length === 2) return 'public-key';
  if (tags.every((each) => each === tag.integer)) {
    // RSAPrivateKey has nine, RSAPublicKey two, the parameters of DH two or three.
    if (tags.length >= 9) return 'pkcs1';
    if (tags.length === 2) return 'public-key';
  }
  return undefined;
}

/** Certificate, request and revocation list are all `SEQUENCE { signed content, algorithm, signature }`. */
function signed({ children }: BerElement): ObjectKind | undefined {
  const [content] = children;
  const tags = tagsOf(content);
  const isStoredRequest = is(tags, tag.integer, tag.sequence, tag.sequence) && !isTime(tags[3]);
  // RFC 2986, section 4.1: the version, the name, the key (whose second part is a bit string), attributes.
  if (isStoredRequest && tagsOf(content?.children[2])[1] === tag.bitString) return 'certificate-request';
  const fields = tags[0] === tag.integer ? tags.slice(1) : tags;
  if (is(fields, tag.sequence, tag.sequence) && isTime(fields[2])) return 'revocation-list';
  return 'certificate';
}

/** X9.62's ECParameters (RFC 3279, section 2.3.5): the version, the field, the coefficients, a point, its order. */
function isCurve(tags: readonly number[], field: BerElement | undefined): boolean {
  const isField = oidOf(field?.children[0])?.startsWith('1.2.840.10045.1.') === true;
  return isField && is(tags, tag.integer, tag.sequence, tag.sequence, tag.octetString, tag.integer);
}

function isTime(value: number | undefined): boolean {
  return value === tag.utcTime || value === tag.generalizedTime;
}

function is(tags: readonly number[], ...expected: readonly number[]): boolean {
  return expected.every((each, index) => tags[index] === each);
}

function tagsOf(node: BerElement | undefined): readonly number[] {
  return node?.children.map((child) => child.tag) ?? [];
}
