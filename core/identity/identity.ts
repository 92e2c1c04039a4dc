// What an identity is once it has been checked: whole, usable, and tied to the version it was read from.
import type { Destination } from '../destination/destination.ts';

/** Secrets Manager's staging labels. */
export type Stage = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

export interface Identity {
  readonly name: string;
  /** Secrets Manager's VersionId; from a directory, a digest of the files. */
  readonly version: string;
  readonly stage: Stage;
  /** PEM, PKCS#8, PKCS#1 or SEC1, not encrypted. */
  readonly privateKey: string;
  /** PEM, the client certificate alone. */
  readonly certificate: string;
  /** PEM, in issuer order; empty when the root signed the client certificate itself. */
  readonly intermediateCertificates: string;
  /** PEM; never sent to the peer. */
  readonly rootCertificate: string;
  readonly destinations: readonly Destination[];
  /** SHA-256 of the client certificate's DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** ISO 8601. */
  readonly validTo: string;
  /** Milliseconds since 1970: the first moment at which one certificate of the chain is no longer valid. */
  readonly usableUntil: number;
}

/** What a source hands out: the identity document as text, not yet parsed, with where it came from. */
export interface StoredIdentity {
  readonly version: string;
  readonly stage: Stage;
  /** JSON, the identity document of docs/identities.md. */
  readonly document: string;
}

/**
 * Where identities are kept. Throws CountersignError: `identity-not-found` when there is none of that name (or none at
 * that stage), `identity-unavailable` when the store cannot tell, `identity-unusable` when what it holds is not text.
 */
export interface IdentitySource {
  read(name: string, stage: Stage): Promise<StoredIdentity>;
}
