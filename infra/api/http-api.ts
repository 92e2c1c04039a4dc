// The HTTP API for orchestrators: routes under IAM authorization, limits, the access log, and the policy of a caller.
import { Aws, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, type HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { callerRoutes, routes } from '../core/settings.ts';
import type { EgressFunction } from './egress-function.ts';

export type RouteName = keyof typeof routes;

export interface EgressApiProps {
  /** Which function serves each route. */
  readonly servedBy: Readonly<Record<RouteName, EgressFunction>>;
  /** Requests a second, over all callers; more get 429. */
  readonly throttleRate: number;
  /** Requests at the same moment, over all callers. */
  readonly throttleBurst: number;
  /** Encrypts the access log. */
  readonly key: IKey;
  readonly logRetention: RetentionDays;
}

/**
 * Of the access log. API Gateway adds each log group that it writes to into a resource policy of the account with at
 * most 5,120 characters, unless the name begins like this (CloudWatch Logs user guide, "Log group resource policy size
 * limit considerations"). In an account with many APIs the deployment would fail.
 */
export const accessLogPrefix = '/aws/vendedlogs/';

/** Caller, route and outcome. `$context.path` has no query. Do not add headers. */
const accessLogLine = {
  requestId: '$context.requestId',
  time: '$context.requestTimeEpoch',
  caller: '$context.identity.userArn',
  sourceIp: '$context.identity.sourceIp',
  route: '$context.routeKey',
  path: '$context.path',
  status: '$context.status',
  responseBytes: '$context.responseLength',
  responseMs: '$context.responseLatency',
  functionMs: '$context.integrationLatency',
  functionError: '$context.integrationErrorMessage',
  error: '$context.error.message',
} as const;

export class EgressApi extends Construct {
  readonly api: HttpApi;
  readonly #stage: HttpStage;

  constructor(scope: Construct, id: string, props: EgressApiProps) {
    super(scope, id);
    this.api = new HttpApi(this, 'HttpApi', {
      apiName: Stack.of(this).stackName,
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
      this.api.addRoutes({ methods: [method], path, integration });
    }
    const accessLog = new LogGroup(this, 'AccessLog', {
      logGroupName: `${accessLogPrefix}${Stack.of(this).stackName}-access-${stackInstance()}`,
      encryptionKey: props.key,
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    this.#stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      detailedMetricsEnabled: true,
      throttle: { rateLimit: props.throttleRate, burstLimit: props.throttleBurst },
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLog),
        format: AccessLogFormat.custom(JSON.stringify(accessLogLine)),
      },
    });
  }

  /** Without a trailing slash: the routes begin with one. */
  get url(): string {
    return this.api.apiEndpoint;
  }

  /** The resource of a policy that lets a caller use this route for this identity. */
  routeArn(name: RouteName, identity: string): string {
    const { method, path } = routeParts(name);
    return this.api.arnForExecuteApi(method, path.replace('{identity}', identity), this.#stage.stageName);
  }
}

/**
 * The first part of the UUID in the ARN of the stack. The log group outlives its stack: without it a new deployment
 * could not create its own.
 */
function stackInstance(): string {
  return Fn.select(0, Fn.split('-', Fn.select(2, Fn.split('/', Aws.STACK_ID))));
}

function routeNames(): readonly RouteName[] {
  return Object.keys(routes) as RouteName[];
}

function routeParts(name: RouteName): { readonly method: HttpMethod; readonly path: string } {
  const [method = '', path = ''] = routes[name].split(' ');
  return { method: method as HttpMethod, path };
}

export interface CallerPolicyProps {
  readonly api: EgressApi;
  /** The identity that the caller can use. */
  readonly identity: string;
}

export class CallerPolicy extends Construct {
  readonly policy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: CallerPolicyProps) {
    super(scope, id);
    // Each path is written out: a wildcard instead of the identity would match all identities.
    this.policy = new ManagedPolicy(this, 'Policy', {
      description: `Lets a caller use the identity ${props.identity} of Countersign`,
      statements: [
        new PolicyStatement({
          sid: 'UseOneIdentity',
          actions: ['execute-api:Invoke'],
          resources: callerRoutes.map((name) => props.api.routeArn(name, props.identity)),
        }),
      ],
    });
  }
}
