// cdk-nag runs: a finding without an acknowledged reason stops the synth.
import type { App } from 'aws-cdk-lib';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { afterAll, describe, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';

const clean = synthesize();
afterAll(() => clean.remove());

describe('a secret that is never rotated, added without a reason', () => {
  it('is rejected by name', () => {
    const app = clean.stack.node.root as App;
    new CfnSecret(clean.stack, 'Forgotten', { name: 'forgotten' });
    expect(() => app.synth({ force: true })).toThrow(/AwsSolutions-SMG4/);
  });
});
