// Certificates in an EST answer: a certs-only PKCS#7 (RFC 7030, section 4.1.3; RFC 5652, section 5) in base64.
import { readOnlyBer } from '../x509/der.ts';
import { decodeBase64, writePem } from '../x509/pem.ts';
import { readPkcs7 } from '../x509/pkcs7.ts';
import { certificatesIn, notCertificates } from './answer-certificates.ts';

/**
 * PEM, in the order of the answer; nothing is verified. White space in the base64 and Content-Transfer-Encoding are
 * ignored (RFC 8951, section 3.1). Some servers write BER. Throws `issued-certificate-unusable`.
 */
export function certificatesOf(body: Buffer): string {
  const ber = decodeBase64(body.toString('latin1'));
  if (ber === undefined) throw notCertificates('is not base64', 'answer-malformed');
  return certificatesIn(signedCertificates(ber).map((der) => writePem('CERTIFICATE', der)));
}

function signedCertificates(ber: Buffer): readonly Buffer[] {
  try {
    const file = readOnlyBer(ber, 'The answer');
    const certificates = file && readPkcs7(file);
    if (certificates) return certificates;
  } catch {
    // Nested too deep, or too many elements.
  }
  throw notCertificates('is not a PKCS#7 of certificates', 'answer-malformed');
}
