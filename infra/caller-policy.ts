// The managed policy of a caller: every route, for one identity.
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { callerRoutes } from '../core/settings.ts';
import type { EgressApi } from './api/egress-api.ts';

export interface CallerPolicyProps {
  readonly api: EgressApi;
  /** The identity that the caller can use. */
  readonly identity: string;
}

export class CallerPolicy extends Construct {
  readonly policy: ManagedPolicy;

  constructor(scope: Construct, id: string, props: CallerPolicyProps) {
    super(scope, id);
    // Each path is written out: a wildcard instead of the identity would match all identities.
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
