// The stack of the app: one installation, its settings from cdk.json, and outputs for the operator.
import { Annotations, ArnFormat, CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { InterfaceVpcEndpoint, type ISubnet, SecurityGroup, Subnet } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { platformIdentity } from '../core/settings.ts';
import { Countersign } from './countersign.ts';
import { constructIds } from './identity-store.ts';
import type { CountersignProps } from './props.ts';
import type { StackSettings } from './settings.ts';

export class CountersignStack extends Stack {
  constructor(scope: Construct, id: string, settings: StackSettings, props: StackProps = {}) {
    super(scope, id, {
      stackName: settings.stackName,
      description: 'Countersign: the mutual-TLS egress of a conversational-bot platform',
      ...props,
    });
    // `Default` is no part of logical ids: those of 0.1.0, whose stack had no construct, stay.
    const countersign = new Countersign(this, 'Default', this.#props(settings));
    const { api } = countersign;

    this.#output('ApiUrl', api.url, 'Where orchestrators call');
    for (const [identity, id] of constructIds(settings.callers)) {
      const policy = countersign.callerPolicies.get(identity);
      if (policy === undefined) continue;
      const description = `Attach it to a role that may use the identity ${identity}`;
      this.#output(`${id}CallerPolicyArn`, policy.managedPolicyArn, description);
    }
    this.#output(
      'InvocationRouteArn',
      api.routeArn('invocations', 'IDENTITY'),
      'For policies of your own: with the name of an identity in the place of IDENTITY',
    );
    const { secretArn } = countersign.identity(platformIdentity);
    this.#output('PlatformSecretName', secretArn, 'Takes the identity document of the platform');
    this.#output(
      'RotationFunctionArn',
      countersign.rotationFunction.functionArn,
      'Rotates an identity whose secret the stack did not make',
    );
    this.#output('EventBusArn', countersign.eventBus.eventBusArn, 'Where rotations are announced');
    this.#output('DashboardName', countersign.dashboardName, 'In CloudWatch');
    this.#output('KeyArn', countersign.key.keyArn, 'Encrypts the secrets of further identities');
  }

  #output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }

  /** With CDK objects in the place of ids. */
  #props(settings: StackSettings): CountersignProps {
    const { network, alarmTopicArn, apiEndpointIds, reservedConcurrency } = settings;
    const vpcEndpoints = apiEndpointIds.map((vpcEndpointId) =>
      InterfaceVpcEndpoint.fromInterfaceVpcEndpointAttributes(this, vpcEndpointId, { vpcEndpointId, port: 443 }),
    );
    return {
      secretPrefix: settings.secretPrefix,
      identityTtl: Duration.seconds(settings.identityTtlSeconds),
      docsUrl: settings.docsUrl,
      callers: settings.callers,
      api: settings.api,
      ...(vpcEndpoints.length > 0 ? { privateAccess: { vpcEndpoints } } : {}),
      apiLogsRole: settings.apiLogsRole,
      memoryMb: settings.memoryMb,
      ...(reservedConcurrency === undefined ? {} : { reservedConcurrency }),
      throttleRate: settings.throttleRate,
      throttleBurst: settings.throttleBurst,
      logRetention: settings.logRetention,
      ...(network === undefined ? {} : this.#network(network)),
      existingSecrets: Object.fromEntries(
        settings.existingSecrets.map(({ identity, keyArn }) => [identity, this.#secret(settings, identity, keyArn)]),
      ),
      rotations: settings.rotations.map(({ identity, schedule, window, renewal }) => ({
        identity,
        schedule,
        ...(window === undefined ? {} : { window }),
        ...(renewal === undefined ? {} : { renewal }),
      })),
      privateCas: settings.privateAuthorities.map((certificateAuthorityArn) => ({ certificateAuthorityArn })),
      ...(alarmTopicArn === undefined ? {} : { alarmTopic: Topic.fromTopicArn(this, 'AlarmTopic', alarmTopicArn) }),
    };
  }

  #network({ subnetIds, securityGroupIds }: NonNullable<StackSettings['network']>) {
    return {
      vpcSubnets: { subnets: subnetIds.map((id) => this.#subnet(id)) },
      securityGroups: securityGroupIds.map((id) => SecurityGroup.fromSecurityGroupId(this, id, id)),
    };
  }

  #subnet(id: string): ISubnet {
    const subnet = Subnet.fromSubnetId(this, id, id);
    // Nothing here reads the route table, of which CDK warns.
    Annotations.of(subnet).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId');
    return subnet;
  }

  #secret({ secretPrefix }: StackSettings, identity: string, keyArn: string | undefined): ISecret {
    const [id, name] = [`Existing-${identity}`, `${secretPrefix}${identity}`];
    if (keyArn === undefined) return Secret.fromSecretNameV2(this, id, name);
    return Secret.fromSecretAttributes(this, id, {
      secretPartialArn: this.formatArn({
        service: 'secretsmanager',
        resource: 'secret',
        resourceName: name,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
      encryptionKey: Key.fromKeyArn(this, `Key-${identity}`, keyArn),
    });
  }
}
