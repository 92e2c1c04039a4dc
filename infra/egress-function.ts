// One Lambda function of Countersign: its bundle, role, log group, and the runtime that all functions share.
import { type Duration, type RemovalPolicy, Stage } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  Architecture,
  AssetCode,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct, type IConstruct } from 'constructs';
import { variables } from '../core/settings.ts';
import { functionFolder } from './bundling.ts';
import type { FunctionName } from './function-names.ts';

export interface EgressFunctionProps {
  /** A file of functions/. */
  readonly name: FunctionName;
  /** Shown in the AWS console. */
  readonly description: string;
  /** In MB; Lambda gives CPU in proportion: a full one at 1769. */
  readonly memoryMb: number;
  /** Where docs/ is published. */
  readonly docsUrl: string;
  /** Encrypts the logs. */
  readonly key: IKey;
  readonly logRetention: RetentionDays;
  /** Of the log group. */
  readonly removalPolicy: RemovalPolicy;
  /** Reserved concurrency; absent: the account's limit. */
  readonly reservedConcurrency: number | undefined;
  /** Up to 15 minutes for a function without a waiting caller. */
  readonly timeout: Duration;
  /** Whether it connects to customers' hosts. */
  readonly callsCustomers: boolean;
}

/**
 * libuv gives half of its threads (four by default) to name lookups, and a lookup that hangs keeps its thread after the
 * call has ended. With 64 threads, the 24 lookups that core/destination/resolve.ts allows leave threads for the SDK.
 */
const threads = { UV_THREADPOOL_SIZE: '64' } as const;

export class EgressFunction extends Construct {
  readonly fn: LambdaFunction;
  /** Can write the function's logs, plus what grants add. */
  readonly role: Role;

  constructor(scope: Construct, id: string, props: EgressFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      encryptionKey: props.key,
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
    });
    // CDK's default role can write to every log group of the account; this role cannot.
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(this.role);
    this.fn = new LambdaFunction(this, 'Function', {
      description: props.description,
      code: functionCode(this, props.name),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memoryMb,
      timeout: props.timeout,
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.DISABLED,
      environment: { [variables.docsUrl]: props.docsUrl, ...(props.callsCustomers ? threads : {}) },
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
    });
  }
}

function functionCode(scope: IConstruct, name: FunctionName): Code {
  const assembly = Stage.of(scope)?.outdir;
  if (assembly === undefined) throw new Error('Countersign can only be made inside an App.');
  return new AssetCode(functionFolder(name, assembly));
}
