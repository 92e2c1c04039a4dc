// The interface of a store of identities: a directory or Secrets Manager.
import { refusal } from '../exit-code.ts';

export type StageName = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

export interface StoredDocument {
  /** The VersionId in Secrets Manager; the digest of the files in a directory. */
  readonly version: string;
  /** JSON, docs/identities.md. Holds the private key. */
  readonly document: string;
}

/** The state of an identity, without its documents. */
export interface IdentityState {
  /** ARN of the secret, or path of the folder. */
  readonly place: string;
  /**
   * The version in use, which `activate` replaces only if it is still the same. Undefined without one. For a secret it
   * can also be the request of a first certificate, which is not an identity.
   */
  readonly holder: string | undefined;
  /** Whether an identity is in use, and not a request that waits for its first certificate. */
  readonly hasCurrent: boolean;
  readonly hasPrevious: boolean;
  /** The version that a rotation is making. */
  readonly pending: { readonly version: string; readonly hasValue: boolean } | undefined;
  /** Absent in a store without rotation. */
  readonly rotation?: RotationState;
}

interface RotationState {
  readonly isEnabled: boolean;
  /** ISO 8601. */
  readonly lastAt: string | undefined;
  readonly nextAt: string | undefined;
}

/** A key that waits for its certificate. */
export interface PendingRequest {
  /** PEM. */
  readonly privateKey: string;
  /** PEM, PKCS#10. */
  readonly certificateRequest: string;
  /** The version that the certificate will become. */
  readonly for: string;
}

/** Throws a refusal that quotes nothing of the text, because it can hold a key. */
export function parsePendingRequest(text: string, place: string): PendingRequest {
  try {
    const kept = JSON.parse(text) as Readonly<Record<keyof PendingRequest, unknown>> | null;
    const { privateKey, certificateRequest, for: version } = kept ?? {};
    if (typeof privateKey === 'string' && typeof certificateRequest === 'string' && typeof version === 'string')
      return { privateKey, certificateRequest, for: version };
  } catch {
    // Reported below.
  }
  throw refusal('request-unreadable', `The certificate request in ${place} cannot be read. Remove it.`);
}

interface Activation {
  /** `IdentityState.holder` of the state that the document is based on. */
  readonly instead: string | undefined;
  /** VersionId for the new version in Secrets Manager (random). */
  readonly version?: string;
  /** Keeps the previous version, because the certificate does not change. */
  readonly keepsPrevious?: boolean;
}

export interface IdentityStore {
  /** For sentences: `the directory /etc/countersign`. */
  readonly place: string;
  /** False if the store cannot store a `renewal`. */
  readonly storesRenewal: boolean;
  /** Sorted. */
  names(): Promise<readonly string[]>;
  /** Undefined if there is neither an identity of that name nor a request for its first certificate. */
  state(name: string): Promise<IdentityState | undefined>;
  /** Undefined if there is nothing at that stage. Throws `identity-unusable` for a value that is not a document. */
  read(name: string, stage: StageName): Promise<StoredDocument | undefined>;
  /** Makes the document the current one, atomically. `changed`: another process was first, and nothing was changed. */
  activate(name: string, document: string, activation: Activation): Promise<'activated' | 'changed'>;
  /** Exchanges the current and the previous version; `changed` as above. `instead` is `IdentityState.holder`. */
  rollBack(name: string, instead: string): Promise<'done' | 'changed'>;
  /** One sentence if the owner or group of the store cannot read the identity in use. Absent in Secrets Manager. */
  unreadable?(name: string): Promise<string | undefined>;
  request(name: string): Promise<PendingRequest | undefined>;
  /** `exists`: another request waits, and nothing was changed. */
  saveRequest(name: string, request: Omit<PendingRequest, 'for'>): Promise<'kept' | 'exists'>;
  /** Deletes only the request `for` that version, not one that has replaced it meanwhile. */
  deleteRequest(name: string, version: string): Promise<void>;
  /** Absent in a store without rotation. */
  readonly rotations?: Rotations;
}

export interface Rotations {
  /** Throws a refusal with the region of the primary if the secret is a replica. */
  requirePrimary(name: string): Promise<void>;
  /** RotateSecret. `resumed`: a rotation was under way, and continues. */
  begin(
    name: string,
    version?: string,
  ): Promise<{ readonly outcome: 'begun' | 'resumed'; readonly version: string | undefined }>;
  /** Gives the version at AWSPENDING its value. `exists`: it has one already, which stays. */
  fill(name: string, version: string, document: string): Promise<'stored' | 'exists'>;
}
