// What keeps Secrets Manager from answering, told to the person at the command line, who is not the function.
import { CountersignError } from '../../core/errors.ts';
import type { ChosenSecretsManager } from './chosen-store.ts';

/** Another hint where the one of the functions is for the functions. */
export function told(error: CountersignError, chosen: ChosenSecretsManager, action: string): CountersignError {
  if (error.code !== 'identity-unavailable') return error;
  const reason = String(error.evidence?.reason);
  if (chosen.kind === 'local' && (reason === 'ECONNREFUSED' || reason === 'AggregateError')) {
    return again(
      error,
      `There is no local cloud at ${chosen.endpoint}.`,
      'Run npm start, or say with --source where identities are: directory:PATH, or aws.',
    );
  }
  const hint = hints[reason] ?? (isWord(reason) ? `It said ${reason} to ${action}.` : undefined);
  if (reason === 'AccessDeniedException') {
    return again(
      error,
      `Secrets Manager denied ${action}.`,
      `Your credentials need secretsmanager:${action} on the secret, and the use of its key.`,
    );
  }
  return again(error, error.message.replace('for the identity', `with ${action}`), hint);
}

const nobodyListens =
  'Nobody listens there: check --endpoint, AWS_ENDPOINT_URL_SECRETS_MANAGER, and the way out of this network.';

const hints: Readonly<Record<string, string>> = {
  CredentialsProviderError: 'Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  UnrecognizedClientException: 'Check the credentials, and the clock of this machine.',
  ExpiredTokenException: 'Sign in again.',
  'no-region': 'Say --region, or set AWS_REGION.',
  AggregateError: nobodyListens,
  ECONNREFUSED: nobodyListens,
  ENOTFOUND: 'Check the region and the endpoint.',
  ThrottlingException: 'Try again shortly.',
  timeout: 'Try again shortly; if it lasts, check the way to it.',
};

function isWord(reason: string): boolean {
  return /^[A-Za-z]{1,64}$/.test(reason);
}

function again({ code, evidence }: CountersignError, detail: string, hint: string | undefined): CountersignError {
  return new CountersignError(code, detail, { ...(evidence && { evidence }), ...(hint === undefined ? {} : { hint }) });
}
