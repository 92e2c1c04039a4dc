// The JSON of GET /console/api/state: names, dates, fingerprints, labels and verdicts; no keys and no payloads.

import type { Network } from '../core/destination/destination.ts';
import type { Certainty, CertificateReport, Verdict } from '../core/diagnosis/diagnosis.ts';

export interface ConsoleState {
  /** ISO 8601, by the server's clock: days to expiry count from it. */
  readonly now: string;
  readonly place: 'local-cloud' | 'directory';
  /** Name of the caller; absent without authentication. */
  readonly caller?: string;
  /** Whether this server can start rotations. */
  readonly mayRotate: boolean;
  /** Sorted by name; only those that the caller can use. */
  readonly identities: readonly IdentityState[];
  /** How many identities were left out above the limit. */
  readonly furtherIdentities: number;
  /** Latest first; absent without an event bus. */
  readonly events?: readonly EventState[];
}

export interface IdentityState {
  readonly name: string;
  readonly current?: VersionState;
  readonly next?: VersionState;
  readonly previous?: VersionState;
  /** Why there is no current version. */
  readonly problem?: ProblemState;
  readonly destinations: readonly DestinationState[];
  /** Absent if this server has no rotation, as with identities in a folder. */
  readonly rotation?: RotationState;
}

export interface VersionState {
  readonly version: string;
  /** Why the version cannot be presented; absent if it can. */
  readonly problem?: ProblemState;
  /** Leaf first, root last; empty before the certificate is issued, or if it cannot be read. */
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
  /** Such as `GET /health`; absent if none is configured. */
  readonly probe?: string;
  /** The last verdict of each host that matches, latest first. */
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
  /** A schedule expression of Secrets Manager. */
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
  /** The first ten endpoints that rejected the certificate, as `host:port`. */
  readonly rejectedBy?: readonly string[];
}
