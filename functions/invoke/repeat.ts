// When a call is made a second time: on a fresh connection after a dead one, with a new version after a rejected certificate.
import { type Deadline, remainingMs } from '../connection/attempt.ts';
import { exchange, isIdempotent, type Outcome } from '../connection/exchange.ts';
import type { Failure } from '../connection/exchange-failure.ts';
import type { Pool } from '../connection/pool.ts';
import { admit } from '../destination/guard.ts';
import type { Target } from '../destination/target.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import type { InvocationRequest } from '../message/request.ts';

export interface CallServices {
  readonly identities: IdentityCache;
  readonly pool: Pool;
}

export interface Called {
  readonly outcome: Outcome;
  /** The version that the outcome was had with. */
  readonly identity: Identity;
  readonly attempts: number;
}

/**
 * Each cause of a repetition is met once, all inside one deadline, and always with the version in use by then. A request is
 * repeated only when it cannot have been processed, or when processing it twice is the same as once (RFC 9110, section
 * 9.2.2).
 */
export async function callWithRepeats(
  services: CallServices,
  identity: Identity,
  target: Target,
  request: InvocationRequest,
  deadline: Deadline,
): Promise<Called> {
  const first = await call(identity, false);
  const second = await afterDeadConnection(first);
  const third = await afterRejection(second);
  // A new version may have kept a dead connection of its own.
  return first === second ? await afterDeadConnection(third) : third;

  async function call(as: Identity, freshConnection: boolean, attempts = 1): Promise<Called> {
    // The new version may have other destinations.
    const destination = admit(target, as.destinations);
    const link = services.pool.link(as, destination, target, request.requireMutual || destination.requireMutual);
    return { outcome: await exchange(link, target, request, deadline, freshConnection), identity: as, attempts };
  }

  /** A kept-alive connection that died while the function was frozen. */
  async function afterDeadConnection(called: Called): Promise<Called> {
    const failure = failureOf(called);
    if (!failure?.stale || !mayRepeat(failure) || isOver()) return called;
    return call(inUse() ?? called.identity, true, called.attempts + 1);
  }

  /** The identity may have been rotated, and the customer may trust only the new version. */
  async function afterRejection(called: Called): Promise<Called> {
    const failure = failureOf(called);
    if (failure?.error.code !== 'client-certificate-rejected' || isOver()) return called;
    const current = await reloaded();
    if (!current || current.version === called.identity.version || !mayRepeat(failure) || isOver()) return called;
    return call(current, false, called.attempts + 1);
  }

  /** Undefined when it would have to be read first. */
  function inUse(): Identity | undefined {
    const found = services.identities.get(identity.name);
    if (!(found instanceof Promise)) return found;
    found.catch(() => {});
    return undefined;
  }

  /** Undefined when the store cannot be asked in time: the rejection stands, and is what the caller is told. */
  function reloaded(): Promise<Identity | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), remainingMs(deadline));
      const done = (found: Identity | undefined) => {
        clearTimeout(timer);
        resolve(found);
      };
      services.identities.reload(identity.name).then(done, () => done(undefined));
    });
  }

  function mayRepeat(failure: Failure): boolean {
    return failure.processed === 'no' || isIdempotent(request.method);
  }

  function isOver(): boolean {
    return performance.now() >= deadline.at;
  }
}

function failureOf({ outcome }: Called): Failure | undefined {
  return 'failure' in outcome ? outcome.failure : undefined;
}
