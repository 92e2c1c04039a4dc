// Resolves a target to addresses that the destination allows; bounds the look-ups that are pending.
import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { CountersignError } from '../errors.ts';
import type { Destination } from './destination.ts';
import { checkAddress } from './guard.ts';
import type { Target } from './target.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Enough addresses to try inside any deadline. */
const maxAddresses = 16;

/** RFC 6761, section 6.3: these names are the loopback, and the DNS is not asked. */
const localhostName = /^(?:.+\.)?localhost$/;
const loopbackAddresses = [{ address: '127.0.0.1' }, { address: '::1' }];

/** In the order of the system's resolver (RFC 6724), hosts file included. */
const systemLookup: LookupFunction = (host) => dns.lookup(host, { all: true, order: 'verbatim' });

/**
 * At least one address, at most 16, each allowed by the destination, in the resolver's order. Connect to these and
 * resolve nothing again. Throws `destination-forbidden` when a single address is not allowed: a name with both allowed
 * and forbidden addresses is an attack or a mistake. Throws `name-resolution-failed` if there is no
 * address; `evidence.reason` is the resolver's code. The look-up of the system cannot be cancelled: callers race it
 * against their deadline, and lookUp limits how many are pending.
 */
export async function resolveTarget(
  target: Target,
  destination: Destination,
  identity: string,
  lookup: LookupFunction = systemLookup,
): Promise<readonly ResolvedAddress[]> {
  const resolved = new Map<string, ResolvedAddress>();
  for (const { address } of await addressesOf(target, identity, lookup)) {
    checkAddress(target, address, destination);
    resolved.set(address, { address, family: isIP(address) === 4 ? 4 : 6 });
  }
  if (resolved.size === 0) throw resolutionFailed(target, 'ENODATA');
  return [...resolved.values()].slice(0, maxAddresses);
}

async function addressesOf(
  target: Target,
  identity: string,
  lookup: LookupFunction,
): Promise<readonly LookupAddress[]> {
  if (target.address !== undefined) return [{ address: target.address }];
  if (localhostName.test(target.host)) return loopbackAddresses;
  try {
    return await lookUp(target.host, identity, lookup);
  } catch (error) {
    if (error instanceof TooManyLookups) throw lookupRefused(target, error);
    throw resolutionFailed(target, codeOf(error), error);
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'UNKNOWN';
}

/** Codes of getaddrinfo: EAI_AGAIN is a fault of the resolver, ENOTFOUND and ENODATA are faults of the name. */
function resolutionFailed({ host }: Target, reason: string, cause?: unknown): CountersignError {
  const evidence = { host, reason };
  if (reason === 'ENOTFOUND' || reason === 'ENODATA') {
    return new CountersignError('name-resolution-failed', `The DNS has no address for ${host}.`, {
      evidence,
      cause,
      retryable: false,
    });
  }
  return new CountersignError('name-resolution-failed', `The DNS gave no answer for ${host} (${reason}).`, {
    evidence,
    cause,
    hint: 'Try again shortly. If the error persists, the customer must check the name servers of the name, and the platform the resolver of its network.',
  });
}

function lookupRefused({ host }: Target, { code }: TooManyLookups): CountersignError {
  const detail = `${host} was not looked up: too many earlier look-ups are still pending.`;
  return new CountersignError('name-resolution-failed', detail, {
    evidence: { host, reason: code },
    hint: 'Try again shortly. If the error persists, the caller must look for hosts whose name servers do not answer, and the platform must check the resolver of its network.',
  });
}

export interface LookupAddress {
  readonly address: string;
}

/** Rejects with an error that has a `code`, as dns.lookup does. */
export type LookupFunction = (host: string) => Promise<readonly LookupAddress[]>;

export const tooManyLookups = 'too-many-lookups';

/** Its `code` ends up in `evidence.reason`. */
class TooManyLookups extends Error {
  readonly code = tooManyLookups;
}

/**
 * An abandoned look-up continues until the resolver gives up, and holds a thread meanwhile. libuv gives look-ups half
 * of its threads (32 of the 64 that the stack sets): eight remain for the look-ups of the SDK.
 */
const mostPending = 24;

/** A caller of `*` can name any number of hosts that do not answer: the rest is for other identities. */
const mostPendingOfOne = 16;

interface Pending {
  readonly byHost: Map<string, Promise<readonly LookupAddress[]>>;
  readonly byIdentity: Map<string, number>;
}

const pendingOf = new WeakMap<LookupFunction, Pending>();

/**
 * At most one look-up for each host at a time. Each identity has a share, whatever its version and destinations.
 * Rejects with TooManyLookups if the share or the total is used up.
 */
export function lookUp(host: string, identity: string, lookup: LookupFunction): Promise<readonly LookupAddress[]> {
  const { byHost, byIdentity } = pendingLookups(lookup);
  const shared = byHost.get(host);
  if (shared) return shared;
  const ofIdentity = byIdentity.get(identity) ?? 0;
  if (byHost.size >= mostPending || ofIdentity >= mostPendingOfOne) return Promise.reject(new TooManyLookups());
  byIdentity.set(identity, ofIdentity + 1);
  const pending = lookup(host).finally(() => {
    byHost.delete(host);
    const left = (byIdentity.get(identity) ?? 1) - 1;
    if (left === 0) byIdentity.delete(identity);
    else byIdentity.set(identity, left);
  });
  byHost.set(host, pending);
  return pending;
}

function pendingLookups(lookup: LookupFunction): Pending {
  let pending = pendingOf.get(lookup);
  if (!pending) {
    pending = { byHost: new Map(), byIdentity: new Map() };
    pendingOf.set(lookup, pending);
  }
  return pending;
}
