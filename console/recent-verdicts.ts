// The last verdict for each host that an identity was diagnosed with, in memory only.

import { parseTarget } from '../core/destination/target.ts';
import type { Diagnosis } from '../core/diagnosis/diagnosis.ts';
import type { VerdictState } from './state.ts';

export interface RecordedVerdict extends VerdictState {
  readonly identity: string;
}

export interface RecentVerdicts {
  /** Replaces an older verdict on the same host and port. */
  add(verdict: RecordedVerdict): void;
  /** Latest first. */
  of(identity: string): readonly RecordedVerdict[];
  all(): readonly RecordedVerdict[];
}

/**
 * At most `maxVerdicts` of all identities together. Above that, the identity with the most verdicts loses its oldest
 * one: a caller with many diagnoses cannot evict the verdicts of other identities.
 */
export function createRecentVerdicts(maxVerdicts = 5_000): RecentVerdicts {
  /** By identity, then by host and port; the oldest first. */
  const byIdentity = new Map<string, Map<string, RecordedVerdict>>();
  let count = 0;

  function evictOldest(): void {
    let [largest] = byIdentity.values();
    for (const each of byIdentity.values()) if (each.size > (largest?.size ?? 0)) largest = each;
    const [oldest] = largest ?? [];
    if (largest === undefined || oldest === undefined) return;
    const [key, { identity }] = oldest;
    largest.delete(key);
    count -= 1;
    if (largest.size === 0) byIdentity.delete(identity);
  }

  return {
    add(verdict) {
      const key = `${verdict.host} ${verdict.port}`;
      const ofIdentity = byIdentity.get(verdict.identity) ?? new Map<string, RecordedVerdict>();
      const before = ofIdentity.get(key);
      if (before !== undefined && before.at > verdict.at) return;
      if (before !== undefined) ofIdentity.delete(key);
      else count += 1;
      ofIdentity.set(key, verdict);
      // Moved to the end: of two identities with equally many, the one that was updated longer ago loses first.
      byIdentity.delete(verdict.identity);
      byIdentity.set(verdict.identity, ofIdentity);
      if (count > maxVerdicts) evictOldest();
    },
    of: (identity) => [...(byIdentity.get(identity)?.values() ?? [])].reverse(),
    all: () => [...byIdentity.values()].flatMap((ofIdentity) => [...ofIdentity.values()]),
  };
}

/** @param now milliseconds since 1970 */
export function verdictOf(
  { verdict, certainty, url, identity, steps }: Pick<Diagnosis, 'verdict' | 'certainty' | 'url' | 'identity' | 'steps'>,
  now: number,
): RecordedVerdict {
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
