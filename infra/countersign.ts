// The construct: key, identities, functions, API, rotation and monitoring, in one account and region.
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Metric, type MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { EventBus as AwsEventBus, type IEventBus } from 'aws-cdk-lib/aws-events';
import { Grant, type IGrantable, type ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { callerRoutes, identityNamePattern, metricsNamespace } from '../core/settings.ts';
import { Alarms } from './alarms.ts';
import { type EgressApi, integrationTimeoutSeconds } from './api/egress-api.ts';
import { makeApi } from './api/make-api.ts';
import { CallerPolicy } from './caller-policy.ts';
import { Dashboard } from './dashboard.ts';
import { DeadLetters } from './dead-letters.ts';
import { EgressFunction, type EgressFunctionProps } from './egress-function.ts';
import { EncryptionKey } from './encryption-key.ts';
import { EventBus } from './event-bus.ts';
import type { FunctionName } from './function-names.ts';
import { constructIds, IdentityStore } from './identity-store.ts';
import { Inspection } from './inspection.ts';
import { joinNetwork, privateNetwork } from './private-network.ts';
import type { CountersignProps } from './props.ts';
import { Rotation } from './rotation.ts';
import { checkSettings } from './settings.ts';

/** An identity of an installation. */
export interface Identity {
  readonly name: string;
  /** Takes the identity document (docs/identities.md); made by the construct, or found by its name. */
  readonly secret: ISecret;
  readonly secretName: string;
  /** Without the suffix for an identity that the construct did not make. */
  readonly secretArn: string;
}

/**
 * The mutual-TLS egress of a bot platform: an API with IAM authorization, its functions, the secrets of identities and
 * their key, rotations, alarms and a dashboard. See docs/embed.md.
 */
export class Countersign extends Construct {
  /** The API that orchestrators call. */
  readonly api: EgressApi;
  /** Encrypts identities, events and logs; also for the secrets of further identities. */
  readonly key: IKey;
  /** The bus on which rotations are announced. */
  readonly eventBus: IEventBus;
  /** Rotates an identity whose secret the construct did not make. */
  readonly rotationFunction: IFunction;
  /** By the name of their article in docs/runbook.md. */
  readonly alarms: Readonly<Record<string, Alarm>>;
  readonly dashboardName: string;
  /** For each identity of {@link CountersignProps.callers}: attach it to a role that can use the identity. */
  readonly callerPolicies: ReadonlyMap<string, ManagedPolicy>;
  readonly #identities: IdentityStore;

  /** Throws an Error with one sentence that names a wrong property. */
  constructor(scope: Construct, id: string, props: CountersignProps = {}) {
    super(scope, id);
    const settings = checkSettings((key) => plainSettings(props)[key], '');
    const { docsUrl, logRetention } = settings;
    const name = installationName(this, props);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
    this.#refuseCollision(name, settings.secretPrefix);

    const { key } = new EncryptionKey(this, 'Encryption', { name, removalPolicy });
    const identities = new IdentityStore(this, 'Identities', {
      key,
      secretPrefix: settings.secretPrefix,
      identityTtlSeconds: settings.identityTtlSeconds,
      rotated: settings.rotations.map(({ identity }) => identity),
      existing: props.existingSecrets ?? {},
      replicas: props.replicas ?? [],
      removalPolicy,
    });

    // A caller gets the answer of the function before API Gateway gives up.
    const answerTimeout = Duration.seconds(integrationTimeoutSeconds[settings.api] - 1);
    const make = (
      id: string,
      own: Pick<EgressFunctionProps, 'description' | 'memoryMb' | 'callsCustomers'> & Partial<EgressFunctionProps>,
    ) =>
      new EgressFunction(this, id, {
        name: id.toLowerCase() as FunctionName,
        docsUrl,
        key,
        logRetention,
        removalPolicy,
        reservedConcurrency: undefined,
        timeout: answerTimeout,
        ...own,
      });
    const invoke = make('Invoke', {
      description: "Calls a customer's API with the client certificate of an identity",
      memoryMb: settings.memoryMb,
      reservedConcurrency: settings.reservedConcurrency,
      callsCustomers: true,
    });
    const diagnose = make('Diagnose', {
      description: "Reports which step of the handshake with a customer's API fails, and the remedies",
      memoryMb: 512,
      callsCustomers: true,
    });
    const certificate = make('Certificate', {
      description: 'Returns the public certificates that customers must trust',
      memoryMb: 512,
      callsCustomers: false,
    });
    const health = make('Health', {
      description: 'Responds if the API and its functions are available',
      memoryMb: 256,
      callsCustomers: false,
    });
    const rotate = make('Rotate', {
      description: "Runs Secrets Manager's four steps of a rotation",
      // Generating RSA keys takes seconds at a full CPU. Reserved concurrency would reduce that of the calls; Secrets
      // Manager runs one rotation per secret.
      memoryMb: 1769,
      // The maximum of Lambda: an authority can take minutes, and a step that times out starts again.
      timeout: Duration.minutes(15),
      callsCustomers: true,
    });
    const expiry = make('Expiry', {
      description: 'Reads every identity each hour and reports its days to expiry',
      memoryMb: 512,
      timeout: Duration.minutes(5),
      callsCustomers: false,
    });
    // AWSPREVIOUS is for destinations that do not trust AWSCURRENT yet. AWSPENDING is never presented; only its
    // certificates are published.
    identities.grantRead(invoke, ['AWSCURRENT', 'AWSPREVIOUS']);
    identities.grantRead(diagnose, ['AWSCURRENT']);
    identities.grantRead(certificate, ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS']);
    const network = privateNetwork(this, props);
    if (network !== undefined) {
      // All three use the same network, so that a diagnosis and the test of a new certificate take the route of the
      // calls.
      for (const member of [invoke, diagnose, rotate]) joinNetwork(member, network);
    }

    const deadLetters = new DeadLetters(this, 'DeadLetters');
    const events = new EventBus(this, 'Announcements', { name, key, deadLetters });
    events.grantPublish(rotate);
    new Rotation(this, 'Rotation', {
      rotate,
      identities,
      secretPrefix: settings.secretPrefix,
      rotations: settings.rotations,
      privateAuthorities: settings.privateAuthorities,
    });
    new Inspection(this, 'Inspection', { expiry, identities, deadLetters });
    const { alarms } = new Alarms(this, 'Alarms', {
      name,
      docsUrl,
      topic: props.alarmTopic,
      functions: [invoke, diagnose, certificate, health, expiry],
      rotate,
      deadLetters,
    });
    const dashboard = new Dashboard(this, 'Dashboard', { name, alarms });
    this.api = makeApi(this, props, {
      name,
      servedBy: { invocations: invoke, diagnoses: diagnose, certificate, health },
      throttleRate: settings.throttleRate,
      throttleBurst: settings.throttleBurst,
      key,
      logRetention,
      removalPolicy,
    });

    this.callerPolicies = new Map(
      [...constructIds(settings.callers)].map(([identity, id]) => {
        const { policy } = new CallerPolicy(this, `${id}CallerPolicy`, { api: this.api, identity });
        return [identity, policy] as const;
      }),
    );
    this.key = key;
    this.eventBus = AwsEventBus.fromEventBusArn(this, 'EventBus', events.busArn);
    this.rotationFunction = rotate.fn;
    this.alarms = alarms;
    this.dashboardName = dashboard.name;
    this.#identities = identities;
  }

  /** Any identity of the installation, also one that is stored without a deployment. */
  identity(name: string): Identity {
    const secret = this.#identities.secretOf(identityName(name));
    return { name, secret, secretName: this.#identities.nameOf(name), secretArn: this.#identities.arnOf(name) };
  }

  /** Lets the grantee call every route for one identity. */
  grantInvoke(grantee: IGrantable, identity: string): Grant {
    const name = identityName(identity);
    return Grant.addToPrincipal({
      grantee,
      actions: ['execute-api:Invoke'],
      resourceArns: callerRoutes.map((route) => this.api.routeArn(route, name)),
    });
  }

  /** A metric of docs/operate.md. Two installations in one account and region share their metrics. */
  metric(metricName: string, options: MetricOptions = {}): Metric {
    return new Metric({ namespace: metricsNamespace, metricName, statistic: 'Sum', ...options }).attachTo(this);
  }

  /** Failed calls; of one error code of docs/errors.md with `dimensionsMap: { code }`. */
  metricFailures(options: MetricOptions = {}): Metric {
    return this.metric('Failures', options);
  }

  /** Days until the first certificate of all identities expires; a value each hour. */
  metricDaysToExpiry(options: MetricOptions = {}): Metric {
    return this.metric('DaysToExpiry', { statistic: 'Minimum', period: Duration.hours(1), ...options });
  }

  /** CloudFormation would find it during the deployment, or after the names of another installation are taken. */
  #refuseCollision(name: string, secretPrefix: string): void {
    for (const other of Stack.of(this).node.findAll()) {
      if (!(other instanceof Countersign) || other === this) continue;
      const taken = installations.get(other);
      if (taken?.name === name) throw new Error(`name must differ from that of ${other.node.path}.`);
      if (taken?.secretPrefix === secretPrefix)
        throw new Error(`secretPrefix must differ from that of ${other.node.path}.`);
    }
    installations.set(this, { name, secretPrefix });
  }
}

const installations = new WeakMap<Countersign, { readonly name: string; readonly secretPrefix: string }>();

/** The settings of the same name as the context keys of the app; other props are CDK objects. */
function plainSettings(props: CountersignProps): Readonly<Record<string, unknown>> {
  return {
    ...props,
    identityTtlSeconds: props.identityTtl?.toSeconds(),
    logRetentionDays: props.logRetention,
    privateCas: props.privateCas?.map(({ certificateAuthorityArn }) => certificateAuthorityArn),
  };
}

/** Characters that the names of buses, APIs, keys and alarms have in common. */
function installationName(scope: Construct, { name }: CountersignProps): string {
  const { stackName } = Stack.of(scope);
  if (name !== undefined && !/^[A-Za-z][A-Za-z0-9-]{0,127}$/.test(name)) {
    throw new Error('name must be a letter, then letters, digits and hyphens (at most 128).');
  }
  if ((name ?? stackName) === 'default') {
    throw new Error('name must not be default: EventBridge has a bus of that name.');
  }
  return name ?? stackName;
}

function identityName(name: string): string {
  if (!identityNamePattern.test(name)) {
    throw new Error(`${name} must be the name of an identity: lower case letters, digits, hyphens.`);
  }
  return name;
}
