// Who counts what the lines tell: CloudWatch, out of the metrics inside them, or a meter of the process itself.
import type { DiagnosisRecord } from './diagnosis-record.ts';
import type { InvocationRecord } from './invocation-record.ts';

/** Told of each record as its line is written; must not throw, and must not keep the record. */
export interface Meter {
  invocation(record: Readonly<InvocationRecord>): void;
  diagnosis(record: Readonly<DiagnosisRecord>): void;
  refreshFailed(identity: string): void;
}

let meter: Meter | undefined;

/** With a meter the lines have no metrics of their own; without one (undefined) they do. */
export function countWith(other: Meter | undefined): void {
  meter = other;
}

export function meterInUse(): Meter | undefined {
  return meter;
}
