// What a check of an installation comes to: one line for a person, the same members for a program.

export type CheckStatus = 'ok' | 'warning' | 'failure' | 'skipped';

export interface Check {
  readonly check: 'node' | 'settings' | 'files' | 'store' | 'identity' | 'clock' | 'destination' | 'api';
  /** Which identity, which host, which file. */
  readonly subject?: string;
  readonly status: CheckStatus;
  /** One sentence or half of one; nothing secret. */
  readonly detail: string;
  /** Who must do what. */
  readonly remedy?: string;
}
