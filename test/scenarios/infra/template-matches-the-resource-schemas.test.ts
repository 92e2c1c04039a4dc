// Each synthesized resource against the CloudFormation resource schemas, so that a deployment is not the first check.
import { afterAll, describe, expect, it } from 'vitest';
import { templateFaults } from '../../support/infra/resource-schemas.ts';
import { synthesize } from '../../support/infra/synthesize.ts';

const authority =
  'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012';
const stacks = {
  'the settings of cdk.json': synthesize(),
  'every setting': synthesize({
    'countersign:stackName': 'x'.repeat(40),
    'countersign:callers': ['platform', 'acme-1', 'acme1', 'acme--1'],
    'countersign:memoryMb': 10_240,
    'countersign:reservedConcurrency': 50,
    'countersign:logRetentionDays': 3_653,
    'countersign:subnetIds': ['subnet-0a1b2c3d', 'subnet-4e5f6a7b'],
    'countersign:securityGroupIds': ['sg-8c9d0e1f'],
    'countersign:privateCas': [authority],
    'countersign:alarmTopicArn': 'arn:aws:sns:eu-central-1:111122223333:night',
    'countersign:rotations': [
      { identity: 'platform', schedule: 'rate(50 days)' },
      { identity: 'acme-1', schedule: 'cron(0 3 1 * ? *)', window: '3h' },
      { identity: 'acme1', schedule: 'rate(4 hours)' },
      { identity: 'x'.repeat(63), schedule: 'rate(30 days)', renewal: { issuer: { kind: 'manual' } } },
    ],
  }),
};
afterAll(() => {
  for (const stack of Object.values(stacks)) stack.remove();
});

type Plain = Record<string, unknown>;

/** The template of cdk.json as plain data, for one fault to be planted. */
function plainTemplate() {
  return structuredClone(stacks['the settings of cdk.json'].template.toJSON()) as {
    Resources: Record<string, { Type: string; Properties: Plain; DependsOn?: string[] }>;
  };
}

/** The first resource of a type. */
function first({ Resources }: ReturnType<typeof plainTemplate>, type: string) {
  const found = Object.values(Resources).find(({ Type }) => Type === type);
  if (!found) throw new Error(`The template has no ${type}.`);
  return found;
}

describe('the template', () => {
  it.each(Object.entries(stacks))('with %s matches the resource schemas and the limits', (_, { template }) => {
    expect(templateFaults(template.toJSON() as ReturnType<typeof plainTemplate>)).toEqual([]);
  });
});

describe('an injected fault is found', () => {
  type Plant = (template: ReturnType<typeof plainTemplate>) => void;
  const change =
    (type: string, properties: Plain): Plant =>
    (template) =>
      Object.assign(first(template, type).Properties, properties);

  it.each<[string, Plant, RegExp]>([
    [
      'an unknown type',
      (template) => Object.assign(first(template, 'AWS::KMS::Alias'), { Type: 'AWS::KMS::Aliases' }),
      /: no resource type AWS::KMS::Aliases$/,
    ],
    ['an unknown property', change('AWS::Lambda::Function', { TimeOut: 3 }), /\.TimeOut: unknown property$/],
    [
      'an unknown property inside another',
      change('AWS::Scheduler::Schedule', { FlexibleTimeWindow: { Mode: 'OFF', Minutes: 5 } }),
      /\.FlexibleTimeWindow\.Minutes: unknown property$/,
    ],
    [
      'a missing property',
      (template) => Reflect.deleteProperty(first(template, 'AWS::Lambda::Permission').Properties, 'Action'),
      /\.Action: missing$/,
    ],
    [
      'a missing property inside another',
      change('AWS::Scheduler::Schedule', { FlexibleTimeWindow: {} }),
      /\.FlexibleTimeWindow\.Mode: missing$/,
    ],
    [
      'text for a number',
      change('AWS::SQS::Queue', { VisibilityTimeout: '30' }),
      /\.VisibilityTimeout: not an integer$/,
    ],
    [
      'text for a truth value',
      change('AWS::SQS::Queue', { SqsManagedSseEnabled: 'true' }),
      /\.SqsManagedSseEnabled: not a boolean$/,
    ],
    ['one value for a list', change('AWS::CloudWatch::Alarm', { OKActions: 'arn' }), /\.OKActions: not a list$/],
    [
      'a number in a list of texts',
      change('AWS::Lambda::Function', { Architectures: [64] }),
      /\.Architectures\[0\]: not a string$/,
    ],
    ['text for an object', change('AWS::Lambda::Function', { Code: 'bundle.zip' }), /\.Code: not an object$/],
    [
      'a value outside an enumeration',
      change('AWS::Scheduler::Schedule', { FlexibleTimeWindow: { Mode: 'ON' } }),
      /\.FlexibleTimeWindow\.Mode: ON is not one of /,
    ],
    [
      'a retention that CloudWatch Logs does not have',
      change('AWS::Logs::LogGroup', { RetentionInDays: 91 }),
      /\.RetentionInDays: 91 is not one of /,
    ],
    [
      'more memory than Lambda has',
      change('AWS::Lambda::Function', { MemorySize: 10_241 }),
      /\.MemorySize: 10241 is not from 128 to 10240$/,
    ],
    [
      'a longer description than Lambda takes',
      change('AWS::Lambda::Function', { Description: 'x'.repeat(257) }),
      /\.Description: 257 is not from 0 to 256$/,
    ],
    [
      'a longer retention than SQS has',
      change('AWS::SQS::Queue', { MessageRetentionPeriod: 1_209_601 }),
      /\.MessageRetentionPeriod: 1209601 is not/,
    ],
    [
      'a reference to no resource',
      change('AWS::SecretsManager::Secret', { KmsKeyId: { Ref: 'Keys' } }),
      /\.KmsKeyId: no resource or parameter Keys$/,
    ],
    [
      'an attribute that the resource does not have',
      change('AWS::SecretsManager::Secret', { KmsKeyId: { 'Fn::GetAtt': ['DeadLettersQueue', 'Name'] } }),
      /\.KmsKeyId: no attribute DeadLettersQueue\.Name$/,
    ],
    [
      'a dependency on no resource',
      (template) => Object.assign(first(template, 'AWS::Scheduler::Schedule'), { DependsOn: ['Roles'] }),
      /\.DependsOn: no resource Roles$/,
    ],
  ])('%s', (_, plant, fault) => {
    const template = plainTemplate();
    plant(template);
    expect(templateFaults(template)).toEqual([expect.stringMatching(fault)]);
  });
});
