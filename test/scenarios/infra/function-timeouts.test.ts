// Function timeouts: below the integration timeout of API Gateway, which differs by the kind of API.
import { afterAll, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';

const stacks = [
  ['http', 29, synthesize()],
  ['rest', 28, synthesize({ 'countersign:api': 'rest' })],
  ['private', 28, synthesize({ 'countersign:api': 'private', 'countersign:apiEndpointIds': 'vpce-0a1b2c3d' })],
] as const;
afterAll(() => {
  for (const [, , stack] of stacks) stack.remove();
});

it.each(stacks)('behind the API %s, functions that answer callers end after %i s', (_, seconds, stack) => {
  const made = stack.resources('AWS::Lambda::Function');
  const timeouts = Object.entries(made).map(([name, { Properties }]) => [name, Properties.Timeout]);
  expect(Object.fromEntries(timeouts)).toEqual({
    InvokeFunction: seconds,
    DiagnoseFunction: seconds,
    CertificateFunction: seconds,
    HealthFunction: seconds,
    RotateFunction: 900,
    ExpiryFunction: 300,
  });
  // A second before API Gateway gives up; HTTP APIs have 30 s by default.
  for (const { Properties } of Object.values(stack.resources('AWS::ApiGateway::Method'))) {
    expect(Properties.Integration).toMatchObject({ TimeoutInMillis: (seconds + 1) * 1_000 });
  }
});
