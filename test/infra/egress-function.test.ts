// Function timeouts: that of API Gateway by default.
import { fileURLToPath } from 'node:url';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { expect, it } from 'vitest';
import { EgressFunction, type EgressFunctionProps } from '../../infra/egress-function.ts';

function timeoutWith(props: Pick<EgressFunctionProps, 'timeout'>): unknown {
  const stack = new Stack(new App(), 'Stack');
  new EgressFunction(stack, 'Function', {
    entry: fileURLToPath(new URL('../../functions/health.ts', import.meta.url)),
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

it('the timeout of a function is below the 30 s of API Gateway by default', () => {
  expect(timeoutWith({})).toBe(29);
});

it('the timeout of a function can be configured', () => {
  expect(timeoutWith({ timeout: Duration.minutes(5) })).toBe(300);
});
