// The customer-managed key that encrypts identities, logs, events and dead letters.
import { Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

export class EncryptionKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const { stackName } = Stack.of(this);
    this.key = new Key(this, 'Key', {
      alias: `alias/${stackName}`,
      description: `Identities and logs of ${stackName}`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      // Identities and logs outlive the stack and cannot be read without the key.
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    // CloudWatch Logs names the log group in the encryption context; CloudFormation starts the names it makes with the
    // name of the stack (CloudWatch Logs user guide, "Encrypt log data using AWS KMS").
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroupsOfThisStack',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal(`logs.${Aws.REGION}.amazonaws.com`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': `arn:${Aws.PARTITION}:logs:${Aws.REGION}:${Aws.ACCOUNT_ID}:log-group:${stackName}-*`,
          },
        },
      }),
    );
  }
}
