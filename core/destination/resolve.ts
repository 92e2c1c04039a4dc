// From a target to the addresses that may be connected to: resolved once, every one checked, so that nothing can change between.
import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { CountersignError } from '../errors.ts';
import type { Destination } from './destination.ts';
import { checkAddress } from './guard.ts';
import { type LookupAddress, type LookupFunction, lookUp, TooManyLookups } from './lookups.ts';
import type { Target } from './target.ts';

export type { LookupFunction } from './lookups.ts';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Enough to try one after the other inside any deadline; a name with more is no reason to keep more. */
const maxAddresses = 16;

/** RFC 6761, section 6.3: these names are the loopback, and the DNS is not asked. */
const localhostName = /^(?:.+\.)?localhost$/;
const loopbackAddresses = [{ address: '127.0.0.1' }, { address: '::1' }];

/** In the order of the system's resolver (RFC 6724), hosts file included. */
const systemLookup: LookupFunction = (host) => dns.lookup(host, { all: true, order: 'verbatim' });

/**
 * At least one address, at most 16, each allowed by the destination, in the resolver's order. Connect to these and
 * resolve nothing again. Throws `destination-forbidden` when a single address is not allowed: a name that mixes allowed
 * and forbidden ones is an attack or a mistake. Throws `name-resolution-failed` when there is none; `evidence.reason` is
 * the resolver's code. The system's look-up cannot be cancelled: whoever has a deadline races it, and so few may be under way
 * at once that those left behind do no harm (lookups.ts).
 */
export async function resolveTarget(
  target: Target,
  destination: Destination,
  lookup: LookupFunction = systemLookup,
): Promise<readonly ResolvedAddress[]> {
  const resolved = new Map<string, ResolvedAddress>();
  for (const { address } of await addressesOf(target, destination, lookup)) {
    checkAddress(target, address, destination);
    resolved.set(address, { address, family: isIP(address) === 4 ? 4 : 6 });
  }
  if (resolved.size === 0) throw resolutionFailed(target, 'ENODATA');
  return [...resolved.values()].slice(0, maxAddresses);
}

async function addressesOf(
  target: Target,
  destination: Destination,
  lookup: LookupFunction,
): Promise<readonly LookupAddress[]> {
  if (target.address !== undefined) return [{ address: target.address }];
  if (localhostName.test(target.host)) return loopbackAddresses;
  try {
    return await lookUp(target.host, destination, lookup);
  } catch (error) {
    if (error instanceof TooManyLookups) throw tooManyLookups(target, error);
    throw resolutionFailed(target, codeOf(error), error);
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'UNKNOWN';
}

/** getaddrinfo's outcomes: EAI_AGAIN is the resolver's own trouble, ENOTFOUND and ENODATA are the name's. */
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
    hint: 'Try again shortly; if it lasts, the customer must check the name servers of the name, and the platform those of its network.',
  });
}

function tooManyLookups({ host }: Target, { code }: TooManyLookups): CountersignError {
  const detail = `${host} was not looked up: too many earlier look-ups have had no answer yet.`;
  return new CountersignError('name-resolution-failed', detail, {
    evidence: { host, reason: code },
    hint: 'Try again shortly; if it lasts, whoever calls must look for hosts whose name servers do not answer, and the platform at the resolver of its network.',
  });
}
