// The names that an order asks for and those that the identity presents today: issuers that renew copy the latter.
import { type KeyObject, X509Certificate } from 'node:crypto';
import { settingUnusable } from '../identity/unusable.ts';
import { type CertificateNames, namesOfCertificate, readCertificateRequest } from '../x509/certificate.ts';
import type { SigningOrder } from './issuer.ts';

/** Names, and the key that they are bound to. */
export interface NamedKey extends CertificateNames {
  readonly publicKey: KeyObject;
}

/** Throws `renewal-unusable`. */
export function requestedNames({ certificateRequest }: Pick<SigningOrder, 'certificateRequest'>): NamedKey {
  const requested = readCertificateRequest(certificateRequest);
  if (requested) return requested;
  throw settingUnusable('The certificate request cannot be read.');
}

/** Of the leaf. Throws `renewal-unusable`. */
export function currentNames({ certificate }: NonNullable<SigningOrder['current']>): NamedKey {
  try {
    const { raw, publicKey } = new X509Certificate(certificate);
    const names = namesOfCertificate(raw);
    if (names) return { ...names, publicKey };
  } catch {
    // Said below.
  }
  throw settingUnusable('The current certificate cannot be read.');
}
