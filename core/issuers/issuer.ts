// The interface of an issuer: a certificate request goes in, certificates come out.
import { type KeyObject, X509Certificate } from 'node:crypto';
import { settingUnusable } from '../identity/unusable.ts';
import { type CertificateNames, namesOfCertificate, readCertificateRequest } from '../x509/certificate.ts';
import { canonicalPem } from '../x509/pem.ts';

export interface SigningOrder {
  /** Name of the identity. */
  readonly identity: string;
  /** PEM, PKCS#10 (RFC 2986). A repeated order has the same text. */
  readonly certificateRequest: string;
  /** 32 to 64 letters, digits and hyphens; a repeated order has the same token. */
  readonly idempotencyToken: string;
  /** Days for which the current certificate was issued, rounded, as issuers backdate. Undefined for the first one. */
  readonly currentLifetimeDays: number | undefined;
  /** PEM, for issuers that renew over mutual TLS. Undefined if the identity has no usable certificate. */
  readonly current:
    | {
        readonly privateKey: string;
        readonly certificate: string;
        readonly intermediateCertificates: string;
        readonly rootCertificate: string;
      }
    | undefined;
  /** Aborts when the time of the step is over. */
  readonly signal: AbortSignal;
}

/** PEM in any order, unchecked. */
export interface Issued {
  readonly certificates: string;
}

/**
 * Throws `issuer-unavailable`, `issuer-refused`, `issued-certificate-unusable` (an answer that is not certificates),
 * `renewal-unusable` or `signature-awaited`; none quotes a key, a password, a token or the issuer's answer.
 */
export interface Issuer {
  issue(order: SigningOrder): Promise<Issued>;
}

/** The names and the key of a certificate or a certificate request. */
export interface NamedKey extends CertificateNames {
  readonly publicKey: KeyObject;
}

/** What the order asks for. Throws `renewal-unusable`. */
export function requestedNames({ certificateRequest }: Pick<SigningOrder, 'certificateRequest'>): NamedKey {
  const requested = readCertificateRequest(certificateRequest);
  if (requested) return requested;
  throw settingUnusable('The certificate request cannot be read.');
}

/** Those of the current certificate, which issuers copy in a renewal. Throws `renewal-unusable`. */
export function currentNames({ certificate }: NonNullable<SigningOrder['current']>): NamedKey {
  try {
    const { raw, publicKey } = new X509Certificate(canonicalPem(certificate));
    const names = namesOfCertificate(raw);
    if (names) return { ...names, publicKey };
  } catch {
    // Reported below.
  }
  throw settingUnusable('The current certificate cannot be read.');
}
