// The key that encrypts identities, events and logs.
import { Aws, Duration, type RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { accessLogPrefix } from './api/egress-api.ts';

export interface EncryptionKeyProps {
  /** Of the installation, and of the alias. */
  readonly name: string;
  readonly removalPolicy: RemovalPolicy;
}

export class EncryptionKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string, { name, removalPolicy }: EncryptionKeyProps) {
    super(scope, id);
    this.key = new Key(this, 'Key', {
      alias: `alias/${name}`,
      description: `Identities and logs of ${name}`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      // By default retained: identities and logs outlive the stack and cannot be read without the key.
      removalPolicy,
    });
    // CloudWatch Logs names the log group in the encryption context (CloudWatch Logs user guide, "Encrypt log data
    // using AWS KMS"). CloudFormation starts the names it makes with the name of the stack; the access log has its own
    // prefix.
    const groups = [`${Stack.of(this).stackName}-*`, `${accessLogPrefix}${name}-*`];
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroupsOfThisStack',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal(`logs.${Aws.REGION}.${Aws.URL_SUFFIX}`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': groups.map(
              (group) => `arn:${Aws.PARTITION}:logs:${Aws.REGION}:${Aws.ACCOUNT_ID}:log-group:${group}`,
            ),
          },
        },
      }),
    );
  }
}
