// The record of an invocation beside what Powertools for AWS Lambda, which CloudWatch is known to read, writes for the
// same values.
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { metricsNamespace } from '../../../core/settings.ts';
import { recordInternalError, recordRefreshFailure } from '../../../core/telemetry/events.ts';
import { type InvocationRecord, recordInvocation } from '../../../core/telemetry/invocation-record.ts';
import type { FailureFields, Telemetry } from '../../../core/telemetry/telemetry.ts';

interface Directive {
  Namespace: string;
  Dimensions: string[][];
  Metrics: { Name: string; Unit: string }[];
}

const lines: string[] = [];
const telemetry: Telemetry = { write: (line) => lines.push(line) };
afterEach(() => {
  lines.length = 0;
});

function written(record: Partial<InvocationRecord>) {
  recordInvocation(telemetry, { requestId: 'r', attempts: 1, totalMs: 3.5, ...record }, 1_700_000_000_000);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{[^\n]*\}\n$/);
  return JSON.parse(lines[0] as string);
}

/** What Powertools writes, with its own `service` dimension taken out. */
function byPowertools(
  dimensions: Record<string, string>,
  metrics: Record<string, [(typeof MetricUnit)[keyof typeof MetricUnit], number]>,
) {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
  const powertools = new Metrics({ namespace: metricsNamespace, serviceName: 'countersign' });
  powertools.addDimensions(dimensions);
  for (const [name, [unit, value]] of Object.entries(metrics)) powertools.addMetric(name, unit, value);
  const emf = powertools.serializeMetrics() as unknown as Record<string, unknown> & {
    _aws: { Timestamp: number; CloudWatchMetrics: Directive[] };
  };
  printed.mockRestore();
  const directive = emf._aws.CloudWatchMetrics[0] as Directive;
  const withoutService = directive.Dimensions.map((set) => set.filter((name) => name !== 'service'));
  return { emf, directive: { ...directive, Dimensions: withoutService } };
}

/** A new member of the record must be written too: this object has every one that a successful call can have. */
const complete: Required<Omit<InvocationRecord, Exclude<keyof FailureFields, 'version'>>> = {
  requestId: 'r "quoted"',
  caller: 'bot\\one',
  identity: 'platform',
  version: 'v1',
  stage: 'AWSPREVIOUS',
  identityAgeMs: 12_345,
  host: 'api.acme.example',
  port: 8443,
  destination: '*',
  method: 'M-SEARCH',
  status: 200,
  connection: 'resumed',
  earlierConnections: ['new', 'reused'],
  rejections: 1,
  protocol: 'TLSv1.3',
  attempts: 3,
  requestBytes: 0,
  answerBytes: 4_500_000,
  timings: { identityMs: 0.01, dnsMs: 0, connectMs: 1e-7, tlsMs: 3.1, firstByteMs: 17, totalMs: 21.33 },
  totalMs: 21.34,
};

describe('the record of an invocation', () => {
  it.each(Object.keys(complete))('is written as JSON.stringify writes it, with and without %s', (left) => {
    const { requestId, attempts, totalMs, ...others } = complete;
    const { [left as keyof typeof others]: _, ...rest } = others;
    for (const record of [complete, { requestId, ...rest, attempts, totalMs }]) {
      lines.length = 0;
      recordInvocation(telemetry, record, 1_700_000_000_000);
      const { timestamp, level, message, Invocations, _aws, ...fields } = JSON.parse(lines[0] as string);
      for (const [name, value] of Object.entries(record)) expect(fields[name], name).toEqual(value);
      expect([timestamp, level, message]).toEqual(['2023-11-14T22:13:20.000Z', 'INFO', 'invocation']);
    }
  });

  it('counts a successful call in the format of Powertools', () => {
    const record = written({ status: 200, connection: 'reused' });
    const { emf, directive } = byPowertools(
      {},
      {
        Invocations: [MetricUnit.Count, 1],
        totalMs: [MetricUnit.Milliseconds, 3.5],
        ReusedConnections: [MetricUnit.Count, 1],
      },
    );
    expect(record._aws.CloudWatchMetrics).toEqual([directive]);
    expect(record._aws.Timestamp).toBe(1_700_000_000_000);
    for (const { Name } of directive.Metrics) expect(record[Name], Name).toBe(emf[Name]);
  });

  it('counts a failure by its code and by its step', () => {
    const record = written({ code: 'client-certificate-rejected', failedStep: '5', alert: 'unknown_ca' });
    const { emf, directive } = byPowertools(
      { code: 'client-certificate-rejected' },
      { Failures: [MetricUnit.Count, 1] },
    );
    expect(record._aws.CloudWatchMetrics[1]).toEqual({ ...directive, Dimensions: [['code'], ['failedStep']] });
    expect(record).toMatchObject({ code: emf.code, failedStep: '5', Failures: emf.Failures, level: 'WARN' });
  });

  it.each([
    [{}, [[]]],
    [{ code: 'invalid-request' }, [[], ['code']]],
    [{ code: 'response-timeout', connection: 'new' as const }, [[], ['code']]],
    [{ code: 'connection-refused', failedStep: '1' }, [[], ['code'], ['failedStep']]],
    [{ stage: 'AWSCURRENT', identity: 'platform', host: 'api.acme.example', rejections: 2 }, [[]]],
    [{ stage: 'AWSPREVIOUS', identity: 'platform', destination: '*' }, [[], [], ['identity', 'destination']]],
  ])('has for %o only dimensions that are strings in the line', (record, dimensions) => {
    const line = written(record);
    const sets = (line._aws.CloudWatchMetrics as Directive[]).flatMap((directive) => directive.Dimensions);
    expect(sets).toEqual(dimensions);
    for (const name of sets.flat()) expect(typeof line[name], name).toBe('string');
    const names = (line._aws.CloudWatchMetrics as Directive[]).flatMap(({ Metrics }) =>
      Metrics.map(({ Name }) => Name),
    );
    for (const name of names) expect(typeof line[name], name).toBe('number');
  });

  it('is one line of JSON, whatever the name of the caller', () => {
    const host = 'a"b\n\u2028\\';
    expect(written({ host }).host).toBe(host);
  });
});

describe('events beside invocations', () => {
  it('count a refresh that failed', () => {
    recordRefreshFailure(telemetry, 'platform', new CountersignError('identity-unavailable', 'The store is down.'), 5);
    const line = JSON.parse(lines[0] as string);
    expect(line).toMatchObject({ identity: 'platform', code: 'identity-unavailable', IdentityRefreshFailures: 1 });
    expect(line._aws.CloudWatchMetrics[0].Metrics).toEqual([{ Name: 'IdentityRefreshFailures', Unit: 'Count' }]);
  });

  it('report a defect by its class and place, never by its message', () => {
    const cause = new TypeError('cannot read the secret of "hunter2"');
    recordInternalError(telemetry, new CountersignError('internal-error', 'Something.', { cause }), 'request-7');
    expect(lines[0]).not.toContain('hunter2');
    const line = JSON.parse(lines[0] as string);
    expect(line).toMatchObject({ level: 'ERROR', requestId: 'request-7', cause: 'TypeError' });
    expect(line.at[0]).toMatch(/^at .*invocation-record/);
  });
});
