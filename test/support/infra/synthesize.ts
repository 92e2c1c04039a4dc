// The stack as it is deployed, synthesized once for a test file, with its template made readable.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import { CountersignStack } from '../../../infra/countersign-stack.ts';
import { readStackSettings } from '../../../infra/settings.ts';

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Synthesized {
  readonly stack: CountersignStack;
  readonly template: Template;
  /** Folder of the cloud assembly. */
  readonly assembly: string;
  /**
   * The resources of one type by name. References are written as `<Name>` and `<Name.Attribute>`, parts of a split as
   * `<part 0 of … at ->`; joins are joined.
   */
  resources(type: string): Readonly<Record<string, Resource>>;
  readonly outputs: Readonly<Record<string, { readonly Value: unknown }>>;
  remove(): void;
}

/**
 * With cdk.json's own settings, `context` replacing some of them. A finding of cdk-nag that is not acknowledged throws.
 */
export function synthesize(context: Readonly<Record<string, unknown>> = {}): Synthesized {
  const file = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
  const outdir = mkdtempSync(join(tmpdir(), 'countersign-assembly-'));
  const app = new App({ outdir, context: { ...flags, ...file.context, ...context } });
  const stack = new CountersignStack(app, 'Countersign', readStackSettings(app.node));
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const template = Template.fromStack(stack);
  const read = readable(template.toJSON()) as {
    Resources: Record<string, Resource>;
    Outputs: Record<string, { Value: unknown }>;
  };
  return {
    stack,
    template,
    assembly: outdir,
    outputs: read.Outputs,
    resources: (type) =>
      Object.fromEntries(Object.entries(read.Resources).filter(([, resource]) => resource.Type === type)),
    remove: () => rmSync(outdir, { recursive: true, force: true }),
  };
}

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [intrinsic, argument] = entries.length === 1 ? (entries[0] as [string, unknown]) : ['', undefined];
  if (intrinsic === 'Ref') return `<${withoutHash(String(argument))}>`;
  if (intrinsic === 'Fn::GetAtt') {
    const [id, attribute] = argument as [string, string];
    return `<${withoutHash(id)}.${attribute}>`;
  }
  if (intrinsic === 'Fn::Join') {
    const [separator, parts] = argument as [string, unknown[]];
    return parts.map(readable).join(separator);
  }
  if (intrinsic === 'Fn::Select') {
    const [index, { 'Fn::Split': split }] = argument as [number, { 'Fn::Split': [string, unknown] }];
    return `<part ${index} of ${readable(split[1])} at ${split[0]}>`;
  }
  return Object.fromEntries(entries.map(([key, inner]) => [withoutHash(key), readable(inner)]));
}

/** CDK ends a logical id with eight hexadecimal digits. */
function withoutHash(id: string): string {
  return id.replace(/(?<=\w)[0-9A-F]{8}$/, '');
}
