// The versions of an identity's secret: reads and writes their values, and moves their staging labels.
import { createHash } from 'node:crypto';
import {
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '../aws/client.ts';
import { CountersignError } from '../errors.ts';
import { binarySecret, explain } from '../identity/secrets-manager.ts';
import { identityNamePattern } from '../settings.ts';

/**
 * The ARN ends with a hyphen and six characters (Secrets Manager User Guide, "What's in a Secrets Manager secret?").
 */
const secretArn = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:(.+?)(?:-[A-Za-z0-9]{6})?$/;

/** The identity of a secret's name; undefined if the name is not that of an identity. */
export function identityNamed(prefix: string, name: string): string | undefined {
  const identity = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return identityNamePattern.test(identity) ? identity : undefined;
}

/** For messages: the name of a secret, given by name or ARN, without the prefix if it has it. */
export function identityOf(prefix: string, secretId: string): string {
  const name = secretArn.exec(secretId)?.[1] ?? secretId;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** The version that stores the key and the certificate request while the issuer signs. */
export function requestVersionOf(token: string): string {
  return uuidOf(`countersign certificate request ${token}`);
}

/** For the issuer: 36 characters, the most that AWS Private CA accepts. */
export function idempotencyTokenOf(token: string): string {
  return uuidOf(`countersign order ${token}`);
}

/** Name-based (RFC 9562, section 5.8), so that a repeated run derives the same id. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export const stagingLabels = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
  /** Countersign's own: on the version that stores the key and certificate request of the rotation in progress. */
  request: 'COUNTERSIGN_REQUEST',
} as const;

/** A secret without its values. */
export interface SecretState {
  readonly arn: string;
  readonly name: string;
  readonly rotationEnabled: boolean;
  /** Of a replica: the region of its primary, where alone it can be changed. */
  readonly primaryRegion?: string | undefined;
  /** Staging labels by version; a version without a label is not listed. */
  readonly stages: ReadonlyMap<string, readonly string[]>;
}

export interface StoredVersion {
  readonly version: string;
  readonly document: string;
}

/**
 * Throws `identity-not-found` if the secret does not exist, `identity-unavailable` if the request fails, and
 * `identity-unusable` for a binary value. Secrets Manager is eventually consistent: a read may return the state before
 * the last write. `secretId` is what AWS calls SecretId: the name or, better, the ARN.
 */
export interface SecretVersions {
  describe(secretId: string): Promise<SecretState>;
  /** Undefined if no version has that id or label, or if the version has no value. */
  read(
    secretId: string,
    which: { readonly version: string } | { readonly stage: string },
  ): Promise<StoredVersion | undefined>;
  /**
   * Creates a version, or stores the value of a version that has none; its labels move from their earlier version. The
   * value of a version never changes: `exists` means that it has another value, and that nothing was changed.
   */
  put(secretId: string, value: NewVersion): Promise<'stored' | 'exists'>;
  /**
   * Moves a label from one version to another; without `to`, removes it. `conflict`: the label is not on `from`, or
   * the version is gone.
   */
  moveStage(
    secretId: string,
    stage: string,
    move: { readonly from: string | undefined; readonly to: string | undefined },
  ): Promise<'moved' | 'conflict'>;
}

interface NewVersion {
  readonly version: string;
  readonly document: string;
  readonly stages: readonly string[];
  /** Of the rotation event, for a function that assumes a role in another account (API reference, PutSecretValue). */
  readonly rotationToken?: string | undefined;
}

export interface VersionsSettings {
  /** The name of a secret is this prefix and the name of the identity. */
  readonly prefix: string;
  /** Milliseconds for each of six attempts. Default 5,000. */
  readonly attemptTimeoutMs?: number;
  /** Milliseconds for a call with its attempts and the pauses between them. Default 25,000. */
  readonly callTimeoutMs?: number;
}

const maxAttempts = 6;

/** Region, credentials and endpoint come from the SDK's own settings. */
export function openVersions(settings: VersionsSettings): SecretVersions {
  const { prefix, attemptTimeoutMs = 5_000, callTimeoutMs = 25_000 } = settings;
  const client = new SecretsManagerClient(clientSettings(maxAttempts, attemptTimeoutMs));
  const options = () => ({ abortSignal: AbortSignal.timeout(callTimeoutMs) });
  const failure = (
    thrown: unknown,
    secretId: string,
    action: string,
    place: { stage?: string; version?: string } = {},
  ) => explain(thrown, identityOf(prefix, secretId), { permissions: permissionsFor(action), ...place });

  return {
    async describe(secretId) {
      const command = new DescribeSecretCommand({ SecretId: secretId });
      const answer = await client.send(command, options()).catch((thrown: unknown) => {
        throw failure(thrown, secretId, 'DescribeSecret');
      });
      return {
        arn: answer.ARN ?? secretId,
        name: answer.Name ?? '',
        rotationEnabled: answer.RotationEnabled === true,
        primaryRegion: primaryRegionOf(answer),
        stages: new Map(Object.entries(answer.VersionIdsToStages ?? {})),
      };
    },

    async read(secretId, which) {
      const place = 'version' in which ? { VersionId: which.version } : { VersionStage: which.stage };
      const command = new GetSecretValueCommand({ SecretId: secretId, ...place });
      try {
        const answer = await client.send(command, options());
        if (answer.SecretBinary !== undefined) throw binarySecret();
        if (answer.SecretString === undefined || answer.VersionId === undefined) return undefined;
        return { version: answer.VersionId, document: answer.SecretString };
      } catch (thrown) {
        if (thrown instanceof CountersignError) throw thrown;
        const error = failure(thrown, secretId, 'GetSecretValue', which);
        if (error.evidence?.reason === 'no-version') return undefined;
        throw error;
      }
    },

    async put(secretId, { version, document, stages, rotationToken }) {
      const command = new PutSecretValueCommand({
        SecretId: secretId,
        ClientRequestToken: version,
        SecretString: document,
        VersionStages: [...stages],
        RotationToken: rotationToken,
      });
      try {
        await client.send(command, options());
        return 'stored';
      } catch (thrown) {
        if (nameOf(thrown) === 'ResourceExistsException') return 'exists';
        throw failure(thrown, secretId, 'PutSecretValue', { version });
      }
    },

    async moveStage(secretId, stage, { from, to }) {
      const command = new UpdateSecretVersionStageCommand({
        SecretId: secretId,
        VersionStage: stage,
        RemoveFromVersionId: from,
        MoveToVersionId: to,
      });
      try {
        await client.send(command, options());
        return 'moved';
      } catch (thrown) {
        const error = failure(thrown, secretId, 'UpdateSecretVersionStage', { stage });
        if (labelConflicts.has(String(error.evidence?.reason)) && error.code === 'identity-unavailable')
          return 'conflict';
        if (error.evidence?.reason === 'no-version') return 'conflict';
        throw error;
      }
    },
  };
}

/**
 * RemoveFromVersionId must be the version that has the label (AWS API reference, UpdateSecretVersionStage). The
 * reference does not say which of the two errors is returned otherwise. `explain` recognises an error about a deleted
 * secret.
 */
const labelConflicts = new Set(['InvalidParameterException', 'InvalidRequestException']);

/** A primary with replicas names its own region (AWS API reference, DescribeSecret, PrimaryRegion). */
function primaryRegionOf({ ARN = '', PrimaryRegion }: DescribeSecretCommandOutput): string | undefined {
  return PrimaryRegion === ARN.split(':')[3] ? undefined : PrimaryRegion;
}

function permissionsFor(action: string): string {
  const onKey = action === 'PutSecretValue' ? 'kms:Decrypt and kms:GenerateDataKey' : 'kms:Decrypt';
  return `secretsmanager:${action} on the secret, and ${onKey}`;
}

function nameOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.name : undefined;
}

/** Undefined if no version has the label. */
export function versionWithLabel({ stages }: Pick<SecretState, 'stages'>, label: string): string | undefined {
  for (const [version, labels] of stages) if (labels.includes(label)) return version;
  return undefined;
}

/**
 * Whether the value is a certificate request that a rotation stores (core/rotation/stored-request.ts) and not an
 * identity. Decided by the content, because labels can be moved.
 */
export function isStoredRequest({ document }: Pick<StoredVersion, 'document'>): boolean {
  try {
    const { certificateRequest, for: version, certificate } = JSON.parse(document);
    return typeof certificateRequest === 'string' && typeof version === 'string' && certificate === undefined;
  } catch {
    return false;
  }
}

/** Resolves after the given number of milliseconds. */
export type Sleep = (ms: number) => Promise<void>;

/** 3.1 s in total. */
const pollPausesMs = [100, 200, 400, 800, 1_600];

/**
 * Reads until `isSettled`, at most six times: what was just written may not be visible yet. Returns the last result.
 */
export async function pollWithBackoff<T>(
  read: () => Promise<T>,
  isSettled: (result: T) => boolean,
  sleep: Sleep,
): Promise<T> {
  let result = await read();
  for (const pause of pollPausesMs) {
    if (isSettled(result)) break;
    await sleep(pause);
    result = await read();
  }
  return result;
}

/** As `pollWithBackoff`, until the result is not undefined. */
export function pollUntilFound<T>(read: () => Promise<T | undefined>, sleep: Sleep): Promise<T | undefined> {
  return pollWithBackoff(read, (result) => result !== undefined, sleep);
}
