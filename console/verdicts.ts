// The last verdict on each host that an identity was diagnosed with, for as long as the process lives.

import { parseTarget } from '../core/destination/target.ts';
import type { Diagnosis } from '../core/diagnosis/diagnosis.ts';
import type { VerdictState } from './state.ts';

export interface NotedVerdict extends VerdictState {
  readonly identity: string;
}

export interface Verdicts {
  /** Takes up what another process found. */
  add(verdict: NotedVerdict): void;
  /** The latest first. */
  of(identity: string): readonly NotedVerdict[];
  all(): readonly NotedVerdict[];
}

/** Of all identities together. */
const mostVerdicts = 5_000;

/** Beyond `most`, the identity that has most loses its oldest: a caller who has the whole world diagnosed takes nobody else's away. */
export function createVerdicts(most: number = mostVerdicts): Verdicts {
  /** Of each identity; the one that was noted longest ago first. */
  const noted = new Map<string, Map<string, NotedVerdict>>();
  let count = 0;

  function dropOldest(): void {
    let [largest] = noted.values();
    for (const each of noted.values()) if (each.size > (largest?.size ?? 0)) largest = each;
    const [oldest] = largest ?? [];
    if (largest === undefined || oldest === undefined) return;
    const [key, { identity }] = oldest;
    largest.delete(key);
    count -= 1;
    if (largest.size === 0) noted.delete(identity);
  }

  return {
    add(verdict) {
      const key = `${verdict.host} ${verdict.port}`;
      const ofIdentity = noted.get(verdict.identity) ?? new Map<string, NotedVerdict>();
      const before = ofIdentity.get(key);
      if (before !== undefined && before.at > verdict.at) return;
      if (before !== undefined) ofIdentity.delete(key);
      else count += 1;
      ofIdentity.set(key, verdict);
      // Last: of two that have as many, the one that waits longer loses first.
      noted.delete(verdict.identity);
      noted.set(verdict.identity, ofIdentity);
      if (count > most) dropOldest();
    },
    of: (identity) => [...(noted.get(identity)?.values() ?? [])].reverse(),
    all: () => [...noted.values()].flatMap((ofIdentity) => [...ofIdentity.values()]),
  };
}

/** @param now milliseconds since 1970 */
export function verdictOf(
  { verdict, certainty, url, identity, steps }: Pick<Diagnosis, 'verdict' | 'certainty' | 'url' | 'identity' | 'steps'>,
  now: number,
): NotedVerdict {
  const { host, port } = parseTarget(url);
  const failed = steps.find(({ status }) => status === 'failed');
  const at = new Date(now).toISOString();
  return {
    identity: identity.name,
    host,
    port,
    verdict,
    certainty,
    ...(failed === undefined ? {} : { failedStep: failed.step }),
    at,
  };
}
