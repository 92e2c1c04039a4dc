// A certificate as a report shows it: names escaped and cut, key and signature in words, nothing of its bytes.
import type { X509Certificate } from 'node:crypto';
import { shownAlternativeNames } from '../x509/alternative-names.ts';
import { issuerText, parseCertificate, pinOf, subjectText } from '../x509/certificate.ts';
import type { CertificateReport } from './diagnosis.ts';

/** The certificates of DER that can be parsed; a hostile server may send what cannot. */
export function parseCertificates(ders: readonly Buffer[]): X509Certificate[] {
  return ders.flatMap((der) => parseCertificate(der) ?? []);
}

export function reportCertificate(certificate: X509Certificate): CertificateReport {
  return {
    subject: subjectText(certificate),
    issuer: issuerText(certificate),
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    fingerprint256: certificate.fingerprint256,
    key: keyText(certificate),
    signature: certificate.signatureAlgorithm ?? certificate.signatureAlgorithmOid,
  };
}

/** With what only a server's certificates are asked for. */
export function reportServerCertificate(certificate: X509Certificate, index: number): CertificateReport {
  return {
    ...reportCertificate(certificate),
    pin: pinOf(certificate),
    ...(index === 0 ? { names: shownAlternativeNames(certificate) } : {}),
  };
}

function keyText(certificate: X509Certificate): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === 'ec') return `EC ${details?.namedCurve ?? ''}`.trim();
  if (details?.modulusLength) return `${type === 'rsa' ? 'RSA' : type} ${details.modulusLength}`;
  return type ?? 'unknown';
}

/**
 * What makes a key or a signature weak by today's rules (NIST SP 800-57 part 1; CA/Browser Forum, section 6.1.5 and
 * 7.1.3.2).
 */
export function weaknessOf(
  certificate: X509Certificate,
  isSelfSigned: boolean,
): 'weak-key' | 'weak-signature' | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === 'rsa' && (details?.modulusLength ?? 0) < 2048) return 'weak-key';
  if (type === 'ec' && weakCurves.has(details?.namedCurve ?? '')) return 'weak-key';
  const signature = certificate.signatureAlgorithm ?? '';
  return !isSelfSigned && /sha-?1(?!\d)|md[245]/i.test(signature) ? 'weak-signature' : undefined;
}

const weakCurves = new Set(['prime192v1', 'secp192k1', 'secp192r1', 'secp224k1', 'secp224r1']);
