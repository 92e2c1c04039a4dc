// The exact permissions and configuration of each function.
import type { IConstruct } from 'constructs';
import { afterAll, describe, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Principal?: unknown;
}

const stack = synthesize();
afterAll(() => stack.remove());

const secrets = 'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:countersign/identities/*';

const writesItsOwnLogs = (name: string) => ({
  Effect: 'Allow',
  Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
  Resource: `<${name}Logs.Arn>`,
});

const readsIdentities = (stages: readonly string[]) => [
  {
    Sid: 'ReadIdentities',
    Effect: 'Allow',
    Action: 'secretsmanager:GetSecretValue',
    Resource: secrets,
    Condition: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': stages } },
  },
  {
    Sid: 'DecryptIdentities',
    Effect: 'Allow',
    Action: 'kms:Decrypt',
    Resource: '<EncryptionKey.Arn>',
    Condition: {
      StringEquals: { 'kms:ViaService': 'secretsmanager.<AWS::Region>.<AWS::URLSuffix>' },
      StringLike: { 'kms:EncryptionContext:SecretARN': secrets },
    },
  },
];

const leavesDeadLetters = [
  { Sid: 'LeaveDeadLetters', Effect: 'Allow', Action: 'sqs:SendMessage', Resource: '<DeadLettersQueue.Arn>' },
];

const expected: Record<string, readonly unknown[]> = {
  Invoke: [writesItsOwnLogs('Invoke'), ...readsIdentities(['AWSCURRENT', 'AWSPREVIOUS'])],
  Diagnose: [writesItsOwnLogs('Diagnose'), ...readsIdentities(['AWSCURRENT'])],
  Certificate: [writesItsOwnLogs('Certificate'), ...readsIdentities(['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS'])],
  Health: [writesItsOwnLogs('Health')],
  Rotate: [
    writesItsOwnLogs('Rotate'),
    {
      Sid: 'Announce',
      Effect: 'Allow',
      Action: 'events:PutEvents',
      Resource: 'arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/Countersign',
    },
  ],
  Expiry: [
    writesItsOwnLogs('Expiry'),
    ...readsIdentities(['AWSCURRENT']),
    { Sid: 'ListIdentities', Effect: 'Allow', Action: 'secretsmanager:ListSecrets', Resource: '*' },
    { Sid: 'ListVersions', Effect: 'Allow', Action: 'secretsmanager:ListSecretVersionIds', Resource: secrets },
    ...leavesDeadLetters,
  ],
};

/** Seconds. The API stops listening after 30. */
const timeouts: Record<string, number> = { Rotate: 900, Expiry: 300 };

describe.each(Object.keys(expected))('the function %s', (name) => {
  it('has exactly the permissions that it needs', () => {
    expect(statements(stack.resources('AWS::IAM::Policy')[`${name}RoleDefaultPolicy`]?.Properties)).toEqual(
      expected[name],
    );
    const role = stack.resources('AWS::IAM::Role')[`${name}Role`]?.Properties;
    expect(role).not.toHaveProperty('ManagedPolicyArns');
    expect(role).not.toHaveProperty('Policies');
    expect(role?.AssumeRolePolicyDocument).toMatchObject({
      Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } }],
    });
  });

  it('runs on the tested Node, times out before API Gateway, and logs to its own group', () => {
    const { Properties } = stack.resources('AWS::Lambda::Function')[`${name}Function`] ?? {};
    expect(Properties).toMatchObject({
      Runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
      Architectures: ['arm64'],
      Handler: 'index.handler',
      Timeout: timeouts[name] ?? 29,
      Role: `<${name}Role.Arn>`,
      LoggingConfig: { LogFormat: 'JSON', LogGroup: `<${name}Logs>` },
    });
    expect(Properties).not.toHaveProperty('ReservedConcurrentExecutions');
  });

  it('gets the location of identities only if it can read them, and no secrets', () => {
    const { Properties } = stack.resources('AWS::Lambda::Function')[`${name}Function`] ?? {};
    expect(Properties?.Environment).toEqual({
      Variables: {
        COUNTERSIGN_DOCS_URL: 'https://countersign.example/docs/',
        // Names that a caller chose may hang: enough threads for those and for the rest.
        ...(['Invoke', 'Diagnose', 'Rotate'].includes(name) ? { UV_THREADPOOL_SIZE: '64' } : {}),
        ...(name === 'Health' ? {} : { COUNTERSIGN_SECRET_PREFIX: 'countersign/identities/' }),
        ...(['Health', 'Rotate'].includes(name) ? {} : { COUNTERSIGN_IDENTITY_TTL_SECONDS: '60' }),
        ...(name === 'Rotate' ? { COUNTERSIGN_EVENT_BUS: '<AnnouncementsBus>' } : {}),
      },
    });
  });
});

describe('the stack', () => {
  it('has exactly six functions, their policies, the role of the schedule and the policy of the caller', () => {
    const names = (type: string) => Object.keys(stack.resources(type)).sort();
    expect(names('AWS::Lambda::Function')).toEqual([
      'CertificateFunction',
      'DiagnoseFunction',
      'ExpiryFunction',
      'HealthFunction',
      'InvokeFunction',
      'RotateFunction',
    ]);
    expect(names('AWS::IAM::Role')).toEqual([
      'CertificateRole',
      'DiagnoseRole',
      'ExpiryRole',
      'HealthRole',
      'InspectionScheduleRole',
      'InvokeRole',
      'RotateRole',
    ]);
    expect(names('AWS::IAM::Policy')).toEqual([
      'CertificateRoleDefaultPolicy',
      'DiagnoseRoleDefaultPolicy',
      'ExpiryRoleDefaultPolicy',
      'HealthRoleDefaultPolicy',
      'InspectionScheduleRoleDefaultPolicy',
      'InvokeRoleDefaultPolicy',
      'RotateRoleDefaultPolicy',
      'RotationPermissionsPolicy',
    ]);
    expect(names('AWS::IAM::ManagedPolicy')).toEqual(['PlatformCallerPolicy']);
  });

  it('has no wildcard in a policy, except for the secrets under the prefix and ListSecrets', () => {
    const policies = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy'].flatMap((type) =>
      Object.values(stack.resources(type)),
    );
    const wide = policies
      .flatMap(({ Properties }) => statements(Properties))
      .flatMap(({ Action, Resource }) => [Action, Resource].flat())
      .filter((text) => /[*?]/.test(text));
    expect(new Set(wide)).toEqual(new Set([secrets, '*']));
    const anything = policies
      .flatMap(({ Properties }) => statements(Properties))
      .filter(({ Resource }) => [Resource].flat().includes('*'));
    expect(anything.map(({ Action }) => Action)).toEqual(['secretsmanager:ListSecrets']);
  });

  it('acknowledges exactly these findings of cdk-nag, each with its reason', () => {
    const acknowledged = stack.stack.node.findAll().flatMap(acknowledgedRules);
    const wildcard = `AwsSolutions::AwsSolutions-IAM5[Resource::${secrets}]`;
    expect(acknowledged.map(({ at, id }) => `${at} ${id}`).sort()).toEqual([
      `Countersign/Default/Certificate/Role ${wildcard}`,
      'Countersign/Default/DeadLetters/Queue AwsSolutions::AwsSolutions-SQS3',
      `Countersign/Default/Diagnose/Role ${wildcard}`,
      'Countersign/Default/Expiry/Role AwsSolutions::AwsSolutions-IAM5[Resource::*]',
      `Countersign/Default/Expiry/Role ${wildcard}`,
      'Countersign/Default/Identities/Platform AwsSolutions::AwsSolutions-SMG4',
      `Countersign/Default/Invoke/Role ${wildcard}`,
      `Countersign/Default/Rotation/Permissions/Policy ${wildcard}`,
    ]);
    for (const { reason } of acknowledged) expect(reason.length).toBeGreaterThan(40);
  });

  it('limits concurrent invocations if the setting is given', () => {
    const limited = synthesize({ 'countersign:reservedConcurrency': '50' });
    try {
      const made = limited.resources('AWS::Lambda::Function');
      expect(made.InvokeFunction?.Properties.ReservedConcurrentExecutions).toBe(50);
      expect(made.HealthFunction?.Properties).not.toHaveProperty('ReservedConcurrentExecutions');
    } finally {
      limited.remove();
    }
  });

  it('places the functions that connect to customers in a VPC if the setting is given', () => {
    const placed = synthesize({
      'countersign:subnetIds': 'subnet-0a1b2c3d,subnet-4e5f6a7b',
      'countersign:securityGroupIds': 'sg-8c9d0e1f',
    });
    try {
      const made = placed.resources('AWS::Lambda::Function');
      for (const fn of [made.InvokeFunction, made.DiagnoseFunction, made.RotateFunction]) {
        expect(fn?.Properties.VpcConfig).toEqual({
          SubnetIds: ['subnet-0a1b2c3d', 'subnet-4e5f6a7b'],
          SecurityGroupIds: ['sg-8c9d0e1f'],
        });
      }
      for (const fn of [made.CertificateFunction, made.ExpiryFunction]) {
        expect(fn?.Properties).not.toHaveProperty('VpcConfig');
      }
      const policy = placed.resources('AWS::IAM::Policy').InvokeRoleDefaultPolicy?.Properties;
      const [allowed, denied] = statements(policy).slice(expected.Invoke?.length);
      expect(allowed).toMatchObject({ Effect: 'Allow', Resource: '*', Sid: 'NetworkInterfaces' });
      // Lambda needs these; the code of the function may not use them.
      expect(denied).toEqual({
        Sid: 'NotByTheCode',
        Effect: 'Deny',
        Action: allowed?.Action,
        Resource: '*',
        Condition: { Null: { 'lambda:SourceFunctionArn': 'false' } },
      });
    } finally {
      placed.remove();
    }
  });
});

function statements(properties: Readonly<Record<string, unknown>> | undefined): readonly Statement[] {
  return (properties?.PolicyDocument as { Statement: Statement[] } | undefined)?.Statement ?? [];
}

function acknowledgedRules(construct: IConstruct): { at: string; id: string; reason: string }[] {
  return construct.node.metadata
    .filter(({ type }) => type === 'aws:cdk:acknowledged-rules')
    .flatMap(({ data }) =>
      Object.entries(data as Record<string, unknown>).map(([id, reason]) => ({
        at: construct.node.path,
        id,
        reason: String(reason),
      })),
    );
}
