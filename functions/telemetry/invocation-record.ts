// The one line that each invocation leaves: a log record for people and, in the same JSON, its metrics for CloudWatch.
import { metricsNamespace } from '../config.ts';
import { writeText } from './line.ts';

/** Names and outcomes only: no path, no query, no header, no body, nothing of a certificate but its version. */
export interface InvocationRecord {
  requestId: string;
  identity?: string;
  /** The identity's version. */
  version?: string;
  stage?: string;
  host?: string;
  port?: number;
  method?: string;
  /** HTTP status of the customer's API. */
  status?: number;
  /** Code of the error table, when the invocation failed. */
  code?: string;
  /** The failed step of the handshake, as text: it is a metric's dimension. */
  failedStep?: string;
  /** The alert that a rejection came with, where there was one. */
  alert?: string;
  connection?: Connection;
  protocol?: string;
  /** Connections tried; more than one when a dead or rejected one was replaced. */
  attempts: number;
  requestBytes?: number;
  answerBytes?: number;
  /** Milliseconds. */
  timings?: Readonly<Record<string, number>>;
  /** Milliseconds. */
  totalMs: number;
}

type Connection = 'new' | 'resumed' | 'reused';

const connectionMetrics: Readonly<Record<Connection, string>> = {
  new: 'FullHandshakes',
  resumed: 'ResumedHandshakes',
  reused: 'ReusedConnections',
};

/**
 * Writes the record in CloudWatch's embedded metric format (AWS: CloudWatch User Guide, "Specification: Embedded metric
 * format"): Invocations, totalMs and the kind of connection without dimensions, Failures by code and by failedStep.
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

/** There are a dozen shapes of a record; the text of each is made once. */
function directivesOf({ connection, code, failedStep }: InvocationRecord): string {
  const shape = `${connection ?? ''} ${code === undefined ? '' : failedStep === undefined ? 'failed' : 'failed at a step'}`;
  let text = directives.get(shape);
  if (text === undefined) {
    text = JSON.stringify([
      {
        Namespace: metricsNamespace,
        Dimensions: [[]],
        Metrics: [
          { Name: 'Invocations', Unit: 'Count' },
          { Name: 'totalMs', Unit: 'Milliseconds' },
          ...(connection ? [{ Name: connectionMetrics[connection], Unit: 'Count' }] : []),
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

function metricsOf({ connection, code }: InvocationRecord): string {
  const handshake = connection ? `,"${connectionMetrics[connection]}":1` : '';
  return `"Invocations":1${handshake}${code === undefined ? '' : ',"Failures":1'}`;
}
