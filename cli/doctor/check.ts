// The result of one check.

export type CheckStatus = 'ok' | 'warning' | 'failure' | 'skipped';

export interface Check {
  readonly check: 'node' | 'settings' | 'files' | 'store' | 'identity' | 'clock' | 'destination' | 'api';
  /** The identity, host or file. */
  readonly subject?: string;
  readonly status: CheckStatus;
  /** A sentence or a part of one, without secrets. */
  readonly detail: string;
  /** What to do. */
  readonly remedy?: string;
}
