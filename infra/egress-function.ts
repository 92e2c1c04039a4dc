// One Lambda function of Countersign: its bundle, its role, its log group, and the runtime they all share.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Function as LambdaFunction, LoggingFormat, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { variables } from '../core/settings.ts';
import { functionCode } from './function-code.ts';

export interface EgressFunctionProps {
  /** Absolute path of a file of functions/, which exports `handler`. */
  readonly entry: string;
  /** What it does, in the words an operator sees in the console. */
  readonly description: string;
  /** In MB; Lambda gives CPU in proportion: a full one at 1769. */
  readonly memoryMb: number;
  /** Where docs/ is published. */
  readonly docsUrl: string;
  /** Encrypts the logs. */
  readonly key: IKey;
  readonly logRetention: RetentionDays;
  /** Most environments at once; absent: the account's limit. */
  readonly reservedConcurrency: number | undefined;
  /**
   * How long Lambda lets it run; absent: 29 s, because API Gateway gives up after 30 s (AWS: HTTP API quotas), and later than
   * that nobody is there to hear the answer. A function that nobody waits for may take up to 15 minutes.
   */
  readonly timeout?: Duration;
  /** Looks up names that a caller chose. */
  readonly callsCustomers: boolean;
}

/**
 * libuv gives half of its threads to look-ups (four threads by default), and one that hangs holds its thread long after
 * the call has ended: with 64, the 24 that core/destination/lookups.ts allows leave room for those of the SDK.
 */
const threads = { UV_THREADPOOL_SIZE: '64' } as const;

export class EgressFunction extends Construct {
  readonly fn: LambdaFunction;
  /** May write the function's own logs, and what a grant adds. */
  readonly role: Role;

  constructor(scope: Construct, id: string, props: EgressFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      encryptionKey: props.key,
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    // A role of its own instead of the one CDK makes: that one may write to every log group of the account.
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(this.role);
    this.fn = new LambdaFunction(this, 'Function', {
      description: props.description,
      code: functionCode(this, props.entry),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMb,
      timeout: props.timeout ?? Duration.seconds(29),
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.DISABLED,
      environment: { [variables.docsUrl]: props.docsUrl, ...(props.callsCustomers ? threads : {}) },
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
    });
  }
}
