// The VPC endpoint of a private API, for a VPC that has none.
import { Aws, Validations } from 'aws-cdk-lib';
import {
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

export interface PrivateEndpointProps {
  /** VPC of the orchestrators. */
  readonly vpc: IVpc;
  readonly vpcSubnets: SubnetSelection | undefined;
}

/**
 * Without private DNS, which would lead the names of all other APIs in this VPC to the endpoint too (API Gateway
 * developer guide, "Use VPC endpoint policies for private APIs").
 */
export class PrivateEndpoint extends Construct {
  readonly endpoint: InterfaceVpcEndpoint;

  constructor(scope: Construct, id: string, { vpc, vpcSubnets }: PrivateEndpointProps) {
    super(scope, id);
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'Calls of orchestrators to the private API of Countersign',
      allowAllOutbound: false,
    });
    Validations.of(group).acknowledge({
      id: 'AwsSolutions::AwsSolutions-EC23',
      reason: 'The range of addresses is that of the VPC, which is a reference that the rule cannot read.',
    });
    group.addIngressRule(Peer.ipv4(vpc.vpcCidrBlock), Port.HTTPS, 'Callers of this VPC');
    this.endpoint = new InterfaceVpcEndpoint(this, 'Endpoint', {
      vpc,
      service: InterfaceVpcEndpointAwsService.APIGATEWAY,
      privateDnsEnabled: false,
      open: false,
      securityGroups: [group],
      ...(vpcSubnets ? { subnets: vpcSubnets } : {}),
    });
    // It cannot name the API, which names the endpoint.
    this.endpoint.addToPolicy(
      new PolicyStatement({
        sid: 'ApisOfThisAccount',
        principals: [new AnyPrincipal()],
        actions: ['execute-api:Invoke'],
        resources: [`arn:${Aws.PARTITION}:execute-api:${Aws.REGION}:${Aws.ACCOUNT_ID}:*`],
        conditions: { StringEquals: { 'aws:PrincipalAccount': Aws.ACCOUNT_ID } },
      }),
    );
  }
}
