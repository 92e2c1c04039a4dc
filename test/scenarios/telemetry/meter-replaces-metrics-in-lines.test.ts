// With a meter, each record goes to it, and the lines contain no metrics for CloudWatch.
import { beforeEach, describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { recordRefreshFailure } from '../../../core/telemetry/events.ts';
import { newRecord, recordDiagnosis, recordInvocation } from '../../../core/telemetry/invocation-record.ts';
import type { Telemetry } from '../../../core/telemetry/telemetry.ts';

const lines: string[] = [];
const told: unknown[][] = [];

beforeEach(() => {
  lines.length = 0;
  told.length = 0;
});

const write = (line: string) => lines.push(line);
const counted: Telemetry = {
  write,
  meter: {
    invocation: ({ code, totalMs }) => told.push(['invocation', code, totalMs]),
    diagnosis: ({ verdict, totalMs }) => told.push(['diagnosis', verdict, totalMs]),
    refreshFailed: (identity) => told.push(['refresh', identity]),
  },
};

const error = new CountersignError('identity-unavailable', 'The store is down.');
const record = {
  ...newRecord('request-1'),
  caller: 'bot',
  code: 'response-timeout',
  connection: 'new' as const,
  totalMs: 3,
};

function leave(telemetry: Telemetry = counted): void {
  recordInvocation(telemetry, record, 5);
  recordDiagnosis(telemetry, { requestId: 'request-2', verdict: 'access-granted', totalMs: 7 }, 5);
  recordRefreshFailure(telemetry, 'platform', error, 5);
}

describe('a meter', () => {
  it('receives each record', () => {
    leave();
    expect(told).toEqual([
      ['invocation', 'response-timeout', 3],
      ['diagnosis', 'access-granted', 7],
      ['refresh', 'platform'],
    ]);
  });

  it('leaves lines with the same fields but the metrics', () => {
    leave();
    const withMeter = lines.splice(0).map((line) => JSON.parse(line));
    expect(withMeter[0]).toEqual({
      timestamp: '1970-01-01T00:00:00.005Z',
      level: 'WARN',
      message: 'invocation',
      requestId: 'request-1',
      caller: 'bot',
      attempts: 0,
      code: 'response-timeout',
      connection: 'new',
      totalMs: 3,
    });
    leave({ write });
    const metrics = new Set(
      ['_aws', 'Invocations', 'FullHandshakes', 'Failures', 'Diagnoses', 'diagnosisMs', 'DiagnosisVerdicts'].concat(
        'IdentityRefreshFailures',
      ),
    );
    for (const [index, line] of lines.entries()) {
      const fields = Object.entries(JSON.parse(line)).filter(([name]) => name !== 'timestamp' && !metrics.has(name));
      const { timestamp: _, ...rest } = withMeter[index];
      expect(Object.fromEntries(fields)).toEqual(rest);
    }
  });
});
