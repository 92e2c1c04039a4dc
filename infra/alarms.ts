// The alarms: metric, threshold, and the runbook article of each.
import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { metricsNamespace } from '../core/settings.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { EgressFunction } from './egress-function.ts';

export interface AlarmsProps {
  /** Start of the names of the alarms. */
  readonly name: string;
  /** Where docs/ is published, with a slash at its end. */
  readonly docsUrl: string;
  /** SNS topic to notify; absent: no notification. */
  readonly topic: ITopic | undefined;
  /** All except the rotation function. */
  readonly functions: readonly EgressFunction[];
  readonly rotate: EgressFunction;
  readonly deadLetters: DeadLetters;
}

interface Watch {
  /** One sentence: what is true when the alarm goes off. */
  readonly says: string;
  readonly metric: IMetric;
  /** Absent: 1. */
  readonly threshold?: number;
  /** Absent: greater than or equal to the threshold. */
  readonly comparison?: ComparisonOperator;
  /** Evaluation periods, and how many of them must breach. Absent: 1 of 1. */
  readonly periods?: readonly [looked: number, over: number];
  /** Absent: missing data does not breach. */
  readonly missing?: TreatMissingData;
}

/**
 * For metrics emitted each hour. One hour can have no data point and the next two, so three hours are evaluated. While
 * data is missing the alarm keeps its state; `inspection-missing` reports that.
 */
const hourly = { periods: [3, 1], missing: TreatMissingData.IGNORE } as const;
/**
 * For failures of customers that are called rarely: with a shorter window, each call would cause a new notification.
 */
const nowAndThen = { periods: [12, 1] } as const;
const atMost = ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD;

export class Alarms extends Construct {
  /** By article name. */
  readonly alarms: Readonly<Record<string, Alarm>>;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { name, docsUrl, topic } = props;
    const made = Object.entries(watches(props)).map(([article, watch]) => {
      const [evaluationPeriods, datapointsToAlarm] = watch.periods ?? [1, 1];
      const alarm = new Alarm(this, article, {
        alarmName: `${name}-${article}`,
        alarmDescription: `${watch.says} ${docsUrl}runbook.md#${article}`,
        metric: watch.metric,
        threshold: watch.threshold ?? 1,
        comparisonOperator: watch.comparison ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluationPeriods,
        datapointsToAlarm,
        treatMissingData: watch.missing ?? TreatMissingData.NOT_BREACHING,
      });
      if (topic) {
        alarm.addAlarmAction(new SnsAction(topic));
        alarm.addOkAction(new SnsAction(topic));
      }
      return [article, alarm] as const;
    });
    this.alarms = Object.fromEntries(made);
  }
}

function watches({ functions, rotate, deadLetters }: AlarmsProps): Readonly<Record<string, Watch>> {
  return {
    'rotation-failed': {
      says: 'A step of a rotation failed; the current certificate stays in use.',
      metric: failedOrCutOff(count('RotationStepFailures'), rotate),
      // Lambda dates a metric by the start of the invocation and emits it at the end (Lambda developer guide, "Viewing
      // metrics"): after a timeout, 15 minutes later.
      periods: [5, 1],
    },
    'rotation-overdue': {
      says: 'An identity should have been rotated and was not.',
      metric: inspected('RotationsOverdue', 'Maximum'),
      ...hourly,
    },
    'certificate-expires-in-30-days': {
      says: 'A certificate of an identity, or of its issuers, has 30 days left or fewer.',
      metric: inspected('DaysToExpiry', 'Minimum'),
      threshold: 30,
      comparison: atMost,
      ...hourly,
    },
    'certificate-expires-in-7-days': {
      says: 'A certificate of an identity, or of its issuers, has 7 days left or fewer.',
      metric: inspected('DaysToExpiry', 'Minimum'),
      threshold: 7,
      comparison: atMost,
      ...hourly,
    },
    'previous-certificate-used': {
      says: 'A customer rejects the current certificate and is served with the previous one.',
      metric: count('PreviousCertificateUsed'),
      ...nowAndThen,
    },
    'certificate-rejected': {
      says: 'A customer rejects the client certificate.',
      metric: count('CertificateRejections'),
      ...nowAndThen,
    },
    'identity-unusable': {
      says: 'Calls fail because the stored identity cannot be used.',
      metric: failures('identity-unusable'),
    },
    'identity-unavailable': {
      says: 'Calls fail because the identity cannot be read.',
      metric: failures('identity-unavailable'),
      periods: [2, 2],
    },
    'identity-refresh-failed': {
      says: 'A new version of an identity cannot be taken up; the one in use stays until it expires.',
      metric: count('IdentityRefreshFailures'),
      periods: [2, 2],
    },
    'identity-broken': {
      says: 'The current version of an identity cannot be used.',
      metric: inspected('BrokenIdentities', 'Maximum'),
      ...hourly,
    },
    'identity-unread': {
      says: 'The hourly inspection cannot read an identity, and does not see it expire.',
      metric: inspected('UnreadIdentities', 'Maximum'),
      periods: [3, 2],
      missing: TreatMissingData.IGNORE,
    },
    'inspection-missing': {
      says: 'No inspection of the identities has ended for three hours: expiring certificates are not noticed.',
      metric: inspected('IdentitiesInspected', 'SampleCount'),
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
      periods: [3, 3],
      missing: TreatMissingData.BREACHING,
    },
    'internal-error': { says: 'A call ended in a defect of Countersign.', metric: failures('internal-error') },
    'function-failed': {
      says: 'A function other than that of rotations ended with an error, or ran out of time or memory.',
      metric: sumOf(functions.map(({ fn }) => fn.metricErrors())),
    },
    'function-throttled': {
      says: 'Lambda refused to run a function: its concurrency is used up.',
      metric: sumOf([...functions, rotate].map(({ fn }) => fn.metricThrottles())),
    },
    'dead-letters': {
      says: 'An event of the bus or an hourly inspection could not be delivered.',
      metric: deadLetters.queue.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
    },
  };
}

function count(metricName: string): Metric {
  return new Metric({ namespace: metricsNamespace, metricName, statistic: 'Sum', period: Duration.minutes(5) });
}

function failures(code: string): Metric {
  return count('Failures').with({ dimensionsMap: { code } });
}

function inspected(metricName: string, statistic: string): Metric {
  return new Metric({ namespace: metricsNamespace, metricName, statistic, period: Duration.hours(1) });
}

/**
 * Not based on the function's `Errors`: a step that waits for a signature also throws, for days, and is not a failure.
 * A step that times out writes no line; its duration shows it, because every other step ends seconds before the
 * timeout. Other crashes are found by `rotation-overdue`, because the version stays pending.
 */
function failedOrCutOff(failures: Metric, { fn }: EgressFunction): MathExpression {
  const timeoutMs = fn.timeout?.toMilliseconds() ?? 0;
  return new MathExpression({
    expression: `FILL(failures, 0) + IF(FILL(longest, 0) >= ${timeoutMs - 1_000}, 1, 0)`,
    label: 'failed or cut off',
    usingMetrics: { failures, longest: fn.metricDuration({ statistic: 'Maximum' }) },
    period: Duration.minutes(5),
  });
}

/**
 * An alarm can use at most ten metrics (CloudWatch user guide, "Create a CloudWatch alarm based on a metric math
 * expression").
 */
function sumOf(metrics: readonly Metric[]): MathExpression {
  const named = metrics.map((metric, index) => [`m${index}`, metric.with({ statistic: 'Sum' })] as const);
  return new MathExpression({
    expression: 'SUM(METRICS())',
    label: 'all of them',
    usingMetrics: Object.fromEntries(named),
    period: Duration.minutes(5),
  });
}
