// What `cdk synth` and `cdk deploy` run: the one stack, checked with cdk-nag's AwsSolutions pack.
import { App, Validations } from 'aws-cdk-lib';
// The behaviour that AWS recommends for a new app; without it CDK falls back to that of its oldest 2.x version.
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import { CountersignStack } from './countersign-stack.ts';
import { readStackSettings } from './settings.ts';

const app = new App({ context: flags });
new CountersignStack(app, 'Countersign', readStackSettings(app.node));
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
