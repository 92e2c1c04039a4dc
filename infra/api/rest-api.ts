// The REST API, regional or private: the same paths under IAM authorization, limits and the access log.
import { Aws, Duration, Validations } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  AuthorizationType,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { IVpcEndpoint } from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import {
  accessLog,
  accessLogStart,
  EgressApi,
  type EgressApiProps,
  integrationTimeoutSeconds,
  routeNames,
  routeParts,
} from './egress-api.ts';

export interface RestEgressApiProps extends EgressApiProps {
  /** A private API is reached through these; absent: a regional API. */
  readonly vpcEndpoints: readonly IVpcEndpoint[] | undefined;
  /** Whether to set the role with which API Gateway writes logs, for all REST APIs of the account in this region. */
  readonly logsRole: boolean;
}

/** The same members as for an HTTP API; `route` is composed, and `path` begins with the stage. */
const accessLogLine = {
  ...accessLogStart,
  route: '$context.httpMethod $context.resourcePath',
  path: '$context.path',
  status: '$context.status',
  responseBytes: '$context.responseLength',
  responseMs: '$context.responseLatency',
  functionMs: '$context.integrationLatency',
  functionError: '$context.integrationErrorMessage',
  error: '$context.error.message',
} as const;

export class RestEgressApi extends EgressApi {
  readonly url: string;
  readonly apiId: string;
  /** REST APIs have no `$default`: the stage is a part of the URL. */
  readonly stageName = 'live';
  protected readonly dimensions: Record<string, string>;

  constructor(scope: Construct, id: string, props: RestEgressApiProps) {
    super(scope, id);
    const { vpcEndpoints } = props;
    const api = new RestApi(this, 'RestApi', {
      restApiName: props.name,
      description: 'The mutual-TLS egress of a conversational-bot platform',
      endpointConfiguration: vpcEndpoints
        ? { types: [EndpointType.PRIVATE], vpcEndpoints: [...vpcEndpoints] }
        : { types: [EndpointType.REGIONAL] },
      ...(vpcEndpoints ? { policy: onlyThrough(vpcEndpoints) } : {}),
      // As the default, so that a new method is closed unless it says otherwise.
      defaultMethodOptions: { authorizationType: AuthorizationType.IAM },
      cloudWatchRole: props.logsRole,
      // No binaryMediaTypes: requests and responses are text, and base64 would take a third of the 6 MB of Lambda.
      deployOptions: {
        stageName: this.stageName,
        metricsEnabled: true,
        throttlingRateLimit: props.throttleRate,
        throttlingBurstLimit: props.throttleBurst,
        loggingLevel: MethodLoggingLevel.OFF,
        accessLogDestination: new LogGroupLogDestination(accessLog(this, props)),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(accessLogLine)),
      },
    });
    // The URL of a private API without its endpoint leads nowhere; the stack has outputs of its own.
    api.node.tryRemoveChild('Endpoint');
    for (const name of routeNames()) {
      const { method, path } = routeParts(name);
      const integration = new LambdaIntegration(props.servedBy[name].fn, {
        allowTestInvoke: false,
        timeout: Duration.seconds(integrationTimeoutSeconds.rest),
      });
      api.root.resourceForPath(path).addMethod(method, integration);
    }
    acknowledgeFindings(api);
    this.apiId = api.restApiId;
    // The name with an endpoint resolves in every VPC, with and without private DNS (API Gateway developer guide,
    // "Invoke a private API using a Route53 alias").
    const host = [api.restApiId, ...(vpcEndpoints ?? []).slice(0, 1).map((one) => one.vpcEndpointId)].join('-');
    this.url = `https://${host}.execute-api.${Aws.REGION}.${Aws.URL_SUFFIX}/${this.stageName}`;
    this.dimensions = { ApiName: props.name, Stage: this.stageName };
  }

  override metricClientError(options?: MetricOptions): Metric {
    return this.metric('4XXError', { statistic: 'Sum', ...options });
  }

  override metricServerError(options?: MetricOptions): Metric {
    return this.metric('5XXError', { statistic: 'Sum', ...options });
  }
}

/**
 * Denies, and allows nothing: within an account an Allow of the resource policy is enough without one of IAM (API
 * Gateway developer guide, "How API Gateway resource policies affect authorization workflow", table A), so that every
 * role of the account could use every identity.
 */
function onlyThrough(vpcEndpoints: readonly IVpcEndpoint[]): PolicyDocument {
  return new PolicyDocument({
    statements: [
      new PolicyStatement({
        sid: 'OnlyThroughTheEndpoints',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['execute-api:Invoke'],
        resources: ['execute-api:/*'],
        conditions: { StringNotEquals: { 'aws:SourceVpce': vpcEndpoints.map((one) => one.vpcEndpointId) } },
      }),
    ],
  });
}

function acknowledgeFindings(api: RestApi): void {
  Validations.of(api).acknowledge(
    {
      id: 'AwsSolutions::AwsSolutions-APIG2',
      reason: 'The function validates each request and answers with a problem document that names the field.',
    },
    {
      id: 'AwsSolutions::AwsSolutions-APIG3',
      reason: 'Every route requires a signature of IAM and the stage is throttled; a web ACL is for public sites.',
    },
    {
      id: 'AwsSolutions::AwsSolutions-APIG6',
      reason: 'Execution logs are not encrypted with the key and never expire; the access log has the outcome.',
    },
    {
      id: 'AwsSolutions::AwsSolutions-COG4',
      reason: 'Callers are roles of AWS: IAM authorizes each route and identity.',
    },
    {
      id: 'AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason:
        'The role serves all REST APIs of the account in this region, so it has the policy that AWS names for it.',
    },
  );
}
