// The dead-letter queue: undeliverable events of the bus, and failed runs of the hourly inspection.
import { Aws, Duration, Validations } from 'aws-cdk-lib';
import { Effect, type IRole, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface DeadLettersProps {
  /** Encrypts the messages. */
  readonly key: Key;
}

export class DeadLetters extends Construct {
  readonly queue: Queue;
  readonly #key: Key;

  constructor(scope: Construct, id: string, props: DeadLettersProps) {
    super(scope, id);
    this.#key = props.key;
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: props.key,
      enforceSSL: true,
      // The maximum of SQS, to leave time to find the cause and send the messages again.
      retentionPeriod: Duration.days(14),
    });
    Validations.of(this.queue).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'It is the dead-letter queue itself, of a bus, a schedule and a function; no queue stands before it.',
    });
  }

  /** For a role that a service assumes to send messages. */
  grantSend(role: IRole): void {
    role.addToPrincipalPolicy(
      new PolicyStatement({ sid: 'LeaveDeadLetters', actions: ['sqs:SendMessage'], resources: [this.queue.queueArn] }),
    );
    role.addToPrincipalPolicy(
      new PolicyStatement({
        sid: 'EncryptDeadLetters',
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: [this.#key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `sqs.${Aws.REGION}.amazonaws.com` } },
      }),
    );
  }

  /**
   * For EventBridge itself, for one bus (EventBridge user guide, "Using dead-letter queues"; SQS developer guide,
   * "Enable compatibility between event sources from AWS services and encrypted queues").
   */
  allowBus(busArn: string): void {
    const source = { 'aws:SourceAccount': Aws.ACCOUNT_ID, 'aws:SourceArn': busArn };
    this.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'EventsOfTheBus',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.queue.queueArn],
        conditions: { StringEquals: source },
      }),
    );
    this.#key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'DeadLettersOfTheBus',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: { StringEquals: { ...source, 'kms:ViaService': `sqs.${Aws.REGION}.amazonaws.com` } },
      }),
    );
  }
}
