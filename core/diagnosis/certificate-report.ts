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
