// The settings of the stack: read from the CDK context and validated.
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Node } from 'constructs';
import { identityNamePattern, platformIdentity, readSettings, variables } from '../core/settings.ts';
import { checkRules } from '../core/versions/rotation-schedule.ts';
import type { PrivateNetwork } from './egress-function.ts';

export interface StackSettings {
  readonly stackName: string;
  /** Secret name = prefix + identity name. */
  readonly secretPrefix: string;
  readonly identityTtlSeconds: number;
  /** Where docs/ is published; the `type` of a problem document links there. */
  readonly docsUrl: string;
  /** Identities that get a caller policy. */
  readonly callers: readonly string[];
  /** Memory of the invocation function in MB; Lambda gives CPU in proportion to it. */
  readonly memoryMb: number;
  /** Reserved concurrency of the invocation function; absent: the account's limit. */
  readonly reservedConcurrency: number | undefined;
  /** Requests a second, over all callers. */
  readonly throttleRate: number;
  readonly throttleBurst: number;
  readonly logRetention: RetentionDays;
  /** Network of the functions that connect to customers; absent: none. */
  readonly network: PrivateNetwork | undefined;
  /** Identities that are rotated on a schedule of the stack. */
  readonly rotations: readonly RotationSetting[];
  /** ARNs of the AWS Private CA authorities that the rotation function can use. */
  readonly privateAuthorities: readonly string[];
  /** ARN of the SNS topic for alarms; absent: no notification. */
  readonly alarmTopicArn: string | undefined;
}

/** `now` is in milliseconds since 1970. Throws an Error that names the key and what it may be. */
export function readStackSettings(node: Node, now = Date.now()): StackSettings {
  refuseUnknownKeys(node);
  const value = (key: string): unknown => node.tryGetContext(`countersign:${key}`);
  const text = (key: string): string => String(value(key) ?? '');
  const functions = functionSettings({
    secretPrefix: text('secretPrefix'),
    identityTtlSeconds: text('identityTtlSeconds'),
    docsUrl: text('docsUrl'),
  });
  const privateAuthorities = privateCas(value('privateCas'));
  return {
    stackName: stackName(text('stackName')),
    secretPrefix: functions.secretPrefix,
    identityTtlSeconds: functions.identityTtlMs / 1000,
    docsUrl: functions.docsUrl,
    callers: callers(value('callers')),
    memoryMb: whole('memoryMb', value('memoryMb') ?? 1024, 128, 10_240),
    reservedConcurrency: optionalWhole('reservedConcurrency', value('reservedConcurrency'), 1, 100_000),
    throttleRate: whole('throttleRate', value('throttleRate') ?? 100, 1, 100_000),
    throttleBurst: whole('throttleBurst', value('throttleBurst') ?? 200, 1, 100_000),
    logRetention: logRetention(value('logRetentionDays') ?? 90),
    network: network(value('subnetIds'), value('securityGroupIds')),
    rotations: rotations(value('rotations'), privateAuthorities, now),
    privateAuthorities,
    alarmTopicArn: alarmTopicArn(text('alarmTopicArn')),
  };
}

/** Validates with the functions' own rules, and replaces their variable names with context keys in the message. */
function functionSettings(values: Readonly<Record<'secretPrefix' | 'identityTtlSeconds' | 'docsUrl', string>>) {
  const names = Object.keys(values) as (keyof typeof values)[];
  try {
    return readSettings(Object.fromEntries(names.map((name) => [variables[name], values[name]])));
  } catch (thrown) {
    const sentence = thrown instanceof Error ? thrown.message : String(thrown);
    const message = names.reduce((text, name) => text.replaceAll(variables[name], keyPrefix + name), sentence);
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
  'memoryMb',
  'reservedConcurrency',
  'throttleRate',
  'throttleBurst',
  'logRetentionDays',
  'subnetIds',
  'securityGroupIds',
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

function callers(value: unknown): readonly string[] {
  const names = list(value ?? platformIdentity);
  if (!names.every((name) => identityNamePattern.test(name)) || new Set(names).size !== names.length) {
    throw new Error('countersign:callers must be names of identities, each once: lower case letters, digits, hyphens.');
  }
  return names;
}

function network(subnets: unknown, groups: unknown): PrivateNetwork | undefined {
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

function privateCas(value: unknown): readonly string[] {
  const arns = list(value);
  if (
    !arns.every((arn) => /^arn:aws[a-z-]*:acm-pca:[a-z0-9-]+:\d{12}:certificate-authority\/[0-9a-f-]{36}$/.test(arn))
  ) {
    throw new Error('countersign:privateCas must be ARNs of certificate authorities of AWS Private CA.');
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
  return value === undefined || value === null || value === '' ? [] : String(value).split(',');
}

function logRetention(value: unknown): RetentionDays {
  const days = Number(value);
  if (typeof RetentionDays[days] !== 'string' || days === RetentionDays.INFINITE) {
    throw new Error('countersign:logRetentionDays must be one of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, … 3653.');
  }
  return days;
}

function optionalWhole(key: string, value: unknown, least: number, most: number): number | undefined {
  return value === undefined || value === null || value === '' ? undefined : whole(key, value, least, most);
}

function whole(key: string, value: unknown, least: number, most: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(String(value)) || number < least || number > most) {
    throw new Error(`countersign:${key} must be a whole number from ${least} to ${most}.`);
  }
  return number;
}

export interface RotationSetting {
  readonly identity: string;
  /** `rate(30 days)` or `cron(0 3 1 * ? *)` (Secrets Manager user guide, "Schedule expressions"). */
  readonly schedule: string;
  /**
   * How long after the schedule's time the rotation may begin: `1h` to `24h`. Absent: the day (UTC), or for hours the
   * hour.
   */
  readonly window: string | undefined;
  /** The `renewal` of docs/identities.md, until the identity document has one of its own. */
  readonly renewal: Readonly<Record<string, unknown>> | undefined;
}

const key = 'countersign:rotations';

/** Lambda allows 4 KB for all variables of a function (AWS Lambda quotas); this leaves room for the others. */
const maxRenewalBytes = 3_000;

/** A list, or its JSON text from the command line. Throws an Error that names the key and what it may be. */
function rotations(value: unknown, privateAuthorities: readonly string[], now: number): readonly RotationSetting[] {
  const listed = typeof value === 'string' && value !== '' ? parsed(value) : (value ?? []);
  if (listed === '') return [];
  if (!Array.isArray(listed)) throw new Error(`${key} must be a list of {identity, schedule, window, renewal}.`);
  const settings = listed.map((entry) => rotation(entry, privateAuthorities, now));
  if (new Set(settings.map(({ identity }) => identity)).size !== settings.length) {
    throw new Error(`${key} may name an identity once.`);
  }
  if (Buffer.byteLength(JSON.stringify(renewalsOf(settings))) > maxRenewalBytes) {
    throw new Error(
      `${key} may hold ${maxRenewalBytes} bytes of renewals; put longer ones into the identity documents.`,
    );
  }
  return settings;
}

/** By identity, as COUNTERSIGN_RENEWALS has them. */
export function renewalsOf(settings: readonly RotationSetting[]): Readonly<Record<string, object>> {
  return Object.fromEntries(settings.flatMap(({ identity, renewal }) => (renewal ? [[identity, renewal]] : [])));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${key} must be JSON on the command line.`);
  }
}

function rotation(entry: unknown, privateAuthorities: readonly string[], now: number): RotationSetting {
  if (!isObject(entry)) throw new Error(`${key} must be a list of {identity, schedule, window, renewal}.`);
  const { identity, schedule, window, renewal, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`${key} has no "${other}"; there are identity, schedule, window, renewal.`);
  if (typeof identity !== 'string' || !identityNamePattern.test(identity)) {
    throw new Error(`${key}: identity must be lower case letters, digits and hyphens, at most 63.`);
  }
  if (typeof schedule !== 'string') {
    throw new Error(`${key}: schedule of ${identity} must be text, for example rate(30 days) or cron(0 3 1 * ? *).`);
  }
  if (window !== undefined && typeof window !== 'string') {
    throw new Error(`${key}: window of ${identity} must be text, from 1h to 24h.`);
  }
  checkSchedule({ identity, schedule, window }, now);
  checkRenewal(identity, renewal, privateAuthorities);
  return { identity, schedule, window, renewal: renewal as RotationSetting['renewal'] };
}

/** Secrets Manager would refuse such a schedule during the deployment. */
function checkSchedule({ identity, schedule, window }: Omit<RotationSetting, 'renewal'>, now: number): void {
  const rules = { ScheduleExpression: schedule, ...(window === undefined ? {} : { Duration: window }) };
  try {
    checkRules(rules, now);
  } catch (thrown) {
    throw new Error(`${key}: schedule or window of ${identity}: ${(thrown as Error).message}`, { cause: thrown });
  }
}

/** The function validates the rest; this rejects what must not be deployed. */
function checkRenewal(identity: string, renewal: unknown, privateAuthorities: readonly string[]): void {
  if (renewal === undefined) return;
  const issuer = isObject(renewal) ? renewal.issuer : undefined;
  if (!isObject(issuer) || typeof issuer.kind !== 'string') {
    throw new Error(`${key}: renewal of ${identity} must have an issuer with a kind.`);
  }
  const secret = Object.entries(issuer).find(isSecret)?.[0];
  if (secret !== undefined) {
    throw new Error(
      `${key}: ${secret} of ${identity} would be readable in the template and in the console; put it into the identity document.`,
    );
  }
  const authority = issuer.certificateAuthorityArn;
  if (issuer.kind === 'aws-private-ca' && !privateAuthorities.includes(String(authority))) {
    throw new Error(`${key}: the authority of ${identity} must be in countersign:privateCas as well.`);
  }
}

/**
 * By its name (also a misspelled one, which the function would find only after the deployment), or by its value:
 * credentials in a URL, a private key among certificates.
 */
function isSecret([name, value]: [string, unknown]): boolean {
  if (/pass|secret|token|key$/i.test(name)) return true;
  return typeof value === 'string' && /^[a-z]+:\/\/[^/?#]*@|PRIVATE KEY/i.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
