// What `cdk synth` and `cdk deploy` run: the one stack, checked with cdk-nag's AwsSolutions pack.
import { App, Validations } from 'aws-cdk-lib';
// The behaviour that AWS recommends for a new app; without it CDK falls back to that of its oldest 2.x version.
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import { CountersignStack } from './countersign-stack.ts';
import { readStackSettings, type StackSettings } from './settings.ts';

const app = new App({ context: flags });
new CountersignStack(app, 'Countersign', settings());
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

/** A wrong setting is the operator's to correct: the sentence alone, without the stack of a defect. */
function settings(): StackSettings {
  try {
    return readStackSettings(app.node);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
