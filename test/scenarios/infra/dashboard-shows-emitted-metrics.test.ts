// The dashboard has the graphs of docs/operate.md, all of emitted metrics.
import { afterAll, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';
import { metricNames } from '../../support/telemetry/emitted.ts';

interface Widget {
  readonly type: string;
  readonly properties: {
    readonly title: string;
    readonly alarms?: readonly string[];
    readonly metrics?: readonly (readonly (string | { readonly expression?: string })[])[];
  };
}

const stack = synthesize();
afterAll(() => stack.remove());

const dashboard = Object.values(stack.resources('AWS::CloudWatch::Dashboard'))[0]?.Properties;
const { widgets } = JSON.parse(String(dashboard?.DashboardBody)) as { widgets: readonly Widget[] };

it('the dashboard has the name of the stack, and shows every alarm', () => {
  expect(dashboard?.DashboardName).toBe('Countersign');
  const shown = widgets.find(({ type }) => type === 'alarm')?.properties.alarms ?? [];
  expect(shown).toHaveLength(Object.keys(stack.resources('AWS::CloudWatch::Alarm')).length);
});

it('the dashboard shows handshakes by kind, failures by step, days to expiry, stages in use, rotations and verdicts', () => {
  expect(widgets.map(({ properties }) => properties.title)).toEqual(
    expect.arrayContaining([
      'Handshakes by kind',
      'Failures by step',
      'Days to expiry',
      'Stages in use',
      'Rotations',
      'Verdicts of diagnoses',
    ]),
  );
});

it('the dashboard shows only metrics that the functions emit', () => {
  const emitted = metricNames();
  const drawn = widgets
    .flatMap(({ properties }) => properties.metrics ?? [])
    .map((metric) => {
      const [first, second] = metric;
      if (typeof first === 'string') return first === 'Countersign' ? second : first;
      return /^SEARCH\('\{Countersign,[a-zA-Z,]+\} MetricName="(\w+)"', '(?:Sum|Minimum)', \d+\)$/.exec(
        first?.expression ?? '',
      )?.[1];
    });
  expect(drawn.length).toBeGreaterThan(20);
  for (const name of drawn) expect(emitted).toContain(name);
});
