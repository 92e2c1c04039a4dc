// Reads identities from AWS Secrets Manager, one secret each, and translates its errors.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clientSettings, networkCodeOf, quotableCause } from '../aws/client.ts';
import { CountersignError } from '../errors.ts';
import { type IdentitySource, requireIdentityName, type Stage, type StoredIdentity } from './identity.ts';
import { unusable } from './unusable.ts';

export interface SecretsManagerSettings {
  /** The name of a secret is this prefix and the name of the identity. */
  readonly prefix: string;
  /** Milliseconds, for each of three attempts. A healthy store answers in 20 ms; a call has 10 s in all. */
  readonly attemptTimeoutMs?: number;
}

const maxAttempts = 3;

/**
 * Region, credentials and endpoint are the SDK's own settings (AWS_REGION, AWS_ENDPOINT_URL_SECRETS_MANAGER, …). Create
 * it during init, where Lambda gives the function its full CPU; the first read opens the connection.
 */
export function secretsManagerSource({ prefix, attemptTimeoutMs = 2_000 }: SecretsManagerSettings): IdentitySource {
  const client = new SecretsManagerClient(clientSettings(maxAttempts, attemptTimeoutMs));
  return {
    async read(name, stage): Promise<StoredIdentity> {
      requireIdentityName(name);
      const command = new GetSecretValueCommand({ SecretId: prefix + name, VersionStage: stage });
      const answer = await client
        .send(command, { abortSignal: AbortSignal.timeout(maxAttempts * attemptTimeoutMs) })
        .catch((thrown: unknown) => {
          throw explain(thrown, name, {
            permissions: 'secretsmanager:GetSecretValue on the secret, and kms:Decrypt',
            stage,
          });
        });
      if (answer.SecretBinary !== undefined) throw binarySecret();
      if (answer.SecretString === undefined || answer.VersionId === undefined) throw noVersion(name, { stage });
      return { version: answer.VersionId, stage, document: answer.SecretString };
    },
  };
}

export function binarySecret(): CountersignError {
  const sentence = 'The secret is binary; an identity document is text (SecretString).';
  return unusable('document-malformed', 'document', sentence);
}

interface Explanation {
  readonly detail: string;
  readonly hint?: string;
  /** False if the same call fails until the platform changes a policy, a key or a setting. Absent: true. */
  readonly retryable?: false;
}

/** Error names: AWS Secrets Manager API reference, GetSecretValue and Common Errors. */
const explanations: Readonly<Record<string, Explanation>> = {
  AccessDeniedException: {
    detail: 'Secrets Manager denied access to the secret.',
    retryable: false,
  },
  DecryptionFailure: {
    detail: 'Secrets Manager cannot decrypt the secret.',
    retryable: false,
    hint: 'The platform must grant the function kms:Decrypt on the key of the secret, and check that the key is enabled.',
  },
  ThrottlingException: { detail: 'Secrets Manager throttles its calls.' },
  CredentialsProviderError: {
    detail: 'There are no AWS credentials to call Secrets Manager with.',
    hint: 'The platform must give the function a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  },
  UnrecognizedClientException: {
    detail: 'Secrets Manager does not accept the AWS credentials.',
    retryable: false,
    hint: 'The platform must check the credentials of the function, and its clock.',
  },
  ExpiredTokenException: { detail: 'The AWS credentials have expired.' },
  'no-region': {
    detail: 'No AWS region is set to look for Secrets Manager in.',
    retryable: false,
    hint: 'Set AWS_REGION; on Lambda it is set already.',
  },
  timeout: { detail: 'Secrets Manager did not respond in time.' },
};

/** The request that failed, and the permissions that it needs. */
interface FailedRequest {
  readonly permissions: string;
  readonly stage?: Stage | string;
  readonly version?: string;
}

/**
 * `identity-not-found` (`reason: "no-version"` if the secret exists) or `identity-unavailable`. Quotes neither request
 * nor response.
 */
export function explain(thrown: unknown, name: string, request: FailedRequest): CountersignError {
  const { permissions, ...place } = request;
  const reason = reasonOf(thrown);
  const message = thrown instanceof Error ? thrown.message : '';
  if (reason === 'ResourceNotFoundException') {
    return /staging label|version/i.test(message)
      ? noVersion(name, place)
      : new CountersignError('identity-not-found', `Secrets Manager has no secret for identity "${name}".`, {
          evidence: { reason },
        });
  }
  if (reason === 'InvalidRequestException' && /delet/i.test(message)) {
    return new CountersignError('identity-not-found', `The secret of identity "${name}" is scheduled for deletion.`, {
      evidence: { reason },
      hint: 'The platform must restore the secret if the identity is to be used again.',
    });
  }
  const explanation: Partial<Explanation> = explanations[reason] ?? {};
  const { detail = 'Secrets Manager could not be asked for the identity.', hint: known, retryable } = explanation;
  const isDenied = reason === 'AccessDeniedException';
  const hint = isDenied ? `The platform must grant the function ${permissions} on its key.` : known;
  const cause = quotableCause(thrown);
  return new CountersignError('identity-unavailable', detail, {
    evidence: { reason, ...place },
    ...(hint === undefined ? {} : { hint }),
    ...(retryable === undefined ? {} : { retryable }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function noVersion(name: string, place: Pick<FailedRequest, 'stage' | 'version'>): CountersignError {
  const where = place.version === undefined ? `stage ${place.stage}` : `version ${place.version}`;
  return new CountersignError('identity-not-found', `Identity "${name}" has no value at ${where}.`, {
    evidence: { reason: 'no-version', ...place },
  });
}

/** AWS's name of the error; `timeout` for an attempt or the whole read; ECONNREFUSED and the like for the network. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'Error';
  if (thrown.name === 'TimeoutError' || thrown.name === 'AbortError') return 'timeout';
  // The SDK throws an Error without a name of its own.
  if (thrown.message === 'Region is missing') return 'no-region';
  return networkCodeOf(thrown) ?? thrown.name;
}
