// Each alarm watches an emitted metric and links an article of the runbook.
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { recordRotation } from '../../../core/telemetry/rotation-record.ts';
import { failureFields } from '../../../core/telemetry/telemetry.ts';
import { synthesize } from '../../support/infra/synthesize.ts';
import { emittedMetrics } from '../../support/telemetry/emitted.ts';

interface Alarm {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly AlarmActions?: readonly string[];
  readonly OKActions?: readonly string[];
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
  readonly Statistic?: string;
  readonly Period?: number;
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly EvaluationPeriods: number;
  readonly DatapointsToAlarm: number;
  readonly TreatMissingData: string;
  readonly Metrics?: readonly {
    readonly Expression?: string;
    readonly MetricStat?: { readonly Metric: Alarm; readonly Stat?: string };
  }[];
}

const topic = 'arn:aws:sns:eu-central-1:111122223333:night';
const stack = synthesize({ 'countersign:alarmTopicArn': topic, 'countersign:docsUrl': 'https://docs.example/c' });
afterAll(() => stack.remove());

const alarms = Object.values(stack.resources('AWS::CloudWatch::Alarm')).map(
  ({ Properties }) => Properties as unknown as Alarm,
);
const page = readFileSync('docs/runbook.md', 'utf8');

function slug(heading: string): string {
  return heading.toLowerCase().replaceAll(' ', '-');
}

const articles = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text) => [slug(text.slice(0, text.indexOf('\n'))), text] as const)
    .filter(([name]) => name !== 'before-anything-else' && name !== 'what-was-tried'),
);

describe('an alarm', () => {
  it('has an article, and each article has its alarm', () => {
    expect(alarms.map(({ AlarmName }) => AlarmName.replace('Countersign-', '')).sort()).toEqual(
      [...articles.keys()].sort(),
    );
    for (const { AlarmName, AlarmDescription } of alarms) {
      const article = AlarmName.replace('Countersign-', '');
      expect(AlarmDescription).toMatch(new RegExp(`^[A-Z].+\\. https://docs\\.example/c/runbook\\.md#${article}$`));
    }
  });

  it('is in docs/operate.md, with a link to its article', () => {
    const rows = readFileSync('docs/operate.md', 'utf8').matchAll(
      /^\| \[`([a-z0-9-]+)`\]\(runbook\.md#([a-z0-9-]+)\) \|/gm,
    );
    const named = [...rows].map(([, name, article]) => (name === article ? name : `${name} leads to ${article}`));
    expect(named.sort()).toEqual([...articles.keys()].sort());
  });

  it('has an article with meaning, impact, checks, remedy and end', () => {
    for (const [name, text] of articles) {
      const parts = [...text.matchAll(/^\*\*(Means\.|Hurt now\.|Look\.|Do\.|Resolved when\b)/gm)].map(
        ([, part]) => part,
      );
      expect(parts, name).toEqual(['Means.', 'Hurt now.', 'Look.', 'Do.', 'Resolved when']);
      expect(text, `${name} has a command`).toContain('```sh');
    }
  });

  it('notifies the topic of alarm and recovery', () => {
    for (const { AlarmActions, OKActions } of alarms) {
      expect(AlarmActions).toEqual([topic]);
      expect(OKActions).toEqual([topic]);
    }
    const quiet = synthesize();
    try {
      for (const { Properties } of Object.values(quiet.resources('AWS::CloudWatch::Alarm'))) {
        expect(Properties).not.toHaveProperty('AlarmActions');
      }
    } finally {
      quiet.remove();
    }
  });

  it('uses metrics and dimensions that the log lines contain', () => {
    const emitted = emittedMetrics().map(({ name, dimensions }) => [name, ...dimensions].join(' '));
    const ours = alarms
      .flatMap((alarm) => alarm.Metrics?.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []) ?? [alarm])
      .filter(({ Namespace }) => Namespace === 'Countersign');
    expect(ours).toHaveLength(13);
    for (const { MetricName, Dimensions = [] } of ours) {
      const values = Dimensions.map(({ Name, Value }) => `${Name}=${Value}`);
      expect(emitted).toContain([MetricName, ...values].join(' '));
    }
  });
});

describe('the alarms for', () => {
  const alarm = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `Countersign-${name}`);

  it.each([30, 7])(
    '%i days to expiry use the minimum of all identities, and keep their state while data is missing',
    (days) => {
      expect(alarm(`certificate-expires-in-${days}-days`)).toMatchObject({
        Namespace: 'Countersign',
        MetricName: 'DaysToExpiry',
        Statistic: 'Minimum',
        Period: 3600,
        Threshold: days,
        ComparisonOperator: 'LessThanOrEqualToThreshold',
        TreatMissingData: 'ignore',
      });
      expect(alarm(`certificate-expires-in-${days}-days`)).not.toHaveProperty('Dimensions');
    },
  );

  it.each(['previous-certificate-used', 'certificate-rejected'])(
    '%s start with the first failed call and end an hour after the last, because some customers are called rarely',
    (name) => {
      expect(alarm(name)).toMatchObject({
        Period: 300,
        Threshold: 1,
        EvaluationPeriods: 12,
        DatapointsToAlarm: 1,
        TreatMissingData: 'notBreaching',
      });
    },
  );

  it('a missing inspection start if there is no data', () => {
    expect(alarm('inspection-missing')).toMatchObject({
      MetricName: 'IdentitiesInspected',
      Statistic: 'SampleCount',
      Threshold: 1,
      ComparisonOperator: 'LessThanThreshold',
      EvaluationPeriods: 3,
      DatapointsToAlarm: 3,
      TreatMissingData: 'breaching',
    });
  });

  it('a failed rotation count failed steps, and timed-out steps by their duration', () => {
    const metrics = alarm('rotation-failed')?.Metrics ?? [];
    const [rotate] = Object.values(stack.resources('AWS::Lambda::Function')).filter(({ Properties }) =>
      String(Properties.Description).includes('otat'),
    );
    const timeoutMs = Number(rotate?.Properties.Timeout) * 1_000;
    const { EvaluationPeriods = 0, DatapointsToAlarm } = alarm('rotation-failed') ?? {};
    expect(DatapointsToAlarm).toBe(1);
    expect(EvaluationPeriods * 300_000).toBeGreaterThan(timeoutMs + 300_000);
    expect(timeoutMs).toBeGreaterThan(29_000);
    expect(metrics.flatMap(({ Expression }) => Expression ?? [])).toEqual([
      `FILL(failures, 0) + IF(FILL(longest, 0) >= ${timeoutMs - 1_000}, 1, 0)`,
    ]);
    expect(metrics.flatMap(({ MetricStat }) => (MetricStat ? [[MetricStat.Metric, MetricStat.Stat]] : []))).toEqual([
      [{ Namespace: 'Countersign', MetricName: 'RotationStepFailures' }, 'Sum'],
      [
        {
          Namespace: 'AWS/Lambda',
          MetricName: 'Duration',
          Dimensions: [{ Name: 'FunctionName', Value: '<RotateFunction>' }],
        },
        'Maximum',
      ],
    ]);
  });

  it('a failed rotation do not start for a rotation that waits for a signature', () => {
    const lines: string[] = [];
    const awaited = failureFields(new CountersignError('signature-awaited', 'It waits.'));
    recordRotation(
      { write: (line) => lines.push(line) },
      { requestId: 'r', identity: 'platform', step: 'createSecret', totalMs: 1, ...awaited },
    );
    const [line] = lines.map((text) => JSON.parse(text));
    expect(line).toMatchObject({ level: 'WARN', code: 'signature-awaited', RotationSteps: 1, SignaturesAwaited: 1 });
    expect(line).not.toHaveProperty('RotationStepFailures');
    expect(JSON.stringify(alarm('rotation-failed'))).not.toMatch(/SignaturesAwaited|"Errors"/);
  });

  it('functions watch each function', () => {
    const watched = (name: string) =>
      alarm(name)?.Metrics?.flatMap(({ MetricStat }) => MetricStat?.Metric.Dimensions?.map(({ Value }) => Value) ?? []);
    const all = Object.keys(stack.resources('AWS::Lambda::Function')).map((name) => `<${name}>`);
    expect(watched('function-throttled')?.sort()).toEqual(all.sort());
    expect([...(watched('function-failed') ?? []), '<RotateFunction>'].sort()).toEqual(all.sort());
  });
});
