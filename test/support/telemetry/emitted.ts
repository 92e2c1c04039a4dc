// Every metric that the functions' lines carry, taken from lines of every kind, as CloudWatch takes them in.
import { expect } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { recordRefreshFailure } from '../../../core/telemetry/events.ts';
import { recordExpiry, recordInspection } from '../../../core/telemetry/inspection-record.ts';
import { newRecord, recordDiagnosis, recordInvocation } from '../../../core/telemetry/invocation-record.ts';
import { recordRotation } from '../../../core/telemetry/rotation-record.ts';
import type { Telemetry } from '../../../core/telemetry/telemetry.ts';
import { failureFields } from '../../../core/telemetry/telemetry.ts';

export interface EmittedMetric {
  readonly name: string;
  /** `identity=platform`, in the order of the directive. */
  readonly dimensions: readonly string[];
}

/** A metric whose value is no number, or a dimension whose value is no text, is lost there, and so it is here. */
export function emittedMetrics(): readonly EmittedMetric[] {
  const now = 1_800_000_000_000;
  return linesOfEveryKind(now).flatMap((text) => {
    const line = JSON.parse(text);
    expect(line._aws.Timestamp).toBe(now);
    return line._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }: Directive) => {
      expect(Namespace).toBe('Countersign');
      return Metrics.filter(({ Name }) => typeof line[Name] === 'number').flatMap(({ Name }) =>
        Dimensions.filter((names) => names.every((one) => typeof line[one] === 'string')).map((names) => ({
          name: Name,
          dimensions: names.map((one) => `${one}=${line[one]}`),
        })),
      );
    });
  });
}

export function metricNames(): ReadonlySet<string> {
  return new Set(emittedMetrics().map(({ name }) => name));
}

interface Directive {
  readonly Namespace: string;
  readonly Dimensions: readonly (readonly string[])[];
  readonly Metrics: readonly { readonly Name: string }[];
}

function linesOfEveryKind(now: number): readonly string[] {
  const lines: string[] = [];
  const telemetry: Telemetry = { write: (line) => lines.push(line) };
  const failed = (code: ConstructorParameters<typeof CountersignError>[0]) =>
    failureFields(new CountersignError(code, 'No.'));
  for (const code of [
    'identity-unusable',
    'identity-unavailable',
    'internal-error',
    'client-certificate-rejected',
  ] as const) {
    recordInvocation(telemetry, { ...newRecord('r'), ...failed(code) }, now);
  }
  for (const connection of ['new', 'resumed', 'reused'] as const) {
    recordInvocation(telemetry, { ...newRecord('r'), connection }, now);
  }
  const byPrevious = {
    identity: 'platform',
    destination: 'api.acme.example',
    stage: 'AWSPREVIOUS' as const,
    rejections: 1,
  };
  recordInvocation(telemetry, { ...newRecord('r'), ...byPrevious }, now);
  recordDiagnosis(telemetry, { requestId: 'r', totalMs: 1, verdict: 'access-granted' }, now);
  recordRefreshFailure(telemetry, 'platform', new CountersignError('identity-unusable', 'No.'), now);
  recordRotation(telemetry, { requestId: 'r', totalMs: 1, ...failed('issuer-refused') }, now);
  recordRotation(telemetry, { requestId: 'r', totalMs: 1, ...failed('signature-awaited') }, now);
  recordRotation(
    telemetry,
    { requestId: 'r', totalMs: 1, identity: 'platform', step: 'finishSecret', outcome: 'activated' },
    now,
  );
  const times = {
    leafDays: 20,
    issuerDays: 900,
    validTo: undefined,
    issuerValidTo: undefined,
    nextRotation: undefined,
  };
  const state = { identity: 'platform', state: 'usable' as const, stages: [], overdue: [] };
  const inspected = { ...state, ...times, clientAuthenticationEnding: false, rotationEnabled: true };
  recordExpiry(telemetry, inspected, now);
  recordInspection(telemetry, [inspected], now);
  return lines;
}
