// A function inside the operator's own network: for private destinations, and for a source address that firewalls know.
import { Validations } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import type { EgressFunction } from './egress-function.ts';

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
