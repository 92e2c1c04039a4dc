// One identity as the console shows it: its versions with their chains, its destinations with what was last found there.

import type { Destination } from '../core/destination/destination.ts';
import { matchDestination } from '../core/destination/match.ts';
import { asCountersignError, type CountersignError } from '../core/errors.ts';
import type { IdentitySource, Stage, StoredIdentity } from '../core/identity/identity.ts';
import { type Judgements, problemOf } from './judgements.ts';
import type { DestinationState, IdentityState, VerdictState } from './state.ts';
import type { NotedVerdict } from './verdicts.ts';

/** A page that lists more is read by nobody. */
const mostDestinations = 200;
const mostVerdictsEach = 20;

/** What the store holds of an identity, without its verdicts, which change with each diagnosis. */
export interface SeenIdentity {
  readonly shown: Omit<IdentityState, 'destinations' | 'rotation'>;
  readonly destinations: readonly Destination[];
}

/** Reads `stages` of it; `now` in milliseconds since 1970. Never throws: what is wrong is part of what is shown. */
export async function seeIdentity(
  source: IdentitySource,
  name: string,
  stages: readonly Stage[],
  judgements: Judgements,
  now: number,
): Promise<SeenIdentity> {
  const [current, next, previous] = await Promise.all([
    read(source, name, 'AWSCURRENT'),
    stages.includes('AWSPENDING') ? read(source, name, 'AWSPENDING') : undefined,
    stages.includes('AWSPREVIOUS') ? read(source, name, 'AWSPREVIOUS') : undefined,
  ]);
  if (current === undefined || 'error' in current) {
    return { shown: { name, ...(current && { problem: problemOf(current.error) }) }, destinations: [] };
  }
  // AWSPENDING stays on the version that is current where a rotation was not tidied up.
  const isNext = next !== undefined && 'document' in next && next.version !== current.version;
  const judge = (stored: StoredIdentity) => judgements.of(name, stored, now);
  const { version, destinations } = judge(current);
  const shown = {
    name,
    current: version,
    ...(isNext && { next: judge(next).version }),
    ...(previous !== undefined && 'document' in previous && { previous: judge(previous).version }),
  };
  return { shown, destinations };
}

type Read = StoredIdentity | { readonly error: CountersignError };

async function read(source: IdentitySource, name: string, stage: Stage): Promise<Read> {
  try {
    return await source.read(name, stage);
  } catch (thrown) {
    return { error: asCountersignError(thrown) };
  }
}

export function withVerdicts(
  destinations: readonly Destination[],
  verdicts: readonly NotedVerdict[],
): DestinationState[] {
  const byDestination = new Map<Destination, VerdictState[]>();
  for (const { identity: _, ...verdict } of verdicts) {
    const destination = matchDestination(destinations, verdict.host, verdict.port);
    if (destination === undefined) continue;
    const list = byDestination.get(destination) ?? [];
    if (list.length < mostVerdictsEach) list.push(verdict);
    byDestination.set(destination, list);
  }
  return destinations.slice(0, mostDestinations).map((destination) => {
    const { host, port, network, requireMutual, serverPins, serverRoots, probe } = destination;
    return {
      host,
      port,
      network,
      requireMutual,
      isPinned: serverPins !== undefined,
      hasOwnRoots: serverRoots !== undefined,
      ...(probe && { probe: `${probe.method} ${probe.path}` }),
      verdicts: byDestination.get(destination) ?? [],
    };
  });
}
