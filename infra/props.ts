// The props of the construct `Countersign`.
import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { ICertificateAuthority } from 'aws-cdk-lib/aws-acmpca';
import type { ISecurityGroup, IVpc, IVpcEndpoint, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { ApiKind } from './api/egress-api.ts';

/** Every property has a default: `new Countersign(this, 'Egress')` is a complete installation. */
export interface CountersignProps {
  /**
   * Name of the API, of the event bus and of the dashboard, and start of the names of alarms. Two installations in one
   * account and region need different names and different prefixes.
   * @default the name of the stack
   */
  readonly name?: string;
  /**
   * Secret name = prefix + identity name. The functions can read every secret under it: keep nothing else there.
   * @default 'countersign/identities/'
   */
  readonly secretPrefix?: string;
  /**
   * How long a function uses an identity before it reads it again, in whole seconds.
   * @default 60 seconds
   */
  readonly identityTtl?: Duration;
  /**
   * Where docs/ is published, an http or https URL. The `type` of every problem document and each alarm link there.
   * @default 'https://countersign.example/docs/'
   */
  readonly docsUrl?: string;
  /**
   * Identities that get a managed policy for callers, see {@link Countersign.callerPolicies}.
   * @default ['platform']
   */
  readonly callers?: readonly string[];
  /**
   * `http`: an HTTP API. `rest`: a regional REST API. `private`: a REST API that is reached only through VPC endpoints,
   * for orchestrators in a VPC without internet; it needs {@link privateAccess}. A change replaces the API and its URL.
   * @default 'http'
   */
  readonly api?: ApiKind;
  /** How callers reach a private API; only for `api: 'private'`. */
  readonly privateAccess?: PrivateAccess;
  /**
   * Whether to set the role with which API Gateway writes the logs of REST APIs. It belongs to the account and region:
   * false if another stack sets it. HTTP APIs need none.
   * @default true for `rest` and `private`
   */
  readonly apiLogsRole?: boolean;
  /**
   * Memory of the invocation function in MB, 128 to 10240; CPU is proportional, one full CPU at 1769.
   * @default 1024
   */
  readonly memoryMb?: number;
  /**
   * Concurrency reserved for the invocation function, taken from the account's pool.
   * @default the account's limit
   */
  readonly reservedConcurrency?: number;
  /**
   * Requests per second over all callers; API Gateway answers 429 beyond that.
   * @default 100
   */
  readonly throttleRate?: number;
  /**
   * Concurrent requests over all callers.
   * @default 200
   */
  readonly throttleBurst?: number;
  /**
   * Of the logs of the functions and of the access log; not infinite.
   * @default RetentionDays.THREE_MONTHS
   */
  readonly logRetention?: RetentionDays;
  /**
   * Network of the functions that connect to customers' hosts. Their subnets need a resolver, and a route to Secrets
   * Manager and to the hosts.
   * @default no VPC
   */
  readonly vpc?: IVpc;
  /**
   * Subnets of {@link vpc}. Subnets by their ids need no `vpc` if there are {@link securityGroups}.
   * @default the private subnets of `vpc`
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * @default a new group of `vpc` that allows all outbound and no inbound connections
   */
  readonly securityGroups?: readonly ISecurityGroup[];
  /** Secrets of identities that exist already, by identity: a replica, or a secret of an earlier stack. */
  readonly existingSecrets?: Readonly<Record<string, ISecret>>;
  /**
   * Regions to which the secrets that the construct makes are replicated, each with the key of the installation there.
   * An installation in such a region names the secrets in its {@link existingSecrets}.
   * @default none
   */
  readonly replicas?: readonly Replica[];
  /**
   * Identities that are rotated on a schedule. The construct makes their secrets, except {@link existingSecrets}.
   * @default none
   */
  readonly rotations?: readonly IdentityRotation[];
  /**
   * Authorities of AWS Private CA that the rotation function can use.
   * @default none
   */
  readonly privateCas?: readonly Pick<ICertificateAuthority, 'certificateAuthorityArn'>[];
  /**
   * SNS topic for the alarms, not FIFO.
   * @default no notification
   */
  readonly alarmTopic?: ITopic;
  /**
   * Of the key, the secrets and the logs. With `DESTROY` a removal of the stack ends the identities: for trials only.
   * @default RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** Give either the endpoints or the VPC. */
export interface PrivateAccess {
  /** Existing interface endpoints for `execute-api`. */
  readonly vpcEndpoints?: readonly IVpcEndpoint[];
  /** VPC of the orchestrators. An endpoint is made in it, without private DNS, that takes calls from its addresses. */
  readonly vpc?: IVpc;
  /**
   * Subnets of the new endpoint.
   * @default the private subnets of `vpc`
   */
  readonly vpcSubnets?: SubnetSelection;
}

/** See docs/embed.md, "Two regions". */
export interface Replica {
  readonly region: string;
  /** ARN of the key of the installation in that region: its functions can use no other key. */
  readonly keyArn: string;
}

/** A rotation on a schedule. See docs/rotation.md. */
export interface IdentityRotation {
  readonly identity: string;
  /** `rate(30 days)` or `cron(0 3 1 * ? *)`, in UTC (Secrets Manager user guide, "Schedule expressions"). */
  readonly schedule: string;
  /**
   * How long after the schedule's time the rotation may begin: `1h` to `24h`.
   * @default the day (UTC), or for hours the hour
   */
  readonly window?: string;
  /**
   * The `renewal` of docs/identities.md, until the identity document has one of its own. No passwords or keys: the
   * template shows them.
   */
  readonly renewal?: Readonly<Record<string, unknown>>;
}
