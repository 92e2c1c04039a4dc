// What is kept of a secret's rotation: its function, its rules, and the run that is under way.
import type { RotationRules } from './rotation-schedule.ts';

/** All times are milliseconds since 1970. */
export interface Rotation {
  readonly isEnabled: boolean;
  readonly functionArn: string;
  readonly rules: RotationRules;
  readonly configuredAt: number;
  readonly lastRotatedAt?: number;
  /** When the schedule began a run last, whatever became of it. */
  readonly lastStartedAt?: number;
  /** What the function is still to be called for. */
  readonly run?: RotationRun;
}

export interface RotationRun {
  /** Id of the version that holds AWSPENDING. */
  readonly token: string;
  /** testSecret alone, of a version that is removed afterwards. */
  readonly isTest: boolean;
  /** Whole runs that a failed step has ended. */
  readonly failures: number;
}
