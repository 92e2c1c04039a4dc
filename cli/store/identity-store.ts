// What the verbs ask of a store of identities, whether it is a directory or Secrets Manager.
import { refusal } from '../exit-code.ts';

export type StageName = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

export interface StoredDocument {
  /** Secrets Manager's VersionId; of a directory, the digest of the files. */
  readonly version: string;
  /** JSON, docs/identities.md. Holds the private key. */
  readonly document: string;
}

/** What is there under a name, without a value of it. */
export interface IdentityState {
  /** ARN of the secret, or path of the folder. */
  readonly place: string;
  /**
   * What is in use, to be handed back to `activate`: it is replaced only if it is still this. Undefined where there is
   * nothing in use. Of a secret also the request of a first certificate, which is no identity.
   */
  readonly holder: string | undefined;
  /** Whether what is in use is an identity, and no request that waits for its first certificate. */
  readonly hasCurrent: boolean;
  readonly hasPrevious: boolean;
  /** The version that a rotation is to make the current one, and whether it has its value. */
  readonly pending: { readonly version: string; readonly hasValue: boolean } | undefined;
  /** Absent where nothing rotates by itself. */
  readonly rotation?: RotationState;
}

export interface RotationState {
  readonly isEnabled: boolean;
  /** ISO 8601. */
  readonly lastAt: string | undefined;
  readonly nextAt: string | undefined;
}

/** A key that waits for its certificate. */
export interface KeptRequest {
  /** PEM. */
  readonly privateKey: string;
  /** PEM, PKCS#10. */
  readonly certificateRequest: string;
  /** The version that the certificate will make. */
  readonly for: string;
}

/** Throws an error of the command: somebody else wrote there. Nothing of the text is quoted, because it may hold a key. */
export function keptRequestIn(text: string, place: string): KeptRequest {
  try {
    const kept = JSON.parse(text) as Readonly<Record<keyof KeptRequest, unknown>> | null;
    const { privateKey, certificateRequest, for: version } = kept ?? {};
    if (typeof privateKey === 'string' && typeof certificateRequest === 'string' && typeof version === 'string')
      return { privateKey, certificateRequest, for: version };
  } catch {
    // Told below.
  }
  throw refusal('request-unreadable', `What waits as a certificate request in ${place} cannot be read: take it away.`);
}

export interface Activation {
  /** `IdentityState.holder` of the state that the document was made from. */
  readonly instead: string | undefined;
  /** Secrets Manager's id for the new version; absent: any. */
  readonly version?: string;
  /** What a rollback goes back to stays what it is: the certificate does not change, only what stands beside it. */
  readonly keepsPrevious?: boolean;
}

export interface IdentityStore {
  /** For a sentence: `the directory /etc/countersign`. */
  readonly place: string;
  /** False where a `renewal` would be read by nobody. */
  readonly keepsRenewal: boolean;
  /** Sorted. */
  names(): Promise<readonly string[]>;
  /** Undefined when there is no such identity, and none that waits for its first certificate. */
  look(name: string): Promise<IdentityState | undefined>;
  /** Undefined when there is nothing at that stage. Throws `identity-unusable` for what is no document. */
  read(name: string, stage: StageName): Promise<StoredDocument | undefined>;
  /** Makes the document the current one at one moment. `changed`: somebody else was first, and nothing was changed. */
  activate(name: string, document: string, activation: Activation): Promise<'activated' | 'changed'>;
  /** Current and previous change places; `changed` as above. `instead` is `IdentityState.holder`. */
  rollBack(name: string, instead: string): Promise<'done' | 'changed'>;
  /** One sentence where those whom the store is for cannot read what is in use. Absent where whoever may read is no matter of the store. */
  unreadable?(name: string): Promise<string | undefined>;
  request(name: string): Promise<KeptRequest | undefined>;
  /** Never overwrites one: `exists` says that there is one already. */
  keepRequest(name: string, request: Omit<KeptRequest, 'for'>): Promise<'kept' | 'exists'>;
  /** Only the one that is `for` that version: another that has come to wait in its place meanwhile stays. */
  dropRequest(name: string, version: string): Promise<void>;
  /** Absent where nothing rotates. */
  readonly rotations?: Rotations;
}

export interface Rotations {
  /** RotateSecret. `resumed`: one was under way, and is gone on with. */
  begin(
    name: string,
    version?: string,
  ): Promise<{ readonly outcome: 'begun' | 'resumed'; readonly version: string | undefined }>;
  /** Gives the version at AWSPENDING its value; a value stays, which `exists` says. */
  fill(name: string, version: string, document: string): Promise<'stored' | 'exists'>;
}
