// The dashboard: alarms first, then the calls, the certificates, the rotations and the diagnoses.
import { Duration } from 'aws-cdk-lib';
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  MathExpression,
  Metric,
  PeriodOverride,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { metricsNamespace } from '../core/settings.ts';

export interface DashboardProps {
  readonly name: string;
  readonly alarms: Readonly<Record<string, Alarm>>;
}

export class Dashboard extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, { name, alarms }: DashboardProps) {
    super(scope, id);
    const { dashboardName } = new CloudWatchDashboard(this, 'Dashboard', {
      dashboardName: name,
      // Hourly metrics keep their period even if the dashboard shows a short time.
      periodOverride: PeriodOverride.INHERIT,
      defaultInterval: Duration.days(1),
      widgets: [
        [new AlarmStatusWidget({ title: 'Alarms', alarms: Object.values(alarms), width: 24, height: 5 })],
        [
          graph('Handshakes by kind', ['FullHandshakes', 'ResumedHandshakes', 'ReusedConnections'].map(each)),
          graph('Failures by step', ['1', '2', '3', '4', '5'].map(failuresAt)),
        ],
        [
          graph('Failures by code', [found('code', 'Failures')]),
          graph(
            'Calls that AWSPREVIOUS served, and rejections',
            ['PreviousCertificateUsed', 'CertificateRejections'].map(each),
          ),
        ],
        [
          graph('Days to expiry', [
            hourly('DaysToExpiry', 'Minimum', 'the first of all'),
            found('identity,certificate', 'DaysToExpiry', 'Minimum', Duration.hours(1)),
          ]),
          graph('Stages in use', [
            hourly('IdentitiesInspected', 'Maximum', 'identities'),
            hourly('PendingVersions', 'Maximum', 'with AWSPENDING'),
            hourly('PreviousVersions', 'Maximum', 'with AWSPREVIOUS'),
          ]),
        ],
        [
          graph('Rotations', [
            ...['RotationSteps', 'RotationStepFailures', 'SignaturesAwaited', 'RotationsFinished'].map(each),
            hourly('RotationsOverdue', 'Maximum', 'overdue'),
          ]),
          graph('Identities that want something', [
            hourly('BrokenIdentities', 'Maximum', 'broken'),
            hourly('UnreadIdentities', 'Maximum', 'unread'),
            hourly('EmptyIdentities', 'Maximum', 'empty'),
            hourly('ClientAuthenticationEnding', 'Maximum', 'of a public authority, which ends client authentication'),
          ]),
        ],
        [graph('Verdicts of diagnoses', [found('verdict', 'DiagnosisVerdicts')])],
      ],
    });
    this.name = dashboardName;
  }
}

function graph(title: string, left: readonly IMetric[]): IWidget {
  return new GraphWidget({ title, left: [...left], width: 12, height: 6, leftYAxis: { showUnits: false } });
}

function each(metricName: string): Metric {
  return new Metric({ namespace: metricsNamespace, metricName, statistic: 'Sum', period: Duration.minutes(5) });
}

function failuresAt(failedStep: string): Metric {
  return each('Failures').with({ dimensionsMap: { failedStep }, label: `step ${failedStep}` });
}

function hourly(metricName: string, statistic: string, label: string): Metric {
  return new Metric({ namespace: metricsNamespace, metricName, statistic, label, period: Duration.hours(1) });
}

/**
 * One line for each value of the dimensions, including future values (CloudWatch user guide, "Search expression
 * syntax").
 */
function found(
  dimensions: string,
  metricName: string,
  statistic = 'Sum',
  period = Duration.minutes(5),
): MathExpression {
  const searched = `{${metricsNamespace},${dimensions}} MetricName="${metricName}"`;
  return new MathExpression({
    expression: `SEARCH('${searched}', '${statistic}', ${period.toSeconds()})`,
    label: '',
    usingMetrics: {},
    period,
  });
}
