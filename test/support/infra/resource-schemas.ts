// Checks a template against the CloudFormation resource schemas, and against limits of the template reference.
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';

const database = loadAwsServiceSpecSync();
const schemaOf = (type: string) => database.lookup('resource', 'cloudFormationType', 'equals', type)[0];

type Schema = NonNullable<ReturnType<typeof schemaOf>>;
type Properties = Schema['properties'];
type PropertyType = Properties[string]['type'];

interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
}

interface CheckedTemplate {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Parameters?: Readonly<Record<string, unknown>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown; readonly Description?: string }>>;
}

/** One sentence for each fault: `<logical id>.<path>: <what is wrong>`. Empty for a template that agrees. */
export function templateFaults(template: CheckedTemplate): readonly string[] {
  const resources = Object.entries(template.Resources);
  return [
    ...resources.flatMap(([id, resource]) => resourceFaults(id, resource, template)),
    ...referenceFaults('Outputs', template.Outputs ?? {}, template),
    ...countFaults(template),
  ];
}

function resourceFaults(id: string, resource: TemplateResource, template: CheckedTemplate): readonly string[] {
  const schema = schemaOf(resource.Type);
  if (!schema) return [`${id}: no resource type ${resource.Type}`];
  const properties = resource.Properties ?? {};
  const missing = [resource.DependsOn ?? []].flat().filter((other) => !Object.hasOwn(template.Resources, other));
  return [
    ...(/^[A-Za-z0-9]{1,255}$/.test(id) ? [] : [`${id}: not a logical id`]),
    ...missing.map((other) => `${id}.DependsOn: no resource ${other}`),
    ...objectFaults(id, properties, schema.properties),
    ...limitFaults(id, resource.Type, properties),
    ...referenceFaults(id, properties, template),
  ];
}

function objectFaults(path: string, value: Readonly<Record<string, unknown>>, known: Properties): readonly string[] {
  const required = Object.entries(known).filter(([name, { required }]) => required && !Object.hasOwn(value, name));
  return [
    ...required.map(([name]) => `${path}.${name}: missing`),
    ...Object.entries(value).flatMap(([name, inner]) => {
      const property = Object.hasOwn(known, name) ? known[name] : undefined;
      return property ? typeFaults(`${path}.${name}`, inner, property.type) : [`${path}.${name}: unknown property`];
    }),
  ];
}

function typeFaults(path: string, value: unknown, type: PropertyType): readonly string[] {
  if (isIntrinsic(value)) return [];
  switch (type.type) {
    case 'json':
      return isObject(value) || typeof value === 'string' ? [] : [`${path}: not JSON`];
    case 'string':
    case 'date-time':
      if (typeof value !== 'string') return [`${path}: not a string`];
      return enumerationFaults(path, value, type.type === 'string' ? type.allowedValues : undefined);
    case 'integer':
      if (!Number.isInteger(value)) return [`${path}: not an integer`];
      return enumerationFaults(path, value as number, type.allowedValues);
    case 'number':
      return typeof value === 'number' ? [] : [`${path}: not a number`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path}: not a boolean`];
    case 'null':
      return value === null ? [] : [`${path}: not null`];
    case 'array':
      if (!Array.isArray(value)) return [`${path}: not a list`];
      return value.flatMap((inner, index) => typeFaults(`${path}[${index}]`, inner, type.element));
    case 'map':
      if (!isObject(value)) return [`${path}: not an object`];
      return Object.entries(value).flatMap(([name, inner]) => typeFaults(`${path}.${name}`, inner, type.element));
    case 'ref':
      if (!isObject(value)) return [`${path}: not an object`];
      return objectFaults(path, value, database.get('typeDefinition', type.reference.$ref).properties);
    case 'tag':
      if (!isObject(value)) return [`${path}: not an object`];
      return Object.keys(value).sort().join() === 'Key,Value' ? [] : [`${path}: not a tag`];
    case 'union': {
      const [fewest = []] = type.types.map((one) => typeFaults(path, value, one)).sort((a, b) => a.length - b.length);
      return fewest;
    }
  }
}

function enumerationFaults<T>(path: string, value: T, allowed: readonly T[] | undefined): readonly string[] {
  return allowed === undefined || allowed.includes(value) ? [] : [`${path}: ${value} is not one of ${allowed.join()}`];
}

type Limit = readonly [least: number, most: number];

/**
 * The schemas of the package have no limits. These are from the CloudFormation template reference: of a number its
 * value, of text and lists the length, of an object the length as JSON.
 */
const limits: Readonly<Record<string, Readonly<Record<string, Limit>>>> = {
  'AWS::ApiGatewayV2::Api': { Name: [1, 128], Description: [0, 1_024] },
  'AWS::ApiGatewayV2::Integration': { TimeoutInMillis: [50, 30_000] },
  'AWS::ApiGatewayV2::Stage': { StageName: [1, 128], 'AccessLogSettings.Format': [1, 3_072] },
  'AWS::CloudWatch::Alarm': {
    AlarmName: [1, 255],
    AlarmDescription: [0, 1_024],
    EvaluationPeriods: [1, 8_640],
    DatapointsToAlarm: [1, 8_640],
    Metrics: [1, 20],
    AlarmActions: [0, 5],
    OKActions: [0, 5],
  },
  'AWS::CloudWatch::Dashboard': { DashboardName: [1, 255] },
  'AWS::Events::EventBus': { Name: [1, 256], Description: [0, 512] },
  'AWS::IAM::ManagedPolicy': { Description: [0, 1_000], PolicyDocument: [1, 6_144] },
  'AWS::IAM::Policy': { PolicyName: [1, 128], PolicyDocument: [1, 10_240] },
  'AWS::IAM::Role': { Description: [0, 1_000], AssumeRolePolicyDocument: [1, 2_048] },
  'AWS::KMS::Alias': { AliasName: [1, 256] },
  'AWS::KMS::Key': { Description: [0, 8_192], PendingWindowInDays: [7, 30], KeyPolicy: [1, 32_768] },
  'AWS::Lambda::Function': {
    Description: [0, 256],
    MemorySize: [128, 10_240],
    Timeout: [1, 900],
    'Environment.Variables': [0, 4_096],
    ReservedConcurrentExecutions: [0, 1_000_000],
    'VpcConfig.SubnetIds': [0, 16],
    'VpcConfig.SecurityGroupIds': [0, 5],
  },
  'AWS::Logs::LogGroup': { LogGroupName: [1, 512] },
  'AWS::SQS::Queue': { MessageRetentionPeriod: [60, 1_209_600] },
  'AWS::Scheduler::Schedule': {
    Description: [0, 512],
    ScheduleExpression: [1, 256],
    'Target.RetryPolicy.MaximumRetryAttempts': [0, 185],
    'Target.RetryPolicy.MaximumEventAgeInSeconds': [60, 86_400],
  },
  'AWS::SecretsManager::RotationSchedule': {
    'RotationRules.ScheduleExpression': [1, 256],
    'RotationRules.Duration': [2, 3],
    'RotationRules.AutomaticallyAfterDays': [1, 1_000],
  },
  'AWS::SecretsManager::Secret': { Name: [1, 512], Description: [0, 2_048] },
};

function limitFaults(id: string, type: string, properties: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(limits[type] ?? {}).flatMap(([path, [least, most]]) => {
    const size = sizeOf(valueAt(properties, path));
    if (size === undefined || (size >= least && size <= most)) return [];
    return [`${id}.${path}: ${size} is not from ${least} to ${most}`];
  });
}

function valueAt(properties: unknown, path: string): unknown {
  return path.split('.').reduce((value, name) => (isObject(value) ? value[name] : undefined), properties);
}

function sizeOf(value: unknown): number | undefined {
  if (value === undefined || isIntrinsic(value)) return undefined;
  if (typeof value === 'number') return value;
  return typeof value === 'string' || Array.isArray(value) ? value.length : JSON.stringify(value).length;
}

/** CloudFormation quotas. */
function countFaults({ Resources, Outputs = {}, Parameters = {} }: CheckedTemplate): readonly string[] {
  const counts = { Resources: [Resources, 500], Outputs: [Outputs, 200], Parameters: [Parameters, 200] } as const;
  return Object.entries(counts).flatMap(([name, [listed, most]]) => {
    const count = Object.keys(listed).length;
    return count <= most ? [] : [`${name}: ${count} are more than ${most}`];
  });
}

/** Each Ref and Fn::GetAtt names a resource, a parameter or a pseudo parameter, and an attribute that it has. */
function referenceFaults(path: string, value: unknown, template: CheckedTemplate): readonly string[] {
  if (Array.isArray(value))
    return value.flatMap((inner, index) => referenceFaults(`${path}[${index}]`, inner, template));
  if (!isObject(value)) return [];
  if (typeof value.Ref === 'string') {
    const isKnown =
      value.Ref.startsWith('AWS::') ||
      Object.hasOwn(template.Resources, value.Ref) ||
      Object.hasOwn(template.Parameters ?? {}, value.Ref);
    return isKnown ? [] : [`${path}: no resource or parameter ${value.Ref}`];
  }
  if (Array.isArray(value['Fn::GetAtt'])) {
    const [id, attribute] = value['Fn::GetAtt'] as [string, string];
    const schema = schemaOf(template.Resources[id]?.Type ?? '');
    return schema && Object.hasOwn(schema.attributes, attribute) ? [] : [`${path}: no attribute ${id}.${attribute}`];
  }
  return Object.entries(value).flatMap(([name, inner]) => referenceFaults(`${path}.${name}`, inner, template));
}

function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false;
  const [name = '', ...others] = Object.keys(value);
  return others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
