// Reads the dates of the certificates of a stored identity, and whether a public web authority issued them.
import { X509Certificate } from 'node:crypto';
import { parseCertificateKeys } from '../identity/document.ts';
import { type ChainCertificate, readCertificate, readCertificates } from '../x509/chain.ts';
import { publicKeyIdentifier } from '../x509/keys.ts';
import { publicRoots } from '../x509/trust.ts';

export interface CertificateTimes {
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** Certificates that cannot be read are absent: an identity with a damaged root still has a leaf that expires. */
export interface CertificateSet {
  readonly leaf: CertificateTimes | undefined;
  /** The intermediate or root that expires first. */
  readonly issuer: CertificateTimes | undefined;
  /** An issuer has the key of a public web authority. */
  readonly isOfPublicAuthority: boolean;
}

/**
 * `publicKeys` comes from `publicAuthorityKeys`. Never throws: checkIdentity decides whether the document is usable.
 */
export function readCertificateSet(document: string, publicKeys: ReadonlySet<string>): CertificateSet {
  const keys = attempt(() => parseCertificateKeys(document));
  if (keys === undefined) return { leaf: undefined, issuer: undefined, isOfPublicAuthority: false };
  const leaf = attempt(() => readCertificate(keys.certificate, 'certificate'));
  const root = attempt(() => readCertificate(keys.rootCertificate, 'rootCertificate'));
  const issuers = [
    ...(attempt(() => readCertificates(keys.intermediateCertificates, 'intermediateCertificates', true)) ?? []),
    ...(root ? [root] : []),
  ];
  return {
    leaf: leaf && timesOf(leaf),
    issuer: issuers.map(timesOf).sort((one, other) => one.validTo - other.validTo)[0],
    isOfPublicAuthority: issuers.some(({ certificate }) => publicKeys.has(publicKeyIdentifier(certificate.publicKey))),
  };
}

/**
 * The keys of the public web roots that Node bundles (Mozilla's list). A leaf that such a root issues after March 2027
 * must not allow client authentication (Chrome Root Program Policy 1.8), so the identity needs another issuer by then.
 * Compared by key, because a cross-signed root is a different certificate.
 */
export function publicAuthorityKeys(roots: readonly string[] = publicRoots): ReadonlySet<string> {
  return new Set(roots.map((root) => publicKeyIdentifier(new X509Certificate(root).publicKey)));
}

function timesOf({ certificate }: ChainCertificate): CertificateTimes {
  return { validFrom: certificate.validFromDate.getTime(), validTo: certificate.validToDate.getTime() };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
