// An identity, the interface of its sources, and the form of its name.
import type { Destination } from '../destination/destination.ts';
import { CountersignError } from '../errors.ts';
import { invalidRequest } from '../json-request.ts';
import { identityNamePattern } from '../settings.ts';

/** Secrets Manager's staging labels. */
export type Stage = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

/** Checked and usable (check.ts). */
export interface Identity {
  readonly name: string;
  /** Secrets Manager's VersionId; from a directory, a digest of the files. */
  readonly version: string;
  readonly stage: Stage;
  /** PEM, PKCS#8, PKCS#1 or SEC1, not encrypted. */
  readonly privateKey: string;
  /** PEM, the client certificate alone. */
  readonly certificate: string;
  /** PEM, in issuer order; empty if the root signed the client certificate itself. */
  readonly intermediateCertificates: string;
  /** PEM; never sent to the peer. */
  readonly rootCertificate: string;
  readonly destinations: readonly Destination[];
  /** SHA-256 of the client certificate's DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** ISO 8601. */
  readonly validTo: string;
  /** Milliseconds since 1970: when the first certificate of the chain expires. */
  readonly usableUntil: number;
}

/** The identity document as a source returns it: text that is not parsed yet. */
export interface StoredIdentity {
  readonly version: string;
  readonly stage: Stage;
  /** JSON, the identity document of docs/identities.md. */
  readonly document: string;
}

/**
 * Throws CountersignError: `identity-not-found` (no identity of that name, or no value at that stage),
 * `identity-unavailable` (the store does not answer), `identity-unusable` (the stored value is not text).
 */
export interface IdentitySource {
  read(name: string, stage: Stage): Promise<StoredIdentity>;
}

export function isIdentityName(name: unknown): name is string {
  return typeof name === 'string' && identityNamePattern.test(name);
}

/**
 * Returns the name. Throws `invalid-request` if it is missing, and `identity-not-found` if no identity can have it: the
 * name is part of the route.
 */
export function requireIdentityName(name: string | undefined): string {
  if (name === undefined) throw invalidRequest('identity', 'The path names no identity.');
  if (isIdentityName(name)) return name;
  throw new CountersignError(
    'identity-not-found',
    'An identity name is 1 to 63 lower-case letters, digits and hyphens, and starts with a letter or a digit.',
    { evidence: { reason: 'name-form' } },
  );
}
