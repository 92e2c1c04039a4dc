// Certificates out of PKCS#7 and CMS SignedData (RFC 5652, section 5.1): what .p7b and .p7c files are.
import { type Ber, oid, tag } from './ber.ts';
import type { Collector } from './collector.ts';
import { refused } from './finding.ts';

export const contentType = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  encryptedData: '1.2.840.113549.1.7.6',
} as const;

/** Signatures in it are not looked at: certificates prove themselves. Throws `store-empty` and `format-unsupported`. */
export async function readPkcs7(node: Ber, where: string, collector: Collector): Promise<void> {
  const [type, content] = node.children;
  if (oid(type) !== contentType.signedData) {
    const sentence = `${where} is a PKCS#7 file, but not one of certificates: it holds encrypted or other data.`;
    throw refused('format-unsupported', where, sentence);
  }
  const [signedData] = content?.children ?? [];
  // The fields before it are a version, a set and a sequence; `[1]` behind it are revocation lists.
  const certificates = signedData?.children.find((field) => field.tag === tag.zero)?.children ?? [];
  const found = certificates.filter((each) => each.tag === tag.sequence);
  if (found.length === 0) throw refused('store-empty', where, `${where} is a PKCS#7 file without a certificate.`);
  for (const each of found) await collector.object(where, () => collector.certificate(each.whole, where));
}
