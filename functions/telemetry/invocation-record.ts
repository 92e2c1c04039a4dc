// The one line that each invocation leaves: a log record for people and, in the same JSON, its metrics for CloudWatch.
import { metricsNamespace } from '../config.ts';
import { writeLine } from './line.ts';

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
  step?: number;
  /** The alert that a rejection came with, where there was one. */
  alert?: string;
  connection?: 'new' | 'resumed' | 'reused';
  protocol?: string;
  /** Connections tried; more than one when a dead or rejected one was replaced. */
  attempts: number;
  requestBytes?: number;
  answerBytes?: number;
  /** Milliseconds. */
  timings?: Readonly<Record<string, number>>;
  totalMs: number;
}

const handshakeMetrics = {
  new: 'FullHandshakes',
  resumed: 'ResumedHandshakes',
  reused: 'ReusedConnections',
} as const;

/**
 * Writes the record in CloudWatch's embedded metric format (AWS: CloudWatch User Guide, "Specification: Embedded metric
 * format"): Invocations, Duration and the kind of connection without dimensions, Failures by code and by step. Identities
 * and hosts are properties, not dimensions: CloudWatch bills a metric for each value of a dimension.
 */
export function recordInvocation(record: InvocationRecord, now: number = Date.now()): void {
  const metrics: { Name: string; Unit: string }[] = [
    { Name: 'Invocations', Unit: 'Count' },
    { Name: 'Duration', Unit: 'Milliseconds' },
  ];
  const values: Record<string, string | number> = { Invocations: 1, Duration: record.totalMs };
  if (record.connection) {
    const name = handshakeMetrics[record.connection];
    metrics.push({ Name: name, Unit: 'Count' });
    values[name] = 1;
  }
  const directives = [{ Namespace: metricsNamespace, Dimensions: [[]] as string[][], Metrics: metrics }];
  if (record.code) {
    values.Failures = 1;
    directives.push({
      Namespace: metricsNamespace,
      Dimensions: record.step === undefined ? [['code']] : [['code'], ['failedStep']],
      Metrics: [{ Name: 'Failures', Unit: 'Count' }],
    });
    // A dimension's value is a string.
    if (record.step !== undefined) values.failedStep = String(record.step);
  }
  writeLine({
    level: record.code ? 'WARN' : 'INFO',
    message: 'invocation',
    ...record,
    ...values,
    _aws: { Timestamp: now, CloudWatchMetrics: directives },
  });
}
