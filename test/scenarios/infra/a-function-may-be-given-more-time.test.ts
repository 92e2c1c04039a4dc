// How long a function runs: API Gateway's time unless it is given its own.
import { fileURLToPath } from 'node:url';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { expect, it } from 'vitest';
import { EgressFunction, type EgressFunctionProps } from '../../../infra/egress-function.ts';

function timeoutWith(props: Pick<EgressFunctionProps, 'timeout'>): unknown {
  const stack = new Stack(new App(), 'Stack');
  new EgressFunction(stack, 'Function', {
    entry: fileURLToPath(new URL('../../../functions/health.ts', import.meta.url)),
    description: 'Tried',
    memoryMb: 256,
    docsUrl: 'https://docs.example/',
    key: new Key(stack, 'Key'),
    logRetention: RetentionDays.ONE_WEEK,
    reservedConcurrency: undefined,
    callsCustomers: false,
    ...props,
  });
  const [made] = Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function'));
  return made?.Properties.Timeout;
}

it('answers inside the 30 s of API Gateway when nothing is said', () => {
  expect(timeoutWith({})).toBe(29);
});

it('has the time that it is given', () => {
  expect(timeoutWith({ timeout: Duration.minutes(5) })).toBe(300);
});
