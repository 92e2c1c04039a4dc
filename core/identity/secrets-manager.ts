// Reads identities from AWS Secrets Manager, one secret each, and says what went wrong in this project's words.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '../aws/client.ts';
import { networkCodeOf, quotableCause } from '../aws/failure.ts';
import { CountersignError } from '../errors.ts';
import type { IdentitySource, Stage, StoredIdentity } from './identity.ts';
import { requireIdentityName } from './name.ts';
import { unusable } from './unusable.ts';

export interface SecretsManagerSettings {
  /** Goes before an identity's name to make a secret's name. */
  readonly prefix: string;
  /** For each of three attempts. A store that hangs must leave a call a part of its 10 s; a healthy one answers in 20 ms. */
  readonly attemptTimeoutMs?: number;
}

const maxAttempts = 3;

/**
 * Region, credentials and endpoint are the SDK's own settings (AWS_REGION, AWS_ENDPOINT_URL_SECRETS_MANAGER, …). Made
 * during init, where Lambda gives the function its full CPU; the first read opens the connection.
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

/** Error names: AWS Secrets Manager API reference, GetSecretValue and Common Errors. */
const explanations: Record<string, { detail: string; hint?: string }> = {
  AccessDeniedException: {
    detail: 'Secrets Manager denied access to the secret.',
  },
  DecryptionFailure: {
    detail: 'Secrets Manager cannot decrypt the secret.',
    hint: 'The platform must grant the function kms:Decrypt on the key of the secret, and check that the key is enabled.',
  },
  ThrottlingException: { detail: 'Secrets Manager throttles its calls.' },
  CredentialsProviderError: {
    detail: 'There are no AWS credentials to call Secrets Manager with.',
    hint: 'The platform must give the function a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  },
  UnrecognizedClientException: {
    detail: 'Secrets Manager does not accept the AWS credentials.',
    hint: 'The platform must check the credentials of the function, and its clock.',
  },
  ExpiredTokenException: { detail: 'The AWS credentials have expired.' },
  'no-region': {
    detail: 'No AWS region is set to look for Secrets Manager in.',
    hint: 'Whoever runs this must set AWS_REGION; Lambda sets it by itself.',
  },
  timeout: { detail: 'Secrets Manager did not answer in time.' },
};

/** What was asked for of an identity's secret, and what one must be allowed for it. */
interface Question {
  readonly permissions: string;
  readonly stage?: Stage | string;
  readonly version?: string;
}

/** Never quotes what was sent or answered. `identity-not-found` (`reason: "no-version"` where the secret is there) or `identity-unavailable`. */
export function explain(thrown: unknown, name: string, question: Question): CountersignError {
  const { permissions, ...place } = question;
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
  const { detail = 'Secrets Manager could not be asked for the identity.', hint: known } = explanations[reason] ?? {};
  const isDenied = reason === 'AccessDeniedException';
  const hint = isDenied ? `The platform must grant the function ${permissions} on its key.` : known;
  const cause = quotableCause(thrown);
  return new CountersignError('identity-unavailable', detail, {
    evidence: { reason, ...place },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function noVersion(name: string, place: Pick<Question, 'stage' | 'version'>): CountersignError {
  const where = place.version === undefined ? `stage ${place.stage}` : `version ${place.version}`;
  return new CountersignError('identity-not-found', `Identity "${name}" has no value at ${where}.`, {
    evidence: { reason: 'no-version', ...place },
  });
}

/** The name AWS gives the error; `timeout` for an attempt's and the whole read's; ECONNREFUSED and its like for the network's. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'Error';
  if (thrown.name === 'TimeoutError' || thrown.name === 'AbortError') return 'timeout';
  // The SDK throws a bare Error for it.
  if (thrown.message === 'Region is missing') return 'no-region';
  return networkCodeOf(thrown) ?? thrown.name;
}
