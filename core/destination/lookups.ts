// Look-ups of names, shared and counted: one that hangs must not take name resolution away from everybody else.

export interface LookupAddress {
  readonly address: string;
}

/** Rejects with an error that has a `code`, as dns.lookup does. */
export type LookupFunction = (host: string) => Promise<readonly LookupAddress[]>;

export const tooManyLookups = 'too-many-lookups';

/** Its `code` ends up in `evidence.reason`. */
export class TooManyLookups extends Error {
  readonly code = tooManyLookups;
}

/**
 * A look-up that nobody waits for any more goes on until the resolver gives up, and holds a thread meanwhile. libuv gives
 * look-ups half of its threads (32 of the 64 that the stack sets): eight are left to the look-ups of the SDK.
 */
const mostPending = 24;

/** Whoever may call `*` can name any number of hosts that do not answer: the rest is for other destinations. */
const mostPendingOfOne = 16;

interface Pending {
  readonly byHost: Map<string, Promise<readonly LookupAddress[]>>;
  readonly byOwner: WeakMap<object, number>;
}

const pendingOf = new WeakMap<LookupFunction, Pending>();

/**
 * One look-up for each host at a time, whoever asks. `owner` is whose share a new one is counted in: the destination,
 * which belongs to one version of one identity. Rejects with TooManyLookups where a share or all of them are used up.
 */
export function lookUp(host: string, owner: object, lookup: LookupFunction): Promise<readonly LookupAddress[]> {
  const { byHost, byOwner } = pendingLookups(lookup);
  const shared = byHost.get(host);
  if (shared) return shared;
  const ofOwner = byOwner.get(owner) ?? 0;
  if (byHost.size >= mostPending || ofOwner >= mostPendingOfOne) return Promise.reject(new TooManyLookups());
  byOwner.set(owner, ofOwner + 1);
  const pending = lookup(host).finally(() => {
    byHost.delete(host);
    byOwner.set(owner, (byOwner.get(owner) ?? 1) - 1);
  });
  byHost.set(host, pending);
  return pending;
}

function pendingLookups(lookup: LookupFunction): Pending {
  let pending = pendingOf.get(lookup);
  if (!pending) {
    pending = { byHost: new Map(), byOwner: new WeakMap() };
    pendingOf.set(lookup, pending);
  }
  return pending;
}
