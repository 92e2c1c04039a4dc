// The CDK app: one stack, checked with cdk-nag's AwsSolutions pack.
import { App, Validations } from 'aws-cdk-lib';
// AWS recommends these flags for a new app; without them CDK behaves like its oldest 2.x version.
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import { CountersignStack } from './countersign-stack.ts';
import { readStackSettings, type StackSettings } from './settings.ts';

const app = new App({ context: flags });
new CountersignStack(app, 'Countersign', settings());
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

/** Prints a wrong setting without a stack trace: the operator can correct it. */
function settings(): StackSettings {
  try {
    return readStackSettings(app.node);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
