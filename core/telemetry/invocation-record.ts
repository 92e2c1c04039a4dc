// The log lines of invocations and diagnoses, with their metrics for CloudWatch in the same JSON.
import { isoTime, jsonString } from '../json-text.ts';
import {
  type ConnectionKind,
  directive,
  embeddedMetrics,
  type FailureFields,
  type Telemetry,
  writeLine,
} from './telemetry.ts';

type OptionalFailure = { [Field in keyof FailureFields]?: FailureFields[Field] | undefined };

/** Milliseconds. */
export interface Timings {
  readonly identityMs: number;
  readonly dnsMs: number;
  readonly connectMs: number;
  readonly tlsMs: number;
  readonly firstByteMs: number;
  readonly totalMs: number;
}

/** Names and outcomes only: no path, no query, no header, no body. */
export interface InvocationRecord extends OptionalFailure {
  requestId: string;
  /** Name of the caller, where the installation knows callers. */
  caller?: string | undefined;
  identity?: string | undefined;
  /** The identity's version. */
  version?: string | undefined;
  stage?: string | undefined;
  /** Milliseconds since the store was asked for the identity, if that is longer ago than its TTL. */
  identityAgeMs?: number | undefined;
  host?: string | undefined;
  port?: number | undefined;
  /** `host` of the destination, for example `*`; only if AWSPREVIOUS was presented. */
  destination?: string | undefined;
  method?: string | undefined;
  /** HTTP status of the customer's API. */
  status?: number | undefined;
  connection?: ConnectionKind | undefined;
  /** Connections of the other attempts. */
  earlierConnections?: readonly ConnectionKind[] | undefined;
  /** How often the API server rejected a client certificate. */
  rejections?: number | undefined;
  protocol?: string | undefined;
  /** Attempts; more than one if a dead or rejected connection was replaced. */
  attempts: number;
  requestBytes?: number | undefined;
  answerBytes?: number | undefined;
  timings?: Timings | undefined;
  /** Milliseconds. */
  totalMs: number;
}

/** All members exist from the start, so that they keep their order. Undefined members are not written. */
export function newRecord(requestId: string): InvocationRecord {
  return {
    requestId,
    caller: undefined,
    identity: undefined,
    version: undefined,
    stage: undefined,
    identityAgeMs: undefined,
    host: undefined,
    port: undefined,
    destination: undefined,
    method: undefined,
    status: undefined,
    connection: undefined,
    earlierConnections: undefined,
    rejections: undefined,
    protocol: undefined,
    attempts: 0,
    requestBytes: undefined,
    answerBytes: undefined,
    timings: undefined,
    totalMs: 0,
  };
}

const connectionMetrics: Readonly<Record<ConnectionKind, string>> = {
  new: 'FullHandshakes',
  resumed: 'ResumedHandshakes',
  reused: 'ReusedConnections',
};

/**
 * Writes the record in CloudWatch's embedded metric format (AWS: CloudWatch User Guide, "Specification: Embedded metric
 * format"): Invocations, totalMs and the kinds of connections without dimensions, Failures by code and by failedStep.
 * Identities and hosts are properties, not dimensions: CloudWatch bills a metric for each value of a dimension.
 * Only PreviousCertificateUsed has them, for its alarm: configured destinations are few, hosts behind `*` are not.
 * With a meter the line is the record alone.
 */
export function recordInvocation(telemetry: Telemetry, record: InvocationRecord, now: number = Date.now()): void {
  const level = record.code === undefined ? 'INFO' : 'WARN';
  const line = `{"timestamp":"${isoTime(now)}","level":"${level}","message":"invocation",${fieldsOf(record)}`;
  const { meter } = telemetry;
  meter?.invocation(record);
  telemetry.write(
    meter
      ? `${line}}\n`
      : `${line},${metricsOf(record)},"_aws":{"Timestamp":${now},"CloudWatchMetrics":${directivesOf(record)}}}\n`,
  );
}

/** The members as JSON.stringify writes them, in a quarter of its time where no failure adds more. */
function fieldsOf(record: InvocationRecord): string {
  if (record.code !== undefined) return JSON.stringify(record).slice(1, -1);
  const { caller, identity, version, stage, identityAgeMs, host, port, destination, method, status } = record;
  const { connection, earlierConnections, rejections, protocol, requestBytes, answerBytes, timings } = record;
  const who = `"requestId":${jsonString(record.requestId)}${text('caller', caller)}${text('identity', identity)}${text('version', version)}${text('stage', stage)}${other('identityAgeMs', identityAgeMs)}`;
  const where = `${text('host', host)}${other('port', port)}${text('destination', destination)}${text('method', method)}`;
  const how = `${other('status', status)}${text('connection', connection)}${other('earlierConnections', earlierConnections)}${other('rejections', rejections)}${text('protocol', protocol)},"attempts":${record.attempts}`;
  return `${who}${where}${how}${other('requestBytes', requestBytes)}${other('answerBytes', answerBytes)}${timings ? `,"timings":${timingsText(timings)}` : ''},"totalMs":${record.totalMs}`;
}

function text(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${jsonString(value)}`;
}

function other(name: string, value: number | readonly ConnectionKind[] | undefined): string {
  return value === undefined ? '' : `,"${name}":${typeof value === 'number' ? value : JSON.stringify(value)}`;
}

/** JSON of the times of a call: finite numbers only. */
export function timingsText({ identityMs, dnsMs, connectMs, tlsMs, firstByteMs, totalMs }: Timings): string {
  return `{"identityMs":${identityMs},"dnsMs":${dnsMs},"connectMs":${connectMs},"tlsMs":${tlsMs},"firstByteMs":${firstByteMs},"totalMs":${totalMs}}`;
}

/** Records have a few dozen shapes; the text of each is made once. */
function directivesOf(record: InvocationRecord): string {
  const { connection, earlierConnections = '', rejections, code, failedStep } = record;
  const failed = code === undefined ? '' : failedStep === undefined ? 'failed' : 'failed at a step';
  const shape = `${connection ?? ''} ${earlierConnections} ${failed} ${rejections ? 'rejected' : ''} ${isByPrevious(record) ? 'previous' : ''}`;
  let json = directives.get(shape);
  if (json === undefined) {
    const counts = [...countsOf(record).keys(), ...(rejections ? ['CertificateRejections'] : [])];
    json = JSON.stringify([
      directive({
        Invocations: 'Count',
        totalMs: 'Milliseconds',
        ...Object.fromEntries(counts.map((name) => [name, 'Count'])),
      }),
      ...(isByPrevious(record)
        ? [directive({ PreviousCertificateUsed: 'Count' }, [[], ['identity', 'destination']])]
        : []),
      ...(code === undefined
        ? []
        : [directive({ Failures: 'Count' }, failedStep === undefined ? [['code']] : [['code'], ['failedStep']])]),
    ]);
    directives.set(shape, json);
  }
  return json;
}

const directives = new Map<string, string>();

function metricsOf(record: InvocationRecord): string {
  let counts = '';
  if (record.earlierConnections) for (const [name, count] of countsOf(record)) counts += `,"${name}":${count}`;
  else if (record.connection) counts = `,"${connectionMetrics[record.connection]}":1`;
  if (record.rejections) counts += `,"CertificateRejections":${record.rejections}`;
  if (isByPrevious(record)) counts += ',"PreviousCertificateUsed":1';
  return `"Invocations":1${counts}${record.code === undefined ? '' : ',"Failures":1'}`;
}

function isByPrevious({ stage }: InvocationRecord): boolean {
  return stage === 'AWSPREVIOUS';
}

/** Every connection of the call counts, also one that was dead or whose certificate was rejected. */
function countsOf({ connection, earlierConnections = [] }: InvocationRecord): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of connection ? [...earlierConnections, connection] : earlierConnections) {
    const name = connectionMetrics[kind];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

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
