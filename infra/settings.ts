// The settings: validated for the props of the construct, and read from the CDK context for the stack of the app.
import { Token } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Node } from 'constructs';
import { identityNamePattern, platformIdentity, readSettings, variables } from '../core/settings.ts';
import { type ApiKind, apiKinds } from './api/egress-api.ts';
import { isObject, listOrJson, type RotationSetting, readRotations } from './rotation-settings.ts';

/** Settings that the construct and the app have in common. */
export interface InstallationSettings {
  /** Secret name = prefix + identity name. */
  readonly secretPrefix: string;
  readonly identityTtlSeconds: number;
  /** Where docs/ is published; the `type` of a problem document links there. */
  readonly docsUrl: string;
  /** Identities that get a caller policy. */
  readonly callers: readonly string[];
  readonly api: ApiKind;
  /** Memory of the invocation function in MB; Lambda gives CPU in proportion to it. */
  readonly memoryMb: number;
  /** Reserved concurrency of the invocation function; absent: the account's limit. */
  readonly reservedConcurrency: number | undefined;
  /** Requests a second, over all callers. */
  readonly throttleRate: number;
  readonly throttleBurst: number;
  readonly logRetention: RetentionDays;
  /** Identities that are rotated on a schedule of the stack. */
  readonly rotations: readonly RotationSetting[];
  /** ARNs of the AWS Private CA authorities that the rotation function can use. */
  readonly privateAuthorities: readonly string[];
}

/** Settings of the app: other resources are named by their ids. */
export interface StackSettings extends InstallationSettings {
  readonly stackName: string;
  /** Network of the functions that connect to customers; absent: none. */
  readonly network: { readonly subnetIds: readonly string[]; readonly securityGroupIds: readonly string[] } | undefined;
  /** Endpoints through which a private API is called. */
  readonly apiEndpointIds: readonly string[];
  /** Whether the stack sets the role with which API Gateway writes the logs of REST APIs in this account and region. */
  readonly apiLogsRole: boolean;
  /** Identities whose secret exists. */
  readonly existingSecrets: readonly ExistingSecret[];
  /** ARN of the SNS topic for alarms; absent: no notification. */
  readonly alarmTopicArn: string | undefined;
}

interface ExistingSecret {
  readonly identity: string;
  /** ARN of its key; absent: the key of the stack, or that of AWS for Secrets Manager. */
  readonly keyArn: string | undefined;
}

/** `now` is in milliseconds since 1970. Throws an Error that names the key and what it may be. */
export function readStackSettings(node: Node, now = Date.now()): StackSettings {
  refuseUnknownKeys(node);
  const value = (key: string): unknown => node.tryGetContext(`${keyPrefix}${key}`);
  const text = (key: string): string => String(value(key) ?? '');
  const settings = checkSettings(value, keyPrefix, now);
  return {
    ...settings,
    stackName: stackName(text('stackName')),
    network: network(value('subnetIds'), value('securityGroupIds')),
    apiEndpointIds: apiEndpointIds(value('apiEndpointIds'), settings.api),
    apiLogsRole: truth('apiLogsRole', value('apiLogsRole') ?? true),
    existingSecrets: existingSecrets(value('existingSecrets')),
    alarmTopicArn: alarmTopicArn(text('alarmTopicArn')),
  };
}

/**
 * @param value gives a setting by its name; undefined: the default
 * @param prefix goes before the names of settings in messages: `countersign:`, or nothing for props of the construct
 * @param now milliseconds since 1970
 * @throws Error that names the setting and what it may be
 */
export function checkSettings(value: (key: string) => unknown, prefix: string, now = Date.now()): InstallationSettings {
  const text = (key: string): string => String(value(key) ?? '');
  const whole = (key: string, byDefault: number, least: number, most: number): number =>
    wholeNumber(prefix + key, value(key) ?? byDefault, least, most);
  const functions = functionSettings(prefix, {
    secretPrefix: text('secretPrefix'),
    identityTtlSeconds: text('identityTtlSeconds'),
    docsUrl: text('docsUrl'),
  });
  const privateAuthorities = privateCas(`${prefix}privateCas`, value('privateCas'));
  return {
    secretPrefix: functions.secretPrefix,
    identityTtlSeconds: functions.identityTtlMs / 1000,
    docsUrl: functions.docsUrl,
    callers: callers(`${prefix}callers`, value('callers')),
    api: apiKind(`${prefix}api`, value('api') ?? 'http'),
    memoryMb: whole('memoryMb', 1024, 128, 10_240),
    reservedConcurrency: isAbsent(value('reservedConcurrency'))
      ? undefined
      : whole('reservedConcurrency', 1, 1, 100_000),
    throttleRate: whole('throttleRate', 100, 1, 100_000),
    throttleBurst: whole('throttleBurst', 200, 1, 100_000),
    logRetention: logRetention(`${prefix}logRetentionDays`, value('logRetentionDays') ?? 90),
    rotations: readRotations(value('rotations'), privateAuthorities, prefix, now),
    privateAuthorities,
  };
}

/** Validates with the functions' own rules, and replaces their variable names with the settings in the message. */
function functionSettings(
  prefix: string,
  values: Readonly<Record<'secretPrefix' | 'identityTtlSeconds' | 'docsUrl', string>>,
) {
  const names = Object.keys(values) as (keyof typeof values)[];
  try {
    return readSettings(Object.fromEntries(names.map((name) => [variables[name], values[name]])));
  } catch (thrown) {
    const sentence = thrown instanceof Error ? thrown.message : String(thrown);
    const message = names.reduce((text, name) => text.replaceAll(variables[name], prefix + name), sentence);
    throw new Error(message, { cause: thrown });
  }
}

/** A misspelled key would silently keep its default. */
function refuseUnknownKeys(node: Node): void {
  const context = (node.getAllContext() ?? {}) as Readonly<Record<string, unknown>>;
  const keys = Object.keys(context).filter((key) => key.startsWith(keyPrefix));
  const unknown = keys.find((key) => !settingNames.has(key.slice(keyPrefix.length)));
  if (unknown === undefined) return;
  throw new Error(`${unknown} is not a setting; there are ${keyPrefix} ${[...settingNames].join(', ')}.`);
}

const keyPrefix = 'countersign:';
const settingNames: ReadonlySet<string> = new Set([
  'stackName',
  'secretPrefix',
  'identityTtlSeconds',
  'docsUrl',
  'callers',
  'api',
  'apiEndpointIds',
  'apiLogsRole',
  'memoryMb',
  'reservedConcurrency',
  'throttleRate',
  'throttleBurst',
  'logRetentionDays',
  'subnetIds',
  'securityGroupIds',
  'existingSecrets',
  'rotations',
  'privateCas',
  'alarmTopicArn',
]);

/** CloudFormation's rule for stack names, shorter so that derived names fit their limits. */
function stackName(value: string): string {
  if (value === '') return 'Countersign';
  if (!/^[A-Za-z][A-Za-z0-9-]{0,39}$/.test(value)) {
    throw new Error('countersign:stackName must be a letter, then letters, digits and hyphens (at most 40).');
  }
  // The event bus has the name of the stack.
  if (value === 'default')
    throw new Error('countersign:stackName must not be default: EventBridge has a bus of that name.');
  return value;
}

function callers(key: string, value: unknown): readonly string[] {
  const names = list(value ?? platformIdentity);
  if (!names.every((name) => identityNamePattern.test(name)) || new Set(names).size !== names.length) {
    throw new Error(`${key} must be names of identities, each once: lower case letters, digits, hyphens.`);
  }
  return names;
}

function apiKind(key: string, value: unknown): ApiKind {
  const kind = apiKinds.find((one) => one === value);
  if (kind === undefined) throw new Error(`${key} must be http, rest or private.`);
  return kind;
}

function apiEndpointIds(value: unknown, kind: ApiKind): readonly string[] {
  const ids = list(value);
  if (!ids.every((id) => /^vpce-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id))) {
    throw new Error('countersign:apiEndpointIds must be ids of VPC endpoints for execute-api.');
  }
  if (ids.length > 0 !== (kind === 'private')) {
    throw new Error('countersign:apiEndpointIds and countersign:api=private need each other.');
  }
  return ids;
}

function truth(key: string, value: unknown): boolean {
  if (value !== true && value !== false && value !== 'true' && value !== 'false') {
    throw new Error(`${keyPrefix}${key} must be true or false.`);
  }
  return value === true || value === 'true';
}

function network(subnets: unknown, groups: unknown): StackSettings['network'] {
  const [subnetIds, securityGroupIds] = [list(subnets), list(groups)];
  if (subnetIds.length === 0 && securityGroupIds.length === 0) return undefined;
  if (subnetIds.length === 0 || !subnetIds.every((id) => /^subnet-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id))) {
    throw new Error('countersign:subnetIds must be ids of subnets, as soon as there are security groups.');
  }
  if (securityGroupIds.length === 0 || !securityGroupIds.every((id) => /^sg-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id))) {
    throw new Error('countersign:securityGroupIds must be ids of security groups, as soon as there are subnets.');
  }
  return { subnetIds, securityGroupIds };
}

/** Names, or `{identity, keyArn}`; on the command line names with commas between them, or JSON. */
function existingSecrets(value: unknown): readonly ExistingSecret[] {
  const key = 'countersign:existingSecrets';
  const listed = typeof value === 'string' && !/^\s*[[{]/.test(value) ? list(value) : listOrJson(value, key);
  const secrets = Array.isArray(listed) ? listed.map(existingSecret) : [undefined];
  const names = new Set(secrets.map((secret) => secret?.identity));
  if (names.has(undefined) || names.size !== secrets.length) {
    throw new Error(`${key} must be names of identities, or {identity, keyArn} with the ARN of a key, each once.`);
  }
  return secrets as readonly ExistingSecret[];
}

function existingSecret(entry: unknown): ExistingSecret | undefined {
  const { identity, keyArn, ...others } = isObject(entry) ? entry : { identity: entry };
  if (typeof identity !== 'string' || !identityNamePattern.test(identity)) return undefined;
  if (Object.keys(others).length > 0) return undefined;
  if (isAbsent(keyArn)) return { identity, keyArn: undefined };
  return /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/.test(String(keyArn))
    ? { identity, keyArn: String(keyArn) }
    : undefined;
}

/** ARNs of resources of the same app are tokens. */
function privateCas(key: string, value: unknown): readonly string[] {
  const arns = list(value);
  const pattern = /^arn:aws[a-z-]*:acm-pca:[a-z0-9-]+:\d{12}:certificate-authority\/[0-9a-f-]{36}$/;
  if (!arns.every((arn) => Token.isUnresolved(arn) || pattern.test(arn))) {
    throw new Error(`${key} must be ARNs of certificate authorities of AWS Private CA.`);
  }
  return arns;
}

/** CloudWatch does not notify FIFO topics (CloudWatch user guide, "Using Amazon CloudWatch alarms"). */
function alarmTopicArn(value: string): string | undefined {
  if (value === '') return undefined;
  if (!/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}$/.test(value)) {
    throw new Error('countersign:alarmTopicArn must be the ARN of an SNS topic that is not FIFO.');
  }
  return value;
}

/** A list in cdk.json; values with commas between them on the command line. */
function list(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(String);
  return isAbsent(value) ? [] : String(value).split(',');
}

function logRetention(key: string, value: unknown): RetentionDays {
  const days = Number(value);
  if (typeof RetentionDays[days] !== 'string' || days === RetentionDays.INFINITE) {
    throw new Error(`${key} must be one of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, … 3653.`);
  }
  return days;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function wholeNumber(key: string, value: unknown, least: number, most: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(String(value)) || number < least || number > most) {
    throw new Error(`${key} must be a whole number from ${least} to ${most}.`);
  }
  return number;
}
