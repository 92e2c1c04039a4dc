// The one line that each invocation leaves: a log record for people and, in the same JSON, its metrics for CloudWatch.
import { metricsNamespace } from '../config.ts';
import type { FailureFields } from './failure-fields.ts';
import { writeText } from './line.ts';

type OptionalFailure = { [Field in keyof FailureFields]?: FailureFields[Field] | undefined };

/** Names and outcomes only: no path, no query, no header, no body. A failure adds the fields that say why. */
export interface InvocationRecord extends OptionalFailure {
  requestId: string;
  identity?: string | undefined;
  /** The identity's version. */
  version?: string | undefined;
  stage?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  method?: string | undefined;
  /** HTTP status of the customer's API. */
  status?: number | undefined;
  connection?: Connection | undefined;
  /** Of the attempts before the last, where a connection stood. */
  earlierConnections?: readonly Connection[] | undefined;
  protocol?: string | undefined;
  /** Connections tried; more than one when a dead or rejected one was replaced. */
  attempts: number;
  requestBytes?: number | undefined;
  answerBytes?: number | undefined;
  /** Milliseconds. */
  timings?: Readonly<Record<string, number>> | undefined;
  /** Milliseconds. */
  totalMs: number;
}

/** With all its members from the start: filled in on the way, they keep their place, and what stays undefined is not written. */
export function newRecord(requestId: string): InvocationRecord {
  return {
    requestId,
    identity: undefined,
    version: undefined,
    stage: undefined,
    host: undefined,
    port: undefined,
    method: undefined,
    status: undefined,
    connection: undefined,
    earlierConnections: undefined,
    protocol: undefined,
    attempts: 0,
    requestBytes: undefined,
    answerBytes: undefined,
    timings: undefined,
    totalMs: 0,
  };
}

type Connection = 'new' | 'resumed' | 'reused';

const connectionMetrics: Readonly<Record<Connection, string>> = {
  new: 'FullHandshakes',
  resumed: 'ResumedHandshakes',
  reused: 'ReusedConnections',
};

/**
 * Writes the record in CloudWatch's embedded metric format (AWS: CloudWatch User Guide, "Specification: Embedded metric
 * format"): Invocations, totalMs and the kinds of connections without dimensions, Failures by code and by failedStep.
 * Identities and hosts are properties, not dimensions: CloudWatch bills a metric for each value of a dimension.
 */
export function recordInvocation(record: InvocationRecord, now: number = Date.now()): void {
  const level = record.code === undefined ? 'INFO' : 'WARN';
  const time = new Date(now).toISOString();
  const fields = JSON.stringify(record).slice(1, -1);
  writeText(
    `{"timestamp":"${time}","level":"${level}","message":"invocation",${fields},${metricsOf(record)},"_aws":{"Timestamp":${now},"CloudWatchMetrics":${directivesOf(record)}}}\n`,
  );
}

/** There are a few dozen shapes of a record; the text of each is made once. */
function directivesOf(record: InvocationRecord): string {
  const { connection, earlierConnections = '', code, failedStep } = record;
  const shape = `${connection ?? ''} ${earlierConnections} ${code === undefined ? '' : failedStep === undefined ? 'failed' : 'failed at a step'}`;
  let text = directives.get(shape);
  if (text === undefined) {
    text = JSON.stringify([
      {
        Namespace: metricsNamespace,
        Dimensions: [[]],
        Metrics: [
          { Name: 'Invocations', Unit: 'Count' },
          { Name: 'totalMs', Unit: 'Milliseconds' },
          ...[...countsOf(record).keys()].map((Name) => ({ Name, Unit: 'Count' })),
        ],
      },
      ...(code === undefined
        ? []
        : [
            {
              Namespace: metricsNamespace,
              Dimensions: failedStep === undefined ? [['code']] : [['code'], ['failedStep']],
              Metrics: [{ Name: 'Failures', Unit: 'Count' }],
            },
          ]),
    ]);
    directives.set(shape, text);
  }
  return text;
}

const directives = new Map<string, string>();

function metricsOf(record: InvocationRecord): string {
  let counts = '';
  if (record.earlierConnections) for (const [name, count] of countsOf(record)) counts += `,"${name}":${count}`;
  else if (record.connection) counts = `,"${connectionMetrics[record.connection]}":1`;
  return `"Invocations":1${counts}${record.code === undefined ? '' : ',"Failures":1'}`;
}

/** Every connection of the call counts: also one that was given up, because it was dead or the certificate rejected. */
function countsOf({ connection, earlierConnections = [] }: InvocationRecord): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of connection ? [...earlierConnections, connection] : earlierConnections) {
    const name = connectionMetrics[kind];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
