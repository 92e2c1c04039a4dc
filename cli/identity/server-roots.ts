// Warnings about the serverRoots of destinations: certificates that are or soon will be out of date, and issuing CAs.
import type { X509Certificate } from 'node:crypto';
import { daysUntil, expiresSoon, inDates, subjectText } from '../../core/x509/certificate.ts';
import { trustedRoots } from '../../core/x509/trust.ts';

export interface ServerRootWarning {
  readonly code: 'server-root-expired' | 'server-root-expires-soon' | 'server-root-is-issuer';
  readonly sentence: string;
  /** No certificate of the destination is valid today: every call to it fails. */
  readonly isFailure: boolean;
  /** What the platform must do. */
  readonly remedy: string;
}

/** `destinations`: of a document, checked or not. `now`: milliseconds since 1970. */
export function serverRootWarnings(destinations: unknown, now: number): readonly ServerRootWarning[] {
  if (!Array.isArray(destinations)) return [];
  return destinations.flatMap((destination: { host?: unknown; port?: unknown; serverRoots?: unknown } | null) => {
    const { host, port = 443, serverRoots } = destination ?? {};
    const roots = typeof serverRoots === 'string' ? readable(serverRoots) : [];
    const isFailure = roots.every((root) => !inDates(root, now));
    return roots.flatMap((root) => warningOf(root, `${String(host)}:${String(port)}`, now, isFailure) ?? []);
  });
}

function warningOf(
  root: X509Certificate,
  place: string,
  now: number,
  isFailure: boolean,
): ServerRootWarning | undefined {
  const what = `The certificate ${subjectText(root)} in the serverRoots of ${place}`;
  const from = Date.parse(root.validFrom);
  const to = Date.parse(root.validTo);
  const remedy =
    'Replace it by the certificate that the customer’s authority uses now: countersign identity destinations.';
  if (now < from) {
    const sentence = `${what} is not valid before ${new Date(from).toISOString().slice(0, 10)}.`;
    return { code: 'server-root-expired', sentence, isFailure, remedy };
  }
  if (now > to) {
    const sentence = `${what} expired on ${new Date(to).toISOString().slice(0, 10)}.`;
    return { code: 'server-root-expired', sentence, isFailure, remedy };
  }
  if (expiresSoon(to, now)) {
    const sentence = `${what} expires on ${new Date(to).toISOString().slice(0, 10)}, in ${daysUntil(to, now)} days.`;
    return { code: 'server-root-expires-soon', sentence, isFailure: false, remedy };
  }
  if (root.checkIssued(root)) return undefined;
  const sentence = `${what} is an issuing CA, not a root: calls fail when the customer changes that CA.`;
  return {
    code: 'server-root-is-issuer',
    sentence,
    isFailure: false,
    remedy: 'Trust the root above it, if the customer can send it.',
  };
}

/** The schema rejects what cannot be parsed; there is nothing to warn of then. */
function readable(pem: string): readonly X509Certificate[] {
  try {
    return trustedRoots(pem);
  } catch {
    return [];
  }
}
