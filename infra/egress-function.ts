// One Lambda function of Countersign: its bundle, role, log group, network, and the runtime that all functions share.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Duration, RemovalPolicy, Stage, Validations } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  Architecture,
  AssetCode,
  type CfnFunction,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct, type IConstruct } from 'constructs';
import { buildSync } from 'esbuild';
import { variables } from '../core/settings.ts';
import { esbuildOptions } from './bundling.ts';

export interface EgressFunctionProps {
  /** Absolute path of a file of functions/, which exports `handler`. */
  readonly entry: string;
  /** Shown in the AWS console. */
  readonly description: string;
  /** In MB; Lambda gives CPU in proportion: a full one at 1769. */
  readonly memoryMb: number;
  /** Where docs/ is published. */
  readonly docsUrl: string;
  /** Encrypts the logs. */
  readonly key: IKey;
  readonly logRetention: RetentionDays;
  /** Reserved concurrency; absent: the account's limit. */
  readonly reservedConcurrency: number | undefined;
  /**
   * The function's timeout; absent: 29 s, because API Gateway gives up after 30 s (AWS: HTTP API quotas): no caller
   * receives a later answer. A function without a waiting caller can take up to 15 minutes.
   */
  readonly timeout?: Duration;
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
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    // CDK's default role can write to every log group of the account; this role cannot.
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

/** Beside the assets in the cloud assembly; `cdk deploy` does not upload it. */
const sourceMapFolder = 'source-maps';

/**
 * Bundles `functions/<name>.ts`. The asset holds `index.mjs` and the chunks it imports; their source
 * maps go to `<assembly>/source-maps/<name>/`. Throws esbuild's error, which names file and line.
 */
function functionCode(scope: IConstruct, entry: string): Code {
  const assembly = Stage.of(scope)?.outdir;
  if (assembly === undefined) throw new Error(`${entry} can only be bundled for a construct inside an App.`);
  const name = basename(entry, '.ts');
  const code = join(assembly, 'bundles', name);
  const maps = join(assembly, sourceMapFolder, name);
  const { outputFiles } = buildSync({ ...esbuildOptions, entryPoints: { index: entry }, outdir: maps, write: false });
  for (const folder of [code, maps]) {
    // Chunk names are hashes of their content: without this, chunks of an earlier synth would be uploaded too.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  for (const file of outputFiles) {
    const folder = file.path.endsWith('.map') ? maps : code;
    writeFileSync(join(folder, basename(file.path)), file.contents);
  }
  return new AssetCode(code);
}

export interface PrivateNetwork {
  /** Private subnets, in as many zones as the calls are to survive; their routes decide what can be reached. */
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
}

/** The managed policy AWSLambdaVPCAccessExecutionRole without its logs. */
const interfaceActions = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

/** Places the function there, and gives Lambda, not the function's code, what it takes to do so. */
export function joinNetwork(member: EgressFunction, network: PrivateNetwork): void {
  const resource = member.fn.node.defaultChild as CfnFunction;
  resource.vpcConfig = { subnetIds: [...network.subnetIds], securityGroupIds: [...network.securityGroupIds] };
  member.role.addToPolicy(
    new PolicyStatement({ sid: 'NetworkInterfaces', actions: interfaceActions, resources: ['*'] }),
  );
  // Lambda makes the interfaces with the function's own role. Only calls from inside an execution environment carry
  // lambda:SourceFunctionArn (Lambda developer guide, "Working with execution environment credentials").
  member.role.addToPolicy(
    new PolicyStatement({
      sid: 'NotByTheCode',
      effect: Effect.DENY,
      actions: interfaceActions,
      resources: ['*'],
      conditions: { Null: { 'lambda:SourceFunctionArn': 'false' } },
    }),
  );
  Validations.of(member.role).acknowledge({
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason: 'EC2 takes no narrower resource for describing interfaces, and those to come have no name yet.',
  });
}
