// The API for orchestrators: the members that the three kinds have in common.
import { Aws, Fn, type RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Metric, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { routes } from '../../core/settings.ts';
import type { EgressFunction } from '../egress-function.ts';

/**
 * `http`: an HTTP API, the cheapest. `rest`: a regional REST API. `private`: a REST API that is reached only through
 * VPC endpoints.
 */
export const apiKinds = ['http', 'rest', 'private'] as const;
export type ApiKind = (typeof apiKinds)[number];

/**
 * Seconds after which API Gateway gives up (Amazon API Gateway endpoints and quotas: "Maximum integration timeout" of
 * HTTP APIs, "Integration timeout" of REST APIs).
 */
export const integrationTimeoutSeconds: Readonly<Record<ApiKind, number>> = { http: 30, rest: 29, private: 29 };

export type RouteName = keyof typeof routes;

export interface EgressApiProps {
  /** Shown in the console. */
  readonly name: string;
  /** Which function serves each route. */
  readonly servedBy: Readonly<Record<RouteName, EgressFunction>>;
  /** Requests a second, over all callers; more get 429. */
  readonly throttleRate: number;
  /** Requests at the same moment, over all callers. */
  readonly throttleBurst: number;
  /** Encrypts the access log. */
  readonly key: IKey;
  readonly logRetention: RetentionDays;
  /** Of the access log. */
  readonly removalPolicy: RemovalPolicy;
}

/** Every route requires a signature of AWS Signature Version 4. */
export abstract class EgressApi extends Construct {
  /** Base URL for callers, without a trailing slash: the routes begin with one. */
  abstract readonly url: string;
  abstract readonly apiId: string;
  abstract readonly stageName: string;

  /**
   * The resource of a policy that lets a caller use a route for an identity:
   * `arn:…:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`.
   */
  routeArn(route: RouteName, identity: string): string {
    const { method, path } = routeParts(route);
    return Stack.of(this).formatArn({
      service: 'execute-api',
      resource: this.apiId,
      resourceName: `${this.stageName}/${method}${path.replace('{identity}', identity)}`,
    });
  }

  /** Requests. */
  metricCount(options?: MetricOptions): Metric {
    return this.metric('Count', { statistic: 'SampleCount', ...options });
  }

  /** Milliseconds from the request to the end of the response. */
  metricLatency(options?: MetricOptions): Metric {
    return this.metric('Latency', options);
  }

  /** Responses with a status of 400 to 499, 429 and those for wrong signatures among them. */
  abstract metricClientError(options?: MetricOptions): Metric;

  /** Responses with a status of 500 to 599. */
  abstract metricServerError(options?: MetricOptions): Metric;

  /** A metric of the stage in the namespace AWS/ApiGateway. */
  protected metric(metricName: string, options?: MetricOptions): Metric {
    return new Metric({
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: this.dimensions,
      ...options,
    }).attachTo(this);
  }

  protected abstract readonly dimensions: Record<string, string>;
}

export function routeNames(): readonly RouteName[] {
  return Object.keys(routes) as RouteName[];
}

export function routeParts(name: RouteName): { readonly method: string; readonly path: string } {
  const [method = '', path = ''] = routes[name].split(' ');
  return { method, path };
}

/**
 * Of the access log. API Gateway adds each log group that it writes to into a resource policy of the account with at
 * most 5,120 characters, unless the name begins like this (CloudWatch Logs user guide, "Log group resource policy size
 * limit considerations"). In an account with many APIs the deployment would fail.
 */
export const accessLogPrefix = '/aws/vendedlogs/';

export function accessLog(api: EgressApi, { name, key, logRetention, removalPolicy }: EgressApiProps): LogGroup {
  return new LogGroup(api, 'AccessLog', {
    logGroupName: `${accessLogPrefix}${name}-access-${stackInstance()}`,
    encryptionKey: key,
    retention: logRetention,
    removalPolicy,
  });
}

/**
 * The first part of the UUID in the ARN of the stack. The log group outlives its stack: without it a new deployment
 * could not create its own.
 */
function stackInstance(): string {
  return Fn.select(0, Fn.split('-', Fn.select(2, Fn.split('/', Aws.STACK_ID))));
}

/** Caller and outcome, for both kinds of API. `$context.path` has no query. Do not add headers. */
export const accessLogStart = {
  requestId: '$context.requestId',
  time: '$context.requestTimeEpoch',
  caller: '$context.identity.userArn',
  sourceIp: '$context.identity.sourceIp',
} as const;
