// The result of one check.

export type CheckStatus = 'ok' | 'warning' | 'failure' | 'skipped';

export interface Check {
  readonly check: 'node' | 'settings' | 'files' | 'store' | 'identity' | 'clock' | 'destination' | 'api';
  /** The identity, host or file. */
  readonly subject?: string;
  readonly status: CheckStatus;
  /** A sentence or a part of one, without secrets. */
  readonly detail: string;
  /** Of a destination: its probe was sent, and answered as a granted call is. */
  readonly isAnswered?: boolean;
  /** What to do. */
  readonly remedy?: string;
}
