// The network of the functions that connect to customers.
import { Validations } from 'aws-cdk-lib';
import { type ISecurityGroup, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { EgressFunction } from './egress-function.ts';
import type { CountersignProps } from './props.ts';

interface PrivateNetwork {
  /** Private subnets, in as many zones as the calls are to survive; their routes decide what can be reached. */
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
}

/** Undefined if the props name no network. Throws an Error with one sentence for half a network. */
export function privateNetwork(scope: Construct, props: CountersignProps): PrivateNetwork | undefined {
  const { vpc, vpcSubnets, securityGroups } = props;
  if (vpc === undefined && vpcSubnets === undefined && securityGroups === undefined) return undefined;
  const subnetIds = vpc?.selectSubnets(vpcSubnets).subnetIds ?? vpcSubnets?.subnets?.map(({ subnetId }) => subnetId);
  if (subnetIds === undefined) throw new Error('vpcSubnets must be subnets if there is no vpc.');
  return { subnetIds, securityGroupIds: groupsOf(scope, props).map(({ securityGroupId }) => securityGroupId) };
}

function groupsOf(scope: Construct, { vpc, securityGroups }: CountersignProps): readonly ISecurityGroup[] {
  if (securityGroups !== undefined && securityGroups.length > 0) return securityGroups;
  if (vpc === undefined) throw new Error('securityGroups must be given if there is no vpc.');
  const description = 'Connections of Countersign to the hosts of customers and to AWS';
  return [new SecurityGroup(scope, 'SecurityGroup', { vpc, description })];
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
