// The destination guard for an identity: its error names the version whose destinations were checked.
import type { Destination } from '../destination/destination.ts';
import { admit } from '../destination/guard.ts';
import type { Target } from '../destination/target.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';

/**
 * `destination-forbidden` is final only for the identity as the store has it now: `attempt` is made again with a
 * changed one. `reload` is called once, and only then.
 */
export async function withNewestDestinations<T>(
  identity: Identity,
  attempt: (identity: Identity) => T | Promise<T>,
  reload: () => Promise<Identity | undefined>,
): Promise<T> {
  try {
    return await attempt(identity);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== 'destination-forbidden') throw thrown;
    const newest = await reload();
    if (newest === undefined || newest === identity) throw thrown;
    return attempt(newest);
  }
}

/** Throws `destination-forbidden`. */
export function admitAs(identity: Identity, target: Target): Destination {
  try {
    return admit(target, identity.destinations);
  } catch (thrown) {
    throw thrown instanceof CountersignError ? namingVersion(thrown, identity) : thrown;
  }
}

/** Adds the version to `destination-forbidden`: it shows whether a change of the destinations has taken effect. */
export function namingVersion(error: CountersignError, { version }: Identity): CountersignError {
  if (error.code !== 'destination-forbidden') return error;
  return error.with({ evidence: { version } });
}
