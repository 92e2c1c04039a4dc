// Errors of Secrets Manager, with hints for the user of the command line instead of the operator of the functions.
import type { CountersignError } from '../../core/errors.ts';
import type { SecretsManagerLocation } from './store-options.ts';

/** Returns errors other than `identity-unavailable` unchanged. */
export function toUserError(error: CountersignError, chosen: SecretsManagerLocation, action: string): CountersignError {
  if (error.code !== 'identity-unavailable') return error;
  const reason = String(error.evidence?.reason);
  if (chosen.kind === 'local' && (reason === 'ECONNREFUSED' || reason === 'AggregateError')) {
    return again(
      error,
      `There is no local cloud at ${chosen.endpoint}.`,
      'Run npm start, or name another store with --source: directory:PATH or aws.',
    );
  }
  const hint = hints[reason] ?? (isWord(reason) ? `Secrets Manager answered ${action} with ${reason}.` : undefined);
  if (reason === 'AccessDeniedException') {
    return again(
      error,
      `Secrets Manager denied ${action}.`,
      `Your credentials need secretsmanager:${action} on the secret, and permission to use its KMS key.`,
    );
  }
  return again(error, error.message.replace('for the identity', `with ${action}`), hint);
}

const nothingListens =
  'Nothing listens at that address. Check --endpoint, AWS_ENDPOINT_URL_SECRETS_MANAGER, and the network.';

const hints: Readonly<Record<string, string>> = {
  CredentialsProviderError: 'Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  UnrecognizedClientException: 'Check the credentials, and the clock of this machine.',
  ExpiredTokenException: 'Sign in again.',
  'no-region': 'Give --region, or set AWS_REGION.',
  AggregateError: nothingListens,
  ECONNREFUSED: nothingListens,
  ENOTFOUND: 'Check the region and the endpoint.',
  ThrottlingException: 'Try again shortly.',
  timeout: 'Try again shortly. If it continues, check the network.',
};

function isWord(reason: string): boolean {
  return /^[A-Za-z]{1,64}$/.test(reason);
}

function again(error: CountersignError, detail: string, hint = error.hint): CountersignError {
  return error.with({ detail, hint });
}
