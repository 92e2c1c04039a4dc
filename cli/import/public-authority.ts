// Whether a chain ends at one of the public web's authorities, which stop issuing certificates for clients.
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';

/** PEM: Mozilla's list, as Node carries it. */
export const publicRoots: readonly string[] = rootCertificates;

/**
 * The public root that `chain` (the client certificate first, its issuers, perhaps the root) is below of, or is: by its
 * key and name, so that another certificate of the same authority counts as well.
 */
export function publicRootOf(
  chain: readonly X509Certificate[],
  roots: readonly string[] = publicRoots,
): X509Certificate | undefined {
  const bySubject = rootsBySubject(roots);
  for (const certificate of chain) {
    const own = bySubject.get(certificate.subject)?.find((root) => root.publicKey.equals(certificate.publicKey));
    if (own) return own;
    const issuer = bySubject.get(certificate.issuer)?.find((root) => isIssuedBy(certificate, root));
    if (issuer) return issuer;
  }
  return undefined;
}

function rootsBySubject(roots: readonly string[]): Map<string, X509Certificate[]> {
  const bySubject = new Map<string, X509Certificate[]>();
  for (const pem of roots) {
    const root = new X509Certificate(pem);
    bySubject.set(root.subject, [...(bySubject.get(root.subject) ?? []), root]);
  }
  return bySubject;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}
