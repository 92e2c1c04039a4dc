// Telemetry of a process: where log lines go, and what counts them.

/** Receives every log line and, where the process counts for itself, every record. */
export interface Telemetry {
  /** `line` is one JSON object and its line feed. Must not throw. */
  write(line: string): void;
  /** With a meter the lines carry no CloudWatch metrics; without one they do. */
  readonly meter?: Meter | undefined;
}

/** How the connection of a call came about: by a full handshake, by a resumed one, or taken from the pool. */
export type ConnectionKind = 'new' | 'resumed' | 'reused';

/** The fields of an invocation's record that a meter counts. */
interface CountedInvocation {
  /** Error code of a failed call. */
  readonly code?: string | undefined;
  readonly connection?: ConnectionKind | undefined;
  /** Connections of the other attempts of the same call. */
  readonly earlierConnections?: readonly ConnectionKind[] | undefined;
  /** Milliseconds. */
  readonly totalMs: number;
}

/** The fields of a diagnosis's record that a meter counts. */
interface CountedDiagnosis {
  readonly code?: string;
  readonly verdict?: string;
  /** Milliseconds. */
  readonly totalMs: number;
}

/** Counts records as their lines are written. Must not throw and must not keep the record. */
export interface Meter {
  invocation(record: CountedInvocation): void;
  diagnosis(record: CountedDiagnosis): void;
  refreshFailed(identity: string): void;
}

/** Standard output, which Lambda sends to CloudWatch Logs. */
export const standardOutput: Telemetry = {
  write(line) {
    process.stdout.write(line);
  },
};

/** Discards every line. */
export const noTelemetry: Telemetry = { write() {} };

/** Writes one JSON object as a line. The timestamp (ISO 8601) comes first, so that raw logs can be read. */
export function writeLine(telemetry: Telemetry, fields: Readonly<Record<string, unknown>>): void {
  telemetry.write(`${JSON.stringify({ timestamp: new Date().toISOString(), ...fields })}\n`);
}
