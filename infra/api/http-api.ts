// The HTTP API: routes under IAM authorization, limits and the access log.
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, type HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import type { EgressFunction } from '../egress-function.ts';
import { accessLog, accessLogStart, EgressApi, type EgressApiProps, routeNames, routeParts } from './egress-api.ts';

const accessLogLine = {
  ...accessLogStart,
  route: '$context.routeKey',
  path: '$context.path',
  status: '$context.status',
  responseBytes: '$context.responseLength',
  responseMs: '$context.responseLatency',
  functionMs: '$context.integrationLatency',
  functionError: '$context.integrationErrorMessage',
  error: '$context.error.message',
} as const;

export class HttpEgressApi extends EgressApi {
  readonly url: string;
  readonly apiId: string;
  readonly stageName: string;
  protected readonly dimensions: Record<string, string>;

  constructor(scope: Construct, id: string, props: EgressApiProps) {
    super(scope, id);
    const api = new HttpApi(this, 'HttpApi', {
      apiName: props.name,
      description: 'The mutual-TLS egress of a conversational-bot platform',
      createDefaultStage: false,
      // As the default, so that a new route is closed unless it says otherwise.
      defaultAuthorizer: new HttpIamAuthorizer(),
    });
    const integrations = new Map<EgressFunction, HttpLambdaIntegration>();
    for (const name of routeNames()) {
      const served = props.servedBy[name];
      const integration =
        integrations.get(served) ?? new HttpLambdaIntegration(`${served.node.id}Integration`, served.fn);
      integrations.set(served, integration);
      const { method, path } = routeParts(name);
      api.addRoutes({ methods: [method as HttpMethod], path, integration });
    }
    const group = accessLog(this, props);
    const stage = new HttpStage(this, 'Stage', {
      httpApi: api,
      stageName: '$default',
      autoDeploy: true,
      detailedMetricsEnabled: true,
      throttle: { rateLimit: props.throttleRate, burstLimit: props.throttleBurst },
      accessLogSettings: {
        destination: new LogGroupLogDestination(group),
        format: AccessLogFormat.custom(JSON.stringify(accessLogLine)),
      },
    });
    this.url = api.apiEndpoint;
    this.apiId = api.apiId;
    this.stageName = stage.stageName;
    this.dimensions = { ApiId: api.apiId, Stage: stage.stageName };
  }

  override metricClientError(options?: MetricOptions): Metric {
    return this.metric('4xx', { statistic: 'Sum', ...options });
  }

  override metricServerError(options?: MetricOptions): Metric {
    return this.metric('5xx', { statistic: 'Sum', ...options });
  }
}
