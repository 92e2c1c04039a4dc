// Only the rotation function, called by Secrets Manager, can write versions of secrets that it rotates.
import { afterAll, describe, expect, it } from 'vitest';
import { type Synthesized, synthesize } from '../../support/infra/synthesize.ts';

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const authority =
  'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012';
const stack = synthesize({
  'countersign:rotations': [
    { identity: 'platform', schedule: 'rate(30 days)' },
    {
      identity: 'acme-bank',
      schedule: 'cron(0 3 1 * ? *)',
      window: '3h',
      renewal: { issuer: { kind: 'aws-private-ca', certificateAuthorityArn: authority }, keyAlgorithm: 'EC_P384' },
    },
  ],
  'countersign:privateCas': authority,
});
afterAll(() => stack.remove());

const secrets = 'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:countersign/identities/*';

function statements({ resources }: Synthesized): readonly (Statement & { readonly policy: string })[] {
  return Object.entries({ ...resources('AWS::IAM::Policy'), ...resources('AWS::IAM::ManagedPolicy') }).flatMap(
    ([policy, { Properties }]) =>
      (Properties.PolicyDocument as { Statement: Statement[] }).Statement.map((statement) => ({
        policy,
        ...statement,
      })),
  );
}

describe('a version of a secret', () => {
  it('is written, and its stage moved, only by the rotation function', () => {
    // By what may be done, not by names: an action that is added without a thought is found as well.
    const reading = /^secretsmanager:(?:GetSecretValue|ListSecrets|ListSecretVersionIds|DescribeSecret)$/;
    const writers = statements(stack).filter(({ Action }) =>
      [Action].flat().some((action) => /^secretsmanager:|[*?]/.test(action) && !reading.test(action)),
    );
    expect(writers.map(({ policy }) => policy)).toEqual(['RotationPermissionsPolicy']);
    expect(stack.resources('AWS::IAM::Policy').RotationPermissionsPolicy?.Properties.Roles).toEqual(['<RotateRole>']);
    stack.template.resourceCountIs('AWS::SecretsManager::ResourcePolicy', 0);
  });

  it('can be written only under the prefix, to secrets of this rotation function, with the key of the stack', () => {
    expect(statements(stack).filter(({ policy }) => policy === 'RotationPermissionsPolicy')).toMatchObject([
      {
        Effect: 'Allow',
        Action: [
          'secretsmanager:DescribeSecret',
          'secretsmanager:GetSecretValue',
          'secretsmanager:PutSecretValue',
          'secretsmanager:UpdateSecretVersionStage',
        ],
        Resource: secrets,
        Condition: { StringEquals: { 'secretsmanager:resource/AllowRotationLambdaArn': '<RotateFunction.Arn>' } },
      },
      {
        Effect: 'Allow',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '<EncryptionKey.Arn>',
        Condition: {
          StringEquals: { 'kms:ViaService': 'secretsmanager.<AWS::Region>.<AWS::URLSuffix>' },
          StringLike: { 'kms:EncryptionContext:SecretARN': secrets },
        },
      },
      {
        Effect: 'Allow',
        Action: 'acm-pca:IssueCertificate',
        Resource: authority,
        Condition: {
          ArnLike: {
            'acm-pca:TemplateArn': 'arn:<AWS::Partition>:acm-pca:*:*:template/EndEntityClientAuthCertificate*/V*',
          },
        },
      },
      {
        Effect: 'Allow',
        Action: ['acm-pca:DescribeCertificateAuthority', 'acm-pca:GetCertificate'],
        Resource: authority,
      },
    ]);
  });

  it('needs no GetRandomPassword, and no ACM PCA permission without an authority', () => {
    expect(statements(stack).flatMap(({ Action }) => Action)).not.toContain('secretsmanager:GetRandomPassword');
    const bare = synthesize();
    try {
      expect(
        statements(bare)
          .flatMap(({ Action }) => Action)
          .filter((action) => action.startsWith('acm-pca:')),
      ).toEqual([]);
    } finally {
      bare.remove();
    }
  });
});

describe('the rotation function', () => {
  it('is called only by Secrets Manager of this account, for secrets under the prefix', () => {
    const permissions = Object.values(stack.resources('AWS::Lambda::Permission'))
      .map(({ Properties }) => Properties)
      .filter(({ FunctionName }) => String(FunctionName).includes('RotateFunction'));
    expect(permissions).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: '<RotateFunction.Arn>',
        Principal: 'secretsmanager.amazonaws.com',
        SourceAccount: '<AWS::AccountId>',
        SourceArn: secrets,
      },
    ]);
  });

  it('gets the first renewal settings, and no secrets', () => {
    const { Environment } = stack.resources('AWS::Lambda::Function').RotateFunction?.Properties ?? {};
    const { Variables } = Environment as { Variables: Record<string, string> };
    expect(JSON.parse(Variables.COUNTERSIGN_RENEWALS ?? '')).toEqual({
      'acme-bank': {
        issuer: { kind: 'aws-private-ca', certificateAuthorityArn: authority },
        keyAlgorithm: 'EC_P384',
      },
    });
  });
});

describe('a schedule', () => {
  it('exists for each identity in the settings, and depends on the permissions of a rotation', () => {
    const schedules = stack.resources('AWS::SecretsManager::RotationSchedule');
    expect(schedules).toMatchObject({
      RotationPlatformSchedule: {
        DependsOn: [
          expect.stringMatching(/^RotationBySecretsManager/),
          expect.stringMatching(/^RotationPermissionsPolicy/),
        ],
        Properties: {
          SecretId: '<IdentitiesPlatform>',
          RotationLambdaARN: '<RotateFunction.Arn>',
          RotationRules: { ScheduleExpression: 'rate(30 days)' },
        },
      },
      RotationAcmeBankSchedule: {
        Properties: {
          SecretId: '<IdentitiesAcmeBank>',
          RotationRules: { ScheduleExpression: 'cron(0 3 1 * ? *)', Duration: '3h' },
        },
      },
    });
    // A deployment issues nothing: it must not change what customers see.
    for (const { Properties } of Object.values(schedules)) expect(Properties.RotateImmediatelyOnUpdate).toBe(false);
  });

  it('has its secret, which is initially empty and retained when the stack is deleted', () => {
    const made = stack.resources('AWS::SecretsManager::Secret');
    expect(Object.keys(made).sort()).toEqual(['IdentitiesAcmeBank', 'IdentitiesPlatform']);
    expect(made.IdentitiesAcmeBank).toEqual({
      Type: 'AWS::SecretsManager::Secret',
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        Name: 'countersign/identities/acme-bank',
        Description: expect.any(String),
        KmsKeyId: '<EncryptionKey.Arn>',
      },
    });
  });
});
