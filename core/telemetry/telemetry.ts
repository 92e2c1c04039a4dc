// Telemetry of a process: where log lines go, what counts them, and the fields and metrics of a line.
import type { CountersignError } from '../errors.ts';
import { metricsNamespace } from '../settings.ts';

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

export interface FailureFields {
  /** Code of the error table. */
  code: string;
  /** The failed step of the handshake, as text: it is a metric's dimension. */
  failedStep?: string;
  /** The TLS alert of a rejection. */
  alert?: string;
  /** The `detail` of the problem document. */
  detail?: string;
  reason?: string;
  where?: string;
  field?: string;
  certainty?: string;
  /** The identity's version that is unusable, or does not allow the destination. */
  version?: string;
}

/** Names in a server's certificate have no length limit. */
const maxDetail = 500;

/** A plausible name of a field or header. Anything else in its place may be a misplaced secret. */
const plainName = /^[A-Za-z][A-Za-z-]{0,31}$/;

/** Details contain sentences, names and codes. The only text of the caller in them is a name that it sent. */
export function failureFields(error: CountersignError): FailureFields {
  const fields: FailureFields = { code: error.code };
  if (error.step !== undefined) fields.failedStep = String(error.step);
  for (const key of ['alert', 'reason', 'where', 'field', 'certainty', 'version'] as const) {
    const value = error.evidence?.[key];
    if (typeof value === 'string' && (key !== 'field' || plainName.test(value))) fields[key] = value;
  }
  const isCallers = error.code === 'invalid-request';
  fields.detail = (isCallers ? withPlainNamesOnly(error.message) : error.message).slice(0, maxDetail);
  return fields;
}

function withPlainNamesOnly(sentence: string): string {
  return sentence.replaceAll(/"(?:[^"\\]|\\.)*"/g, (quoted) => (plainName.test(quoted.slice(1, -1)) ? quoted : '"…"'));
}

export type Unit = 'Count' | 'Milliseconds' | 'None';

/** AWS: CloudWatch User Guide, "Specification: Embedded metric format", MetricDirective object. */
export interface MetricDirective {
  readonly Namespace: string;
  readonly Dimensions: readonly (readonly string[])[];
  readonly Metrics: readonly { readonly Name: string; readonly Unit: Unit }[];
}

/** Names of fields of the line. One metric for each list: `[]` is the one without dimensions. */
export type Dimensions = MetricDirective['Dimensions'];

export function directive(units: Readonly<Record<string, Unit>>, dimensions: Dimensions = [[]]): MetricDirective {
  const metrics = Object.entries(units).map(([Name, Unit]) => ({ Name, Unit }));
  return { Namespace: metricsNamespace, Dimensions: dimensions, Metrics: metrics };
}

export interface MetricGroup {
  /** By the name of the metric. */
  readonly values: Readonly<Record<string, number>>;
  /** Of the values that are no counts. */
  readonly units?: Readonly<Record<string, Unit>>;
  /** Absent: one metric without dimensions. */
  readonly dimensions?: Dimensions;
}

/**
 * The fields of a line: the values, and `_aws` behind them. `now` is in milliseconds since 1970. A group that is
 * undefined is left out.
 */
export function embeddedMetrics(now: number, ...groups: readonly (MetricGroup | undefined)[]): object {
  const given = groups.filter((group) => group !== undefined);
  return {
    ...Object.assign({}, ...given.map(({ values }) => values)),
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: given.map(({ values, units, dimensions }) =>
        directive(Object.fromEntries(Object.keys(values).map((name) => [name, units?.[name] ?? 'Count'])), dimensions),
      ),
    },
  };
}
