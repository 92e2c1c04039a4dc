// The stack: key, identities, functions, API, rotation, and monitoring, in one account and region.
import { fileURLToPath } from 'node:url';
import { Aws, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { Alarms } from './alarms.ts';
import { Dashboard } from './dashboard.ts';
import { DeadLetters } from './dead-letters.ts';
import { accessLogPrefix, CallerPolicy, EgressApi } from './egress-api.ts';
import { EgressFunction, joinNetwork } from './egress-function.ts';
import { EventBus } from './event-bus.ts';
import { constructIds, IdentityStore } from './identity-store.ts';
import { Inspection } from './inspection.ts';
import { Rotation } from './rotation.ts';
import type { StackSettings } from './settings.ts';

export class CountersignStack extends Stack {
  constructor(scope: Construct, id: string, settings: StackSettings) {
    super(scope, id, {
      stackName: settings.stackName,
      description: 'Countersign: the mutual-TLS egress of a conversational-bot platform',
    });
    const { key } = new EncryptionKey(this, 'Encryption');
    const identities = new IdentityStore(this, 'Identities', {
      key,
      secretPrefix: settings.secretPrefix,
      identityTtlSeconds: settings.identityTtlSeconds,
      rotated: settings.rotations.map(({ identity }) => identity),
    });

    const shared = { docsUrl: settings.docsUrl, key, logRetention: settings.logRetention };
    const invoke = new EgressFunction(this, 'Invoke', {
      ...shared,
      entry: handler('invoke'),
      description: "Calls a customer's API with the client certificate of an identity",
      memoryMb: settings.memoryMb,
      reservedConcurrency: settings.reservedConcurrency,
      callsCustomers: true,
    });
    const diagnose = new EgressFunction(this, 'Diagnose', {
      ...shared,
      entry: handler('diagnose'),
      description: "Reports which step of the handshake with a customer's API fails, and the remedies",
      memoryMb: 512,
      reservedConcurrency: undefined,
      callsCustomers: true,
    });
    const certificate = new EgressFunction(this, 'Certificate', {
      ...shared,
      entry: handler('certificate'),
      description: 'Returns the public certificates that customers must trust',
      memoryMb: 512,
      reservedConcurrency: undefined,
      callsCustomers: false,
    });
    const health = new EgressFunction(this, 'Health', {
      ...shared,
      entry: handler('health'),
      description: 'Responds if the API and its functions are available',
      memoryMb: 256,
      reservedConcurrency: undefined,
      callsCustomers: false,
    });
    const rotate = new EgressFunction(this, 'Rotate', {
      ...shared,
      entry: handler('rotate'),
      description: "Runs Secrets Manager's four steps of a rotation",
      // Generating RSA keys takes seconds at a full CPU.
      memoryMb: 1769,
      // Reserved concurrency would reduce that of the calls; Secrets Manager runs one rotation per secret.
      reservedConcurrency: undefined,
      // The maximum of Lambda: an authority can take minutes, and a step that times out starts again.
      timeout: Duration.minutes(15),
      callsCustomers: true,
    });
    const expiry = new EgressFunction(this, 'Expiry', {
      ...shared,
      entry: handler('expiry'),
      description: 'Reads every identity each hour and reports its days to expiry',
      memoryMb: 512,
      reservedConcurrency: undefined,
      timeout: Duration.minutes(5),
      callsCustomers: false,
    });
    // AWSPREVIOUS is for destinations that do not trust AWSCURRENT yet. AWSPENDING is never presented; only its
    // certificates are published.
    identities.grantRead(invoke, ['AWSCURRENT', 'AWSPREVIOUS']);
    identities.grantRead(diagnose, ['AWSCURRENT']);
    identities.grantRead(certificate, ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS']);
    if (settings.network !== undefined) {
      // All three use the same network, so that a diagnosis and the test of a new certificate take the route of the
      // calls.
      joinNetwork(invoke, settings.network);
      joinNetwork(diagnose, settings.network);
      joinNetwork(rotate, settings.network);
    }

    const deadLetters = new DeadLetters(this, 'DeadLetters');
    const events = new EventBus(this, 'Announcements', { key, deadLetters });
    events.grantPublish(rotate);
    new Rotation(this, 'Rotation', {
      rotate,
      identities,
      key,
      secretPrefix: settings.secretPrefix,
      rotations: settings.rotations,
      privateAuthorities: settings.privateAuthorities,
    });
    new Inspection(this, 'Inspection', { expiry, identities, deadLetters });
    const { alarms } = new Alarms(this, 'Alarms', {
      docsUrl: settings.docsUrl,
      topicArn: settings.alarmTopicArn,
      functions: [invoke, diagnose, certificate, health, expiry],
      rotate,
      deadLetters,
    });
    const dashboard = new Dashboard(this, 'Dashboard', { alarms });

    const api = new EgressApi(this, 'Api', {
      servedBy: { invocations: invoke, diagnoses: diagnose, certificate, health },
      throttleRate: settings.throttleRate,
      throttleBurst: settings.throttleBurst,
      key,
      logRetention: settings.logRetention,
    });

    this.#output('ApiUrl', api.url, 'Where orchestrators call');
    for (const [identity, id] of constructIds(settings.callers)) {
      const name = `${id}CallerPolicy`;
      const { policy } = new CallerPolicy(this, name, { api, identity });
      this.#output(`${name}Arn`, policy.managedPolicyArn, `Attach it to a role that may use the identity ${identity}`);
    }
    this.#output(
      'InvocationRouteArn',
      api.routeArn('invocations', 'IDENTITY'),
      'For policies of your own: with the name of an identity in the place of IDENTITY',
    );
    this.#output('PlatformSecretName', identities.platformSecret.ref, 'Takes the identity document of the platform');
    this.#output(
      'RotationFunctionArn',
      rotate.fn.functionArn,
      'Rotates an identity whose secret the stack did not make',
    );
    this.#output('EventBusArn', events.busArn, 'Where rotations are announced');
    this.#output('DashboardName', dashboard.name, 'In CloudWatch');
    this.#output('KeyArn', key.keyArn, 'Encrypts the secrets of further identities');
  }

  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}

function handler(name: string): string {
  return fileURLToPath(new URL(`../functions/${name}.ts`, import.meta.url));
}

class EncryptionKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const { stackName } = Stack.of(this);
    this.key = new Key(this, 'Key', {
      alias: `alias/${stackName}`,
      description: `Identities and logs of ${stackName}`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      // Identities and logs outlive the stack and cannot be read without the key.
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    // CloudWatch Logs names the log group in the encryption context (CloudWatch Logs user guide, "Encrypt log data
    // using AWS KMS"). CloudFormation starts the names it makes with the name of the stack; the access log has its own
    // prefix.
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroupsOfThisStack',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal(`logs.${Aws.REGION}.${Aws.URL_SUFFIX}`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': [`${stackName}-*`, `${accessLogPrefix}${stackName}-*`].map(
              (name) => `arn:${Aws.PARTITION}:logs:${Aws.REGION}:${Aws.ACCOUNT_ID}:log-group:${name}`,
            ),
          },
        },
      }),
    );
  }
}
