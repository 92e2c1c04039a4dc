// What the console shows, as its page gets it: names, dates, fingerprints, labels, verdicts; never a key, never a payload.

import type { Network } from '../core/destination/destination.ts';
import type { Certainty, CertificateReport, Verdict } from '../core/diagnosis/diagnosis.ts';

export interface ConsoleState {
  /** ISO 8601, of the server: days to expiry are counted from it. */
  readonly now: string;
  readonly place: 'local-cloud' | 'directory';
  /** Where the server knows callers. */
  readonly caller?: string;
  /** Whether a rotation can be begun here. */
  readonly mayRotate: boolean;
  /** By name; those that the caller may use. */
  readonly identities: readonly IdentityState[];
  /** How many there are besides. */
  readonly furtherIdentities: number;
  /** The latest first; absent where there is no event bus. */
  readonly events?: readonly EventState[];
}

export interface IdentityState {
  readonly name: string;
  readonly current?: VersionState;
  readonly next?: VersionState;
  readonly previous?: VersionState;
  /** Why there is no current version to show. */
  readonly problem?: ProblemState;
  readonly destinations: readonly DestinationState[];
  /** Absent where nothing rotates: files are replaced by whoever owns them. */
  readonly rotation?: RotationState;
}

export interface VersionState {
  readonly version: string;
  /** Why it cannot be presented; absent when it can. */
  readonly problem?: ProblemState;
  /** Leaf first, root last; empty when it waits for its certificate or has none that can be read. */
  readonly chain: readonly CertificateReport[];
}

export interface ProblemState {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string;
}

export interface DestinationState {
  readonly host: string;
  readonly port: number;
  readonly network: Network;
  readonly requireMutual: boolean;
  readonly isPinned: boolean;
  readonly hasOwnRoots: boolean;
  /** `GET /health`, where it has one. */
  readonly probe?: string;
  /** The last of each host that falls under it, the latest first. */
  readonly verdicts: readonly VerdictState[];
}

export interface VerdictState {
  readonly host: string;
  readonly port: number;
  readonly verdict: Verdict;
  readonly certainty: Certainty;
  readonly failedStep?: number;
  /** ISO 8601. */
  readonly at: string;
}

export interface RotationState {
  readonly isEnabled: boolean;
  readonly isUnderWay: boolean;
  /** Secrets Manager's expression. */
  readonly schedule?: string;
  /** ISO 8601. */
  readonly nextAt?: string;
  readonly lastAt?: string;
}

export interface EventState {
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly type: string;
  readonly identity: string;
  /** `host:port`, of those that rejected a certificate; the first ten. */
  readonly rejectedBy?: readonly string[];
}
