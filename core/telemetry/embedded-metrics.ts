// CloudWatch's embedded metric format: the metrics inside a log line, and what CloudWatch is to make of them.
import { metricsNamespace } from '../settings.ts';

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
