// Errors of Secrets Manager that more than one action has, in AWS's words.
import { AwsError } from '../aws-protocol/aws-error.ts';

export function secretNotFound(): AwsError {
  return new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
}

/** `which` is `VersionId: …` or `staging label: …`, AWS's words. */
export function valueNotFound(which: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${which}`,
  );
}

/** The code of a system error (`ENOSPC`), or what else is safe to say of it. */
export function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : 'unknown reason';
}
