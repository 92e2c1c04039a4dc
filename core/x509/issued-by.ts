// Who issued what, at a price that a hostile chain cannot raise: an assessment checks so many signatures, and each once.
import type { X509Certificate } from 'node:crypto';
import { isIssuedBy } from '../tls/server-certificate.ts';

/** Whether names and key identifiers fit and the signature holds. */
export type IssuedBy = (certificate: X509Certificate, issuer: X509Certificate) => boolean;

/**
 * A server may send 32 certificates that all bear one name, and a check takes up to a millisecond in which nothing else
 * runs. A real chain of five takes a dozen.
 */
const mostChecks = 40;

/** For one assessment. Once the checks are used up, nothing more is said to be issued by anything. */
export function createIssuedBy(): IssuedBy {
  const known = new Map<string, boolean>();
  return (certificate, issuer) => {
    // Nothing is verified where the names do not fit: that is free.
    if (!certificate.checkIssued(issuer)) return false;
    const pair = `${certificate.fingerprint256} ${issuer.fingerprint256}`;
    const before = known.get(pair);
    if (before !== undefined) return before;
    if (known.size === mostChecks) return false;
    const is = isIssuedBy(certificate, issuer);
    known.set(pair, is);
    return is;
  };
}
