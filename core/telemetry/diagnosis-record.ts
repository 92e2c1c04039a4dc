// The log line of a diagnosis, with its metrics for CloudWatch in the same JSON.
import { embeddedMetrics } from './embedded-metrics.ts';
import type { FailureFields } from './failure-fields.ts';
import { type Telemetry, writeLine } from './telemetry.ts';

/** Names and outcomes only. */
export interface DiagnosisRecord extends Partial<FailureFields> {
  requestId: string;
  /** Name of the caller, where the installation knows callers. */
  caller?: string;
  identity?: string;
  /** The identity's version. */
  version?: string;
  host?: string;
  port?: number;
  verdict?: string;
  certainty?: string;
  /** The first step that failed, as text. */
  failedStep?: string;
  protocol?: string;
  /** Milliseconds. */
  totalMs: number;
}

/**
 * Embedded metric format: Diagnoses and diagnosisMs without dimensions, DiagnosisVerdicts by verdict. With a meter,
 * none.
 */
export function recordDiagnosis(telemetry: Telemetry, record: DiagnosisRecord, now: number = Date.now()): void {
  const level = record.code === undefined ? 'INFO' : 'WARN';
  const { meter } = telemetry;
  if (meter) {
    meter.diagnosis(record);
    writeLine(telemetry, { level, message: 'diagnosis', ...record });
    return;
  }
  writeLine(telemetry, {
    level,
    message: 'diagnosis',
    ...record,
    ...embeddedMetrics(
      now,
      { values: { Diagnoses: 1, diagnosisMs: record.totalMs }, units: { diagnosisMs: 'Milliseconds' } },
      record.verdict === undefined ? undefined : { values: { DiagnosisVerdicts: 1 }, dimensions: [['verdict']] },
    ),
  });
}
