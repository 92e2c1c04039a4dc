// PKCS#7 files of certificates: a SignedData of CMS without a signature (RFC 5652, section 5.1), `.p7b` and `.p7c`.
import { type BerElement, derElement, derObjectIdentifier, derSetOf, oidOf, oids, tag } from './der.ts';

/**
 * DER of each certificate, in their order; undefined if the content is not a SignedData. Signatures are not verified:
 * each certificate has its own.
 */
export function readPkcs7(file: BerElement): readonly Buffer[] | undefined {
  const [type, content] = file.children;
  if (oidOf(type) !== oids.signedData) return undefined;
  const [signedData] = content?.children ?? [];
  // The fields before it are a version, a set and a sequence; `[1]` after it holds revocation lists.
  const certificates = signedData?.children.find((field) => field.tag === tag.context0)?.children ?? [];
  return certificates.filter((each) => each.tag === tag.sequence).map(({ whole }) => whole);
}

/** DER of a file that holds these certificates (DER). Windows and Java take it as a chain. */
export function writePkcs7(certificates: readonly Buffer[]): Buffer {
  const version1 = Buffer.of(tag.integer, 0x01, 0x01);
  // A SET OF is sorted in DER (X.690, section 11.6): the file does not keep the order of the chain.
  const sorted = certificates.toSorted(Buffer.compare);
  const content = derElement(
    tag.sequence,
    version1,
    derSetOf([]),
    derElement(tag.sequence, derObjectIdentifier(oids.data)),
    derElement(tag.context0, ...sorted),
    derSetOf([]),
  );
  return derElement(tag.sequence, derObjectIdentifier(oids.signedData), derElement(tag.context0, content));
}
