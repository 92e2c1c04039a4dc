// The log line of a rotation step, with its metrics for CloudWatch in the same JSON.

import type { FailureFields } from './telemetry.ts';
import { embeddedMetrics, type Telemetry, writeLine } from './telemetry.ts';

/** Names and outcomes only. */
export interface RotationRecord extends Partial<FailureFields> {
  requestId: string;
  identity?: string;
  /** `createSecret`, …; as AWS spells them. */
  step?: string;
  /** The version that is being made. */
  version?: string;
  /**
   * Of a document that cannot be used: `AWSPENDING`, the one that is to come, or `AWSCURRENT`, the one that it is made
   * from.
   */
  stage?: string;
  /** What the step did: `issued`, `found`, `announced`, `tested`, `activated`, `already-current`, … */
  outcome?: string;
  /** The chain of the new certificate ends at another root than that of the other one in use. */
  newRoot?: boolean;
  /** Of testSecret: destinations, by what came of them. */
  accepted?: number;
  rejected?: number;
  untested?: number;
  /** Those for which nothing that is in use fares better. */
  sayNothing?: number;
  /** `host:port` of the first 20 that reject it. */
  rejectedBy?: readonly string[];
  /** Milliseconds. */
  totalMs: number;
}

/**
 * Embedded metric format: RotationSteps and, for failed steps, RotationStepFailures, each without dimensions and by
 * identity and step; RotationsFinished without dimensions. A step that waits for a person to sign has not failed,
 * though Secrets Manager must take it for that: it counts as SignaturesAwaited.
 */
export function recordRotation(telemetry: Telemetry, record: RotationRecord, now: number = Date.now()): void {
  const failed = record.code !== undefined;
  const failure = record.code === 'signature-awaited' ? { SignaturesAwaited: 1 } : { RotationStepFailures: 1 };
  const byStep = record.identity !== undefined && record.step !== undefined;
  writeLine(telemetry, {
    level: failed ? 'WARN' : 'INFO',
    message: 'rotation',
    ...record,
    ...embeddedMetrics(
      now,
      {
        values: { RotationSteps: 1, ...(failed ? failure : {}) },
        dimensions: byStep ? [[], ['identity', 'step']] : [[]],
      },
      record.outcome === 'activated' ? { values: { RotationsFinished: 1 } } : undefined,
    ),
  });
}

/** Without an event bus the event is only logged. */
export function recordNotAnnounced(telemetry: Telemetry, event: string, identity: string, version: string): void {
  writeLine(telemetry, { level: 'INFO', message: 'not announced', event, identity, version, reason: 'no-event-bus' });
}

/** The event could not be published; the step fails for another reason. */
export function recordAnnouncementFailure(
  telemetry: Telemetry,
  event: string,
  identity: string,
  version: string,
  { detail, reason }: Pick<FailureFields, 'detail' | 'reason'>,
): void {
  writeLine(telemetry, { level: 'WARN', message: 'announcement failed', event, identity, version, detail, reason });
}
