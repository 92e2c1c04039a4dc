// The certificates of a stored identity as far as they can be read: their dates, and whether a public authority issued them.
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

/** What cannot be read is absent: an identity whose root is damaged still has a leaf that expires. */
export interface CertificateSet {
  readonly leaf: CertificateTimes | undefined;
  /** The one of intermediates and root that expires first. */
  readonly issuer: CertificateTimes | undefined;
  /** An issuer has the key of a public authority. */
  readonly isOfPublicAuthority: boolean;
}

/** `publicKeys` are those of `publicAuthorityKeys`. Throws nothing: whether the document can be used is checked elsewhere. */
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
 * Keys of the public web's roots as Node bundles them (Mozilla's list). Under those, no leaf that is issued after March 2027
 * may allow client authentication (Chrome Root Program Policy 1.8): whoever has such an issuer needs another one by then. By
 * key, because a root that another one has signed is a different certificate.
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
