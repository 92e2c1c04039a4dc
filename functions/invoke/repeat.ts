// When a call is made a second time: on a fresh connection after a dead one, with a new version after a rejected certificate.
import { type Deadline, within } from '../connection/attempt.ts';
import { type ConnectionKind, exchange, isIdempotent, type Outcome } from '../connection/exchange.ts';
import type { Failure } from '../connection/exchange-failure.ts';
import type { Pool } from '../connection/pool.ts';
import type { Target } from '../destination/target.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import type { InvocationRequest } from '../message/request.ts';
import { admitAs } from './admission.ts';

export interface CallServices {
  readonly identities: IdentityCache;
  readonly pool: Pool;
}

export interface Called {
  readonly outcome: Outcome;
  /** The version that the outcome was had with. */
  readonly identity: Identity;
  readonly attempts: number;
  /** The kinds of the connections that stood in the attempts before. */
  readonly earlier: readonly ConnectionKind[];
}

/** A reason for which a call is made again, and how. */
interface Cause {
  isMet(failure: Failure): boolean;
  /** Undefined when the call would come to the same. */
  next(called: Called): Next | undefined | Promise<Next | undefined>;
}

interface Next {
  readonly identity: Identity;
  readonly freshConnection: boolean;
}

/** What every attempt of a call has in common. */
interface Call {
  readonly services: CallServices;
  readonly target: Target;
  readonly request: InvocationRequest;
  readonly deadline: Deadline;
}

/** Most calls are answered at once: what a repetition needs is made only when there may be one. */
export async function callWithRepeats(
  services: CallServices,
  identity: Identity,
  target: Target,
  request: InvocationRequest,
  deadline: Deadline,
): Promise<Called> {
  const call: Call = { services, target, request, deadline };
  const called = await attempt(call, { identity, freshConnection: false });
  return 'failure' in called.outcome ? repeat(call, called) : called;
}

async function attempt(call: Call, next: Next, before?: Called): Promise<Called> {
  const { services, target, request, deadline } = call;
  // The new version may have other destinations.
  const destination = admitAs(next.identity, target);
  const requireMutual = request.requireMutual || destination.requireMutual;
  const link = services.pool.link(next.identity, destination, target, requireMutual);
  const outcome = await exchange(link, target, request, deadline, next.freshConnection);
  const attempts = (before?.attempts ?? 0) + 1;
  return { outcome, identity: next.identity, attempts, earlier: before ? connectionsOf(before) : none };
}

/**
 * Each cause of a repetition is met once, all inside one deadline, and always with the version in use by then. A request is
 * repeated only when it cannot have been processed, or when processing it twice is the same as once (RFC 9110, section
 * 9.2.2).
 */
async function repeat(call: Call, first: Called): Promise<Called> {
  const { services, request, deadline } = call;
  const { name } = first.identity;
  /** A kept-alive connection that died while the function was frozen. */
  const deadConnection: Cause = {
    isMet: ({ stale }) => stale,
    next: (called) => ({ identity: inUse() ?? called.identity, freshConnection: true }),
  };
  /** The identity may have been rotated, and the customer may trust only the new version. */
  const rejection: Cause = {
    isMet: ({ error }) => error.code === 'client-certificate-rejected',
    async next(called) {
      const current = await reloaded();
      const isNew = current !== undefined && current.version !== called.identity.version;
      // The new version may have kept a dead connection of its own, which is the other cause.
      return isNew ? { identity: current, freshConnection: false } : undefined;
    },
  };

  let called = first;
  for (const unmet = new Set([deadConnection, rejection]); ; ) {
    const { outcome } = called;
    if (!('failure' in outcome) || isOver()) return called;
    const { failure } = outcome;
    const cause = [...unmet].find((one) => one.isMet(failure));
    if (!cause) return called;
    unmet.delete(cause);
    const next = await cause.next(called);
    if (!next || !mayRepeat(failure) || isOver()) return called;
    called = await attempt(call, next, called);
  }

  /** Undefined when it would have to be read first. */
  function inUse(): Identity | undefined {
    const found = services.identities.get(name);
    if (!(found instanceof Promise)) return found;
    found.catch(() => {});
    return undefined;
  }

  /** Undefined when the store cannot be asked in time: the rejection stands, and is what the caller is told. */
  function reloaded(): Promise<Identity | undefined> {
    const nobody = () => undefined;
    return within(deadline, services.identities.reload(name).catch(nobody), nobody);
  }

  function mayRepeat(failure: Failure): boolean {
    return failure.processed === 'no' || isIdempotent(request.method);
  }

  function isOver(): boolean {
    return performance.now() >= deadline.at;
  }
}

const none: readonly ConnectionKind[] = [];

function connectionsOf({ outcome, earlier }: Called): readonly ConnectionKind[] {
  return outcome.handshake ? [...earlier, outcome.connection] : earlier;
}
