// What an orchestrator is given: the managed policy that lets it use one identity, and no other.
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { callerRoutes } from '../core/settings.ts';
import type { EgressApi } from './egress-api.ts';

export interface CallerPolicyProps {
  readonly api: EgressApi;
  /** The one identity. */
  readonly identity: string;
}

export class CallerPolicy extends Construct {
  readonly policy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: CallerPolicyProps) {
    super(scope, id);
    // Every path is spelt out: a wildcard in the place of the identity would be all of them.
    this.policy = new ManagedPolicy(this, 'Policy', {
      description: `Lets a caller use the identity ${props.identity} of Countersign`,
      statements: [
        new PolicyStatement({
          sid: 'UseOneIdentity',
          actions: ['execute-api:Invoke'],
          resources: callerRoutes.map((name) => props.api.routeArn(name, props.identity)),
        }),
      ],
    });
  }
}
