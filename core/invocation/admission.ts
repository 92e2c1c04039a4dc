// The guard, asked on behalf of an identity: a refusal names the version whose destinations were looked at.
import type { Destination } from '../destination/destination.ts';
import { admit } from '../destination/guard.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';

/** Throws `destination-forbidden`. */
export function admitAs(identity: Identity, target: Target): Destination {
  try {
    return admit(target, identity.destinations);
  } catch (thrown) {
    throw thrown instanceof CountersignError ? namingVersion(thrown, identity) : thrown;
  }
}

/** Whoever has just changed the destinations sees by the version whether the change has arrived. Other errors stay as they are. */
export function namingVersion(error: CountersignError, { version }: Identity): CountersignError {
  if (error.code !== 'destination-forbidden') return error;
  const { code, message, evidence, hint, retryable, cause } = error;
  return new CountersignError(code, message, { evidence: { ...evidence, version }, hint, retryable, cause });
}
