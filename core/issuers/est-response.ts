// Certificates in an EST answer: a certs-only PKCS#7 (RFC 7030, section 4.1.3; RFC 5652, section 5) in base64.
import { ContentInfo, id_signedData, SignedData } from '@peculiar/asn1-cms';
import { AsnConvert } from '@peculiar/asn1-schema';
import type { Certificate } from '@peculiar/asn1-x509';
import { derElement, derTag } from '../x509/der-writer.ts';
import { certificatesIn, notCertificates } from './answer-certificates.ts';

/**
 * PEM, in the order of the answer; nothing is verified. Base64 with or without white space, whatever a
 * Content-Transfer-Encoding says (RFC 8951, section 3.1); BER as well as DER, which some servers write. Throws
 * `issued-certificate-unusable`.
 */
export function certificatesOf(body: Buffer): string {
  const base64 = body.toString('latin1').replace(/[\t\n\r ]+/g, '');
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw notCertificates('is not base64', 'answer-malformed');
  return certificatesIn(signedCertificates(Buffer.from(base64, 'base64')).map(pemOf));
}

function signedCertificates(ber: Buffer): Certificate[] {
  try {
    const { contentType, content } = AsnConvert.parse(ber, ContentInfo);
    if (contentType !== id_signedData) throw new Error('another kind of content');
    return [...(AsnConvert.parse(content, SignedData).certificates ?? [])].flatMap(
      ({ certificate }) => certificate ?? [],
    );
  } catch {
    throw notCertificates('is no PKCS#7 of certificates', 'answer-malformed');
  }
}

/** What is signed goes on byte for byte: written anew it could differ, and its signature would not hold. */
function pemOf({ tbsCertificateRaw, signatureAlgorithm, signatureValue }: Certificate): string {
  const der = derElement(
    derTag.sequence,
    Buffer.from(tbsCertificateRaw ?? new ArrayBuffer(0)),
    Buffer.from(AsnConvert.serialize(signatureAlgorithm)),
    derElement(derTag.bitString, Buffer.of(0), Buffer.from(signatureValue)),
  );
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
