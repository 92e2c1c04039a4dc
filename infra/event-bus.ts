// The event bus for the events of rotations.
import { Aws } from 'aws-cdk-lib';
import { CfnEventBus } from 'aws-cdk-lib/aws-events';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { variables } from '../core/settings.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { EgressFunction } from './egress-function.ts';

export interface EventBusProps {
  readonly name: string;
  /** Encrypts the events on the bus. */
  readonly key: Key;
  /** Receives events that the bus cannot encrypt or decrypt. */
  readonly deadLetters: DeadLetters;
}

export class EventBus extends Construct {
  readonly bus: CfnEventBus;
  readonly busArn: string;

  constructor(scope: Construct, id: string, { name, key, deadLetters }: EventBusProps) {
    super(scope, id);
    // Written out, because the key's policy names the bus and the bus names the key.
    this.busArn = `arn:${Aws.PARTITION}:events:${Aws.REGION}:${Aws.ACCOUNT_ID}:event-bus/${name}`;
    // Without a resource policy, only principals of this account that IAM allows can use it.
    this.bus = new CfnEventBus(this, 'Bus', {
      name,
      description: 'Certificates of Countersign that are pending, rejected or activated',
      kmsKeyIdentifier: key.keyArn,
      deadLetterConfig: { arn: deadLetters.queue.queueArn },
    });
    deadLetters.allowBus(this.busArn);
    // EventBridge user guide, "Encrypting EventBridge event buses with AWS KMS keys", the key policy.
    key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'EventsOfTheBus',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Aws.ACCOUNT_ID,
            'aws:SourceArn': this.busArn,
            'kms:EncryptionContext:aws:events:event-bus:arn': this.busArn,
          },
        },
      }),
    );
  }

  /** Lets the function put events on this bus, and sets its name in the environment. */
  grantPublish(publisher: EgressFunction): void {
    publisher.role.addToPolicy(
      new PolicyStatement({ sid: 'Announce', actions: ['events:PutEvents'], resources: [this.busArn] }),
    );
    publisher.fn.addEnvironment(variables.eventBus, this.bus.ref);
  }
}
