// The hourly inspection of all identities: permissions and schedule.
import { Aws, Validations } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import type { DeadLetters } from './dead-letters.ts';
import type { EgressFunction } from './egress-function.ts';
import type { IdentityStore } from './identity-store.ts';

export interface InspectionProps {
  readonly expiry: EgressFunction;
  readonly identities: IdentityStore;
  /** Receives the runs that failed. */
  readonly deadLetters: DeadLetters;
}

export class Inspection extends Construct {
  constructor(scope: Construct, id: string, { expiry, identities, deadLetters }: InspectionProps) {
    super(scope, id);
    identities.grantRead(expiry, ['AWSCURRENT']);
    grantList(expiry, identities);

    // Lambda retries twice, then sends the event here with the function's role.
    const resource = expiry.fn.node.defaultChild as CfnFunction;
    resource.deadLetterConfig = { targetArn: deadLetters.queue.queueArn };
    deadLetters.grantSend(expiry.role);

    const role = new Role(this, 'ScheduleRole', {
      // EventBridge Scheduler user guide, "Cross-service confused deputy prevention": the source is the schedule's
      // group.
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Aws.ACCOUNT_ID,
            'aws:SourceArn': `arn:${Aws.PARTITION}:scheduler:${Aws.REGION}:${Aws.ACCOUNT_ID}:schedule-group/default`,
          },
        },
      }),
    });
    role.addToPolicy(
      new PolicyStatement({ sid: 'Inspect', actions: ['lambda:InvokeFunction'], resources: [expiry.fn.functionArn] }),
    );
    deadLetters.grantSend(role);
    const schedule = new CfnSchedule(this, 'Schedule', {
      description: 'Reads every identity of Countersign and reports its days to expiry',
      scheduleExpression: 'rate(1 hour)',
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: expiry.fn.functionArn,
        roleArn: role.roleArn,
        retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 3600 },
        deadLetterConfig: { arn: deadLetters.queue.queueArn },
      },
    });
    schedule.node.addDependency(role);
  }
}

/**
 * Lists contain no secret values. ListSecrets accepts no narrower resource (service authorization reference of Secrets
 * Manager).
 */
function grantList(expiry: EgressFunction, identities: IdentityStore): void {
  expiry.role.addToPolicy(
    new PolicyStatement({ sid: 'ListIdentities', actions: ['secretsmanager:ListSecrets'], resources: ['*'] }),
  );
  expiry.role.addToPolicy(
    new PolicyStatement({
      sid: 'ListVersions',
      actions: ['secretsmanager:ListSecretVersionIds'],
      resources: [identities.secretsArn],
    }),
  );
  Validations.of(expiry.role).acknowledge({
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason: 'ListSecrets takes no narrower resource; it gives names and dates of secrets, and no value.',
  });
}
