// The versions of an identity's secret: reads and writes their values, and moves the staging labels they carry.
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '../aws/client.ts';
import { CountersignError } from '../errors.ts';
import { binarySecret, explain } from '../identity/secrets-manager.ts';
import { identityOf } from './secret-name.ts';

/** A secret without its values. `secretId` is everywhere what AWS calls SecretId: the name or, better, the ARN. */
export interface SecretState {
  readonly arn: string;
  readonly name: string;
  readonly rotationEnabled: boolean;
  /** Staging labels by version; a version without a label is not listed. */
  readonly stages: ReadonlyMap<string, readonly string[]>;
}

export interface StoredVersion {
  readonly version: string;
  readonly document: string;
}

/**
 * Throws `identity-not-found` when there is no such secret, `identity-unavailable` when it cannot be asked, and
 * `identity-unusable` for a binary value. Secrets Manager is eventually consistent: an answer may be older than the
 * last write.
 */
export interface SecretVersions {
  describe(secretId: string): Promise<SecretState>;
  /** Undefined when there is no such version, or none with that label, or when it has no value. */
  read(
    secretId: string,
    which: { readonly version: string } | { readonly stage: string },
  ): Promise<StoredVersion | undefined>;
  /**
   * Makes a version, or gives one that has no value its value; its labels are taken from where they were. A value stays:
   * `exists` says that the version has another one, and nothing was changed.
   */
  put(secretId: string, value: NewVersion): Promise<'stored' | 'exists'>;
  /**
   * From one version to another, or off one (without `to`). `refused`: the label is not where `from` says, or the
   * version is gone.
   */
  moveStage(
    secretId: string,
    stage: string,
    move: { readonly from: string | undefined; readonly to: string | undefined },
  ): Promise<'moved' | 'refused'>;
}

export interface NewVersion {
  readonly version: string;
  readonly document: string;
  readonly stages: readonly string[];
  /** Of the event, where the function works in another account's name (AWS API reference, PutSecretValue). */
  readonly rotationToken?: string | undefined;
}

export interface VersionsSettings {
  /** Goes before an identity's name to make a secret's name. */
  readonly prefix: string;
  /** For each of six attempts; throttling is waited out between them. */
  readonly attemptTimeoutMs?: number;
  /** For a whole call, its attempts and the waits between them. */
  readonly callTimeoutMs?: number;
}

const maxAttempts = 6;

/** Region, credentials and endpoint are the SDK's own settings. */
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
        if (labelIsElsewhere.has(String(error.evidence?.reason)) && error.code === 'identity-unavailable')
          return 'refused';
        if (error.evidence?.reason === 'no-version') return 'refused';
        throw error;
      }
    },
  };
}

/**
 * AWS API reference, UpdateSecretVersionStage: RemoveFromVersionId must be the version that has the label. Which of the two
 * says that it is not, the reference leaves open; one that is about a deletion is told apart by `explain`.
 */
const labelIsElsewhere = new Set(['InvalidParameterException', 'InvalidRequestException']);

function permissionsFor(action: string): string {
  const onKey = action === 'PutSecretValue' ? 'kms:Decrypt and kms:GenerateDataKey' : 'kms:Decrypt';
  return `secretsmanager:${action} on the secret, and ${onKey}`;
}

function nameOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.name : undefined;
}
