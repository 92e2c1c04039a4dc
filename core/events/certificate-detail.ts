// The certificate in an event: everything that a customer who pins or trusts it must enter, and no secret.
import { X509Certificate } from 'node:crypto';
import { reportServerCertificate } from '../diagnosis/certificate-report.ts';
import type { CertificateReport } from '../diagnosis/diagnosis.ts';
import type { Identity } from '../identity/identity.ts';
import { pinOf } from '../x509/certificate.ts';

interface CertificateDetail extends CertificateReport {
  /** Upper-case hex. */
  readonly serialNumber: string;
}

export interface IdentityDetail {
  readonly identity: string;
  readonly version: string;
  readonly certificate: CertificateDetail;
  /** PEM, as GET …/certificate publishes it: the certificate, its intermediates in issuer order, the root. */
  readonly chain: string;
}

export function identityDetail(identity: Identity): IdentityDetail {
  const { name, version, certificate, intermediateCertificates, rootCertificate } = identity;
  const leaf = new X509Certificate(certificate);
  return {
    identity: name,
    version,
    certificate: { ...reportServerCertificate(leaf, 0), serialNumber: leaf.serialNumber },
    chain: certificate + intermediateCertificates + rootCertificate,
  };
}

/** Of the other certificate of an event; undefined if it cannot be read. */
export function briefDetail(certificate: X509Certificate | undefined): object | undefined {
  if (certificate === undefined) return undefined;
  return {
    fingerprint256: certificate.fingerprint256,
    pin: pinOf(certificate),
    validTo: certificate.validToDate.toISOString(),
  };
}
