// Encryption keys, retention, and the resources that outlive the stack.
import { afterAll, describe, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';

const stack = synthesize();
afterAll(() => stack.remove());

/** The last part is the beginning of the stack's UUID: the log group of a removed stack is never in the way. */
const accessLogName = '/aws/vendedlogs/Countersign-access-<part 0 of <part 2 of <AWS::StackId> at /> at ->';
const outlivesTheStack = { DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' };

describe('the key', () => {
  const { EncryptionKey } = stack.resources('AWS::KMS::Key');

  it('rotates, and is retained when the stack is deleted', () => {
    expect(EncryptionKey).toMatchObject({ ...outlivesTheStack, Properties: { EnableKeyRotation: true } });
    stack.template.resourceCountIs('AWS::KMS::Key', 1);
  });

  it('serves this account by its IAM policies, CloudWatch Logs for the log groups and EventBridge for the bus of this stack only', () => {
    const ofTheBus = {
      'aws:SourceAccount': '<AWS::AccountId>',
      'aws:SourceArn': 'arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/Countersign',
    };
    expect(EncryptionKey?.Properties.KeyPolicy).toMatchObject({
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: 'arn:<AWS::Partition>:iam::<AWS::AccountId>:root' },
          Action: 'kms:*',
          Resource: '*',
        },
        {
          Effect: 'Allow',
          Principal: { Service: 'logs.<AWS::Region>.<AWS::URLSuffix>' },
          Action: ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'],
          Resource: '*',
          Condition: {
            ArnLike: {
              'kms:EncryptionContext:aws:logs:arn': [
                'arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:Countersign-*',
                'arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:/aws/vendedlogs/Countersign-*',
              ],
            },
          },
        },
        {
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: ['kms:Decrypt', 'kms:DescribeKey', 'kms:GenerateDataKey'],
          Resource: '*',
          Condition: {
            StringEquals: {
              ...ofTheBus,
              'kms:EncryptionContext:aws:events:event-bus:arn': ofTheBus['aws:SourceArn'],
            },
          },
        },
      ],
    });
  });
});

describe("the platform's secret", () => {
  it('is encrypted with the key, retained when the stack is deleted, and initially empty', () => {
    expect(stack.resources('AWS::SecretsManager::Secret')).toEqual({
      IdentitiesPlatform: {
        ...outlivesTheStack,
        Type: 'AWS::SecretsManager::Secret',
        // Neither SecretString nor GenerateSecretString: no value in the template, and none that could pass as one.
        Properties: {
          Name: 'countersign/identities/platform',
          Description: expect.any(String),
          KmsKeyId: '<EncryptionKey.Arn>',
        },
      },
    });
    expect(stack.outputs.KeyArn?.Value).toBe('<EncryptionKey.Arn>');
  });

  it('has the name that the functions read', () => {
    const moved = synthesize({ 'countersign:secretPrefix': 'bots/mtls/' });
    try {
      expect(moved.resources('AWS::SecretsManager::Secret').IdentitiesPlatform?.Properties.Name).toBe(
        'bots/mtls/platform',
      );
      expect(moved.resources('AWS::Lambda::Function').InvokeFunction?.Properties.Environment).toMatchObject({
        Variables: { COUNTERSIGN_SECRET_PREFIX: 'bots/mtls/' },
      });
    } finally {
      moved.remove();
    }
  });
});

describe('the logs', () => {
  it('are encrypted with the key, have a retention, and have names that the key policy allows', () => {
    const groups = stack.resources('AWS::Logs::LogGroup');
    expect(Object.keys(groups).sort()).toEqual([
      'ApiAccessLog',
      'CertificateLogs',
      'DiagnoseLogs',
      'ExpiryLogs',
      'HealthLogs',
      'InvokeLogs',
      'RotateLogs',
    ]);
    for (const [id, group] of Object.entries(groups)) {
      expect(group).toMatchObject(outlivesTheStack);
      // Without a name of ours CloudFormation makes one that starts with the name of the stack.
      const name = id === 'ApiAccessLog' ? { LogGroupName: accessLogName } : {};
      expect(group.Properties).toEqual({ ...name, KmsKeyId: '<EncryptionKey.Arn>', RetentionInDays: 90 });
    }
  });
});
