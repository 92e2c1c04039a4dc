// The platform with one pool and one store of identities, whose versions, clock and resolver the test sets.
import { expect, onTestFinished } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import type { Stage } from '../../../core/identity/identity.ts';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { type Authorities, createShelf, documentOf, openStage, type Reply, type StageOptions } from '../stage.ts';
import { destinationAt, fingerprintOf } from './customer-api.ts';

export interface Version {
  readonly identity?: string;
  readonly client?: IssuedCertificate;
  readonly destinations: readonly object[];
  /** AWSCURRENT by default. */
  readonly stage?: Stage;
}

export interface Platform {
  readonly stage: ReturnType<typeof openStage>;
  readonly shelf: ReturnType<typeof createShelf>;
  /** Advances with the real clock; the test adds to it here. */
  readonly clock: { aheadMs: number };
  /** Puts a version on the shelf; returns the fingerprint of its client certificate. */
  publish(version: string, content: Version): string;
  /** One destination, at that API. */
  destinationsOf(api: { readonly port: number }): readonly object[];
  call(request: object, identity?: string): Promise<Reply>;
  /** The member `attempts` of each invocation's line so far. */
  attempts(): unknown[];
}

/** Ended with the test, which fails when a connection stays open. */
export function openPlatform(authorities: Authorities, options: Partial<StageOptions> = {}): Platform {
  const clock = { aheadMs: 0 };
  const shelf = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
  const now = () => Date.now() + clock.aheadMs;
  const open = openStage({ source: shelf, now, lookup: async () => [{ address: '127.0.0.1' }], ...options });
  onTestFinished(async () => {
    open.close();
    await expect.poll(() => open.pool.openConnections, { timeout: 5000, interval: 5 }).toBe(0);
  });
  return {
    stage: open,
    shelf,
    clock,
    publish(version, { identity = 'platform', client = newClient(authorities), destinations, stage }) {
      shelf.put(identity, version, documentOf(client, destinations), stage);
      return fingerprintOf(client);
    },
    destinationsOf: (api) => [destinationAt(api, authorities)],
    call: (request, identity) => open.invoke(request, identity),
    attempts: () => open.lines.filter((line) => 'attempts' in line).map((line) => line.attempts),
  };
}

export function newClient({ platformIssuer }: Authorities): IssuedCertificate {
  return platformIssuer.issue({ commonName: 'platform', usage: 'client' });
}
