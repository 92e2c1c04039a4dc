// The customer-managed key that encrypts identities, logs and events.
import { Aws, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

/**
 * Of the access log. API Gateway adds each log group that it writes to into a resource policy of the account with at
 * most 5,120 characters, unless the name begins like this (CloudWatch Logs user guide, "Log group resource policy size
 * limit considerations"). In an account with many APIs the deployment would fail.
 */
export const accessLogPrefix = '/aws/vendedlogs/';

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
    // CloudWatch Logs names the log group in the encryption context (CloudWatch Logs user guide, "Encrypt log data
    // using AWS KMS"). CloudFormation starts the names it makes with the name of the stack; the access log has its own
    // prefix.
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroupsOfThisStack',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal(`logs.${Aws.REGION}.${Aws.URL_SUFFIX}`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': [`${stackName}-*`, `${accessLogPrefix}${stackName}-*`].map(
              (name) => `arn:${Aws.PARTITION}:logs:${Aws.REGION}:${Aws.ACCOUNT_ID}:log-group:${name}`,
            ),
          },
        },
      }),
    );
  }
}
