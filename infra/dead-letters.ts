// The dead-letter queue: undeliverable events of the bus, and failed runs of the hourly inspection.
import { Aws, Duration, Validations } from 'aws-cdk-lib';
import { Effect, type IRole, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export class DeadLetters extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      // SSE-SQS: an event that the bus cannot encrypt because the key of the stack is disabled must not need that key.
      encryption: QueueEncryption.SQS_MANAGED,
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
  }

  /** For EventBridge itself, for one bus (EventBridge user guide, "Using dead-letter queues"). */
  allowBus(busArn: string): void {
    this.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'EventsOfTheBus',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.queue.queueArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID, 'aws:SourceArn': busArn } },
      }),
    );
  }
}
