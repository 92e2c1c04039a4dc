// Permissions and encryption of the bus, the hourly schedule and their dead-letter queue.
import { afterAll, describe, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';

const stack = synthesize({ 'countersign:stackName': 'Egress-2' });
afterAll(() => stack.remove());

const only = (type: string) => {
  const made = Object.values(stack.resources(type));
  expect(made).toHaveLength(1);
  return made[0]?.Properties;
};
const busArn = 'arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/Egress-2';

describe('the bus', () => {
  it('has the name of the stack, is encrypted with its key, and sends events that it cannot encrypt to the queue', () => {
    expect(only('AWS::Events::EventBus')).toEqual({
      Name: 'Egress-2',
      Description: expect.any(String),
      KmsKeyIdentifier: '<EncryptionKey.Arn>',
      DeadLetterConfig: { Arn: '<DeadLettersQueue.Arn>' },
    });
    expect(stack.outputs.EventBusArn?.Value).toBe(busArn);
  });

  it('accepts events only from this account', () => {
    stack.template.resourceCountIs('AWS::Events::EventBusPolicy', 0);
  });
});

describe('the queue', () => {
  it('is encrypted with a key of SQS, and has the longest retention of SQS', () => {
    expect(only('AWS::SQS::Queue')).toEqual({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 1_209_600 });
  });

  it('accepts messages while the key of the stack is disabled', () => {
    const key = JSON.stringify(only('AWS::KMS::Key')?.KeyPolicy);
    const policies = JSON.stringify(stack.resources('AWS::IAM::Policy'));
    expect(key).not.toContain('sqs');
    expect(policies).toContain('sqs:SendMessage');
    expect(policies).not.toContain('sqs.<AWS::Region>');
  });

  it('accepts messages only over TLS, and from EventBridge only those of this bus', () => {
    expect(only('AWS::SQS::QueuePolicy')?.PolicyDocument).toMatchObject({
      Statement: [
        { Effect: 'Deny', Principal: { AWS: '*' }, Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
        {
          Effect: 'Allow',
          Principal: { Service: 'events.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Condition: { StringEquals: { 'aws:SourceAccount': '<AWS::AccountId>', 'aws:SourceArn': busArn } },
        },
      ],
    });
  });
});

describe('the inspection', () => {
  it('runs each hour, and failed invocations go to the queue', () => {
    expect(only('AWS::Scheduler::Schedule')).toMatchObject({
      ScheduleExpression: 'rate(1 hour)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: '<ExpiryFunction.Arn>',
        RoleArn: '<InspectionScheduleRole.Arn>',
        DeadLetterConfig: { Arn: '<DeadLettersQueue.Arn>' },
      },
    });
    expect(stack.resources('AWS::Lambda::Function').ExpiryFunction?.Properties.DeadLetterConfig).toEqual({
      TargetArn: '<DeadLettersQueue.Arn>',
    });
  });

  it('is invoked with a role that only EventBridge Scheduler of this account can assume, without other permissions', () => {
    expect(stack.resources('AWS::IAM::Role').InspectionScheduleRole?.Properties.AssumeRolePolicyDocument).toMatchObject(
      {
        Statement: [
          {
            Principal: { Service: 'scheduler.amazonaws.com' },
            Condition: {
              StringEquals: {
                'aws:SourceAccount': '<AWS::AccountId>',
                'aws:SourceArn': 'arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule-group/default',
              },
            },
          },
        ],
      },
    );
    const policy = stack.resources('AWS::IAM::Policy').InspectionScheduleRoleDefaultPolicy?.Properties;
    expect(policy?.PolicyDocument).toMatchObject({
      Statement: [
        { Action: 'lambda:InvokeFunction', Resource: '<ExpiryFunction.Arn>' },
        { Action: 'sqs:SendMessage', Resource: '<DeadLettersQueue.Arn>' },
      ],
    });
  });
});
