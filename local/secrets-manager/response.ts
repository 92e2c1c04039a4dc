// Responses with AWS's field names, dates in seconds, and pages of lists.

import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { nextRotation } from './rotation.ts';
import type { Rotation, Secret, ValuedVersion, Version } from './secret.ts';

const day = 86_400_000;

export function secretAnswer(secret: Secret) {
  return { ARN: secret.arn, Name: secret.name };
}

/** DescribeSecret and an entry of ListSecrets, without the map of stages, whose name differs. */
export function describedSecret(secret: Secret) {
  return {
    ...secretAnswer(secret),
    ...defined('Description', secret.description || undefined),
    ...defined('KmsKeyId', secret.kmsKeyId || undefined),
    ...rotationAnswer(secret),
    ...defined('LastChangedDate', seconds(secret.changedAt)),
    ...defined('LastAccessedDate', seconds(secret.accessedOn)),
    ...defined('DeletedDate', seconds(secret.deletionAt)),
    ...defined('Tags', secret.tags),
    ...defined('CreatedDate', seconds(secret.createdAt)),
  };
}

/** Empty for a secret without rotation; no dates if rotation is cancelled (API reference, DescribeSecret). */
function rotationAnswer(secret: Secret): object {
  const { rotation } = secret;
  if (!rotation) return {};
  return {
    RotationEnabled: rotation.isEnabled,
    RotationLambdaARN: rotation.functionArn,
    RotationRules: rotationRules(secret, rotation),
    ...(rotation.isEnabled && {
      ...defined('LastRotatedDate', seconds(rotation.lastRotatedAt)),
      ...defined('NextRotationDate', seconds(nextRotation(secret)?.closesAt)),
    }),
  };
}

/**
 * After the first rotation AWS also returns the days between the last and the next one, for any schedule
 * (RotationRulesType).
 */
function rotationRules(secret: Secret, { rules, lastRotatedAt }: Rotation): object {
  const opensAt = nextRotation(secret)?.opensAt;
  if (rules.ScheduleExpression === undefined || lastRotatedAt === undefined || opensAt === undefined) return rules;
  return { AutomaticallyAfterDays: Math.ceil((opensAt - lastRotatedAt) / day), ...rules };
}

/** Version id to labels, for labelled versions; undefined without any. */
export function stagesByVersion(secret: Secret): Record<string, readonly string[]> | undefined {
  const staged = secret.versions.filter((version) => version.stages.length > 0);
  return staged.length === 0 ? undefined : Object.fromEntries(staged.map(({ id, stages }) => [id, stages]));
}

/** GetSecretValue, and an entry of BatchGetSecretValue. */
export function valueAnswer(secret: Secret, version: ValuedVersion) {
  const { value } = version;
  return {
    ...secretAnswer(secret),
    VersionId: version.id,
    ...('string' in value ? { SecretString: value.string } : { SecretBinary: value.binary }),
    ...defined('VersionStages', version.stages.length > 0 ? version.stages : undefined),
    CreatedDate: seconds(version.createdAt),
  };
}

/** An entry of ListSecretVersionIds. */
export function versionEntry(secret: Secret, version: Version) {
  return {
    VersionId: version.id,
    ...defined('VersionStages', version.stages.length > 0 ? version.stages : undefined),
    ...defined('LastAccessedDate', seconds(version.accessedOn)),
    CreatedDate: seconds(version.createdAt),
    KmsKeyIds: [secret.kmsKeyId || 'DefaultEncryptionKey'],
  };
}

/** Dates are seconds since 1970 with a fraction (AWS JSON 1.1, timestamp format epoch-seconds). */
export function seconds(milliseconds: number): number;
export function seconds(milliseconds: number | undefined): number | undefined;
export function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000;
}

export function defined<Key extends string, Value>(key: Key, value: Value | undefined): Record<Key, Value> | object {
  return value === undefined ? {} : { [key]: value };
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly NextToken?: string;
}

interface PageRequest<Item> {
  /** Unique for each entry; the sort key. */
  readonly keyOf: (item: Item) => string;
  readonly descending?: boolean;
  readonly size: number;
  readonly token: string | undefined;
  /** Identifies the list and its filters; a token of another list is rejected. */
  readonly list: unknown;
}

const tokenSchema = v.strictTuple([v.string(), v.string()]);

/** Throws InvalidNextTokenException. */
export function pageOf<Item>(items: readonly Item[], request: PageRequest<Item>): Page<Item> {
  const { keyOf, size, token } = request;
  const list = createHash('sha256').update(JSON.stringify(request.list)).digest('base64url').slice(0, 16);
  const after = token === undefined ? undefined : readToken(token, list);
  const sign = request.descending ? -1 : 1;
  const rest = items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((one, other) => sign * compare(one.key, other.key))
    .filter(({ key }) => after === undefined || sign * compare(key, after) > 0);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    ...(last && rest.length > size ? { NextToken: writeToken(list, last.key) } : {}),
  };
}

/** A time and a name as one key that sorts by time, then by name. */
export function timeKey(milliseconds: number, name: string): string {
  return `${String(milliseconds).padStart(15, '0')} ${name}`;
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function writeToken(list: string, key: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

function readToken(token: string, list: string): string {
  try {
    const [tokenList, key] = v.parse(tokenSchema, JSON.parse(Buffer.from(token, 'base64url').toString()));
    if (tokenList === list) return key;
  } catch {
    // Invalid token: same error as for another list.
  }
  throw new AwsError('InvalidNextTokenException', 'The NextToken value is invalid.');
}
