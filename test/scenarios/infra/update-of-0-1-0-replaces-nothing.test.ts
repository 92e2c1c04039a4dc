// An update of a deployed 0.1.0 keeps each of its resources. CloudFormation replaces one whose logical id, type, or a
// property that says so in its schema changes.
import { readFileSync } from 'node:fs';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import { afterAll, expect, it } from 'vitest';
import { synthesize } from '../../support/infra/synthesize.ts';

interface Kept {
  readonly type: string;
  /** Those whose change means a replacement. */
  readonly properties: Readonly<Record<string, unknown>>;
}

interface Deployed {
  readonly context: Readonly<Record<string, unknown>>;
  /** By logical id; of every settings but `default` only those that differ from it. */
  readonly resources: Readonly<Record<string, Kept>>;
}

const file = new URL('../../support/infra/stack-0.1.0.json', import.meta.url);
const deployed = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, Deployed>>;
const database = loadAwsServiceSpecSync();

function kept(type: string, properties: Readonly<Record<string, unknown>> = {}): Kept {
  const [schema] = database.lookup('resource', 'cloudFormationType', 'equals', type);
  const replacing = Object.entries(properties).filter(
    ([name]) => (schema?.properties[name]?.causesReplacement ?? 'no') !== 'no',
  );
  return { type, properties: Object.fromEntries(replacing) };
}

/** Replaced on purpose: see CHANGELOG.md. */
const replaced = ['ApiAccessLog713001CC'];

const stacks = Object.entries(deployed).map(
  ([settings, { context, resources }]) =>
    [settings, { ...deployed.default?.resources, ...resources }, synthesize(context)] as const,
);
afterAll(() => {
  for (const [, , stack] of stacks) stack.remove();
});

it.each(stacks)('the stack of 0.1.0 with the settings "%s" is updated in place', (_, before, { template }) => {
  const resources = template.toJSON().Resources as Record<string, { Type: string; Properties?: Kept['properties'] }>;
  const now = Object.entries(resources)
    .filter(([id]) => Object.hasOwn(before, id))
    .map(([id, { Type, Properties }]) => [id, kept(Type, Properties)] as const);
  const changed = (id: string) => replaced.includes(id);
  expect(Object.keys(before).filter(changed)).toEqual(replaced);
  const staying = (entries: readonly (readonly [string, Kept])[]) =>
    Object.fromEntries(entries.filter(([id]) => !changed(id)));
  expect(staying(now)).toEqual(staying(Object.entries(before)));
});

it('the stored template has every resource that must not be replaced', () => {
  const types = Object.values(deployed.rotations?.resources ?? {}).concat(
    Object.values(deployed.default?.resources ?? {}),
  );
  const count = (type: string) => types.filter((one) => one.type === type).length;
  expect(count('AWS::SecretsManager::Secret')).toBe(2);
  expect(count('AWS::KMS::Key')).toBe(1);
  expect(count('AWS::ApiGatewayV2::Api')).toBe(1);
  expect(count('AWS::Events::EventBus')).toBe(1);
  expect(count('AWS::Lambda::Function')).toBe(6);
});
