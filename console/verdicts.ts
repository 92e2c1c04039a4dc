// The last verdict on each host that an identity was diagnosed with, for as long as the process lives.

import { parseTarget } from '../functions/destination/target.ts';
import type { Certainty, Verdict } from '../functions/diagnosis/diagnosis.ts';
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

/** Of all identities together; whoever may call anywhere makes no more of them. */
const mostVerdicts = 5_000;

export function createVerdicts(most: number = mostVerdicts): Verdicts {
  /** The one that was noted longest ago first. */
  const noted = new Map<string, NotedVerdict>();
  return {
    add(verdict) {
      const key = `${verdict.identity} ${verdict.host} ${verdict.port}`;
      const before = noted.get(key);
      if (before !== undefined && before.at > verdict.at) return;
      noted.delete(key);
      noted.set(key, verdict);
      for (const oldest of noted.keys()) {
        if (noted.size <= most) break;
        noted.delete(oldest);
      }
    },
    of: (identity) => [...noted.values()].filter((verdict) => verdict.identity === identity).reverse(),
    all: () => [...noted.values()],
  };
}

interface Diagnosed {
  readonly verdict: Verdict;
  readonly certainty: Certainty;
  readonly url: string;
  readonly identity: { readonly name: string };
  readonly steps: readonly { readonly step: number; readonly status: string }[];
}

/**
 * @param body what the function of diagnoses answered with HTTP 200
 * @param now milliseconds since 1970
 */
export function verdictOf(body: string, now: number): NotedVerdict {
  const { verdict, certainty, url, identity, steps } = JSON.parse(body) as Diagnosed;
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
