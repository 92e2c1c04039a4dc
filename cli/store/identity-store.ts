// The interface of a store of identities: a directory or Secrets Manager.
import type { SecretVersions } from '../../core/versions/versions.ts';
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
  /**
   * SHA-256 of the certificate that a rotation replaces; null without one. Absent for a request made by `identity csr`.
   */
  readonly replaces?: string | null;
}

/** Throws a refusal that quotes nothing of the text, because it can hold a key. */
export function parsePendingRequest(text: string, place: string): PendingRequest {
  try {
    const kept = JSON.parse(text) as Readonly<Record<keyof PendingRequest, unknown>> | null;
    const { privateKey, certificateRequest, for: version, replaces } = kept ?? {};
    if (typeof privateKey === 'string' && typeof certificateRequest === 'string' && typeof version === 'string') {
      const isOfRotation = typeof replaces === 'string' || replaces === null;
      return { privateKey, certificateRequest, for: version, ...(isOfRotation ? { replaces } : {}) };
    }
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
  /** Rotations that Secrets Manager runs. Absent in a directory. */
  readonly rotations?: Rotations;
  /** Renewals that the command runs. Absent in Secrets Manager. */
  readonly renewals?: Renewals;
}

export interface Renewals {
  /**
   * Runs `work` while no other process renews the identity; its versions have the interface of those of a secret, and
   * `token` is the version that the renewal under way, or the next one, creates. `restarts` first discards the key, the
   * request and the pending version of the renewal under way. Throws `identity-busy`, and a refusal if a request of
   * `identity csr` waits.
   */
  exclusively<Result>(
    name: string,
    options: { readonly restarts: boolean },
    work: (versions: SecretVersions, token: string) => Promise<Result>,
  ): Promise<Result>;
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
