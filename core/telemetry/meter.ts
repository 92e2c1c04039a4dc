// Who counts what the lines tell: CloudWatch, out of the metrics inside them, or a meter of the process itself.

/** How a connection came about that a call used. */
export type ConnectionKind = 'new' | 'resumed' | 'reused';

/** What is counted of the record of a call. */
export interface CountedInvocation {
  /** Of the error table, where it failed. */
  readonly code?: string | undefined;
  readonly connection?: ConnectionKind | undefined;
  /** Of the other attempts, where a connection stood. */
  readonly earlierConnections?: readonly ConnectionKind[] | undefined;
  /** Milliseconds. */
  readonly totalMs: number;
}

/** What is counted of the record of a diagnosis. */
export interface CountedDiagnosis {
  readonly code?: string;
  readonly verdict?: string;
  /** Milliseconds. */
  readonly totalMs: number;
}

/** Told of each record as its line is written; must not throw, and must not keep the record. */
export interface Meter {
  invocation(record: CountedInvocation): void;
  diagnosis(record: CountedDiagnosis): void;
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
