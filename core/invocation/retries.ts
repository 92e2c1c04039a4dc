// When a call is made again: on a fresh connection after a dead one, with another version after a rejected certificate.

import type { Target } from '../destination/target.ts';
import {
  type ConnectionKind,
  type ConnectionReuse,
  type ExchangeResult,
  exchange,
  isIdempotent,
} from '../http/exchange.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Deadline, settleBefore } from '../tls/attempt.ts';
import type { Pool } from '../tls/connection-pool.ts';
import { admitAs } from './admission.ts';
import type { Fallback } from './fallback.ts';
import { isRefusal, isRejected } from './rejection.ts';
import type { InvocationRequest } from './request.ts';

export interface CallServices {
  readonly telemetry: Telemetry;
  readonly identities: IdentityCache;
  readonly pool: Pool;
  /** Absent: AWSCURRENT is all there is. */
  readonly fallback?: Fallback;
}

/** One attempt, and what it was made with. */
interface Made {
  readonly outcome: ExchangeResult;
  /** The version that was presented. */
  readonly identity: Identity;
  /** The version whose destinations admitted it: the current one, whichever was presented. */
  readonly current: Identity;
}

export interface Called extends Made {
  readonly attempts: number;
  /** The kinds of the connections that stood in the other attempts. */
  readonly earlier: readonly ConnectionKind[];
  /** How often the client certificate was turned down, in all attempts. */
  readonly rejections: number;
}

/** A reason for which a call is made again, and how. */
interface Cause {
  isMet(made: Made): boolean;
  /** Undefined when the call would come to the same. */
  next(made: Made): Next | undefined | Promise<Next | undefined>;
}

interface Next {
  readonly current: Identity;
  /** `current` or the version before it. */
  readonly identity: Identity;
  readonly over: ConnectionReuse;
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
  current: Identity,
  target: Target,
  request: InvocationRequest,
  deadline: Deadline,
): Promise<Called> {
  const call: Call = { services, target, request, deadline };
  const identity = services.fallback?.remembered(current, target) ?? current;
  const first = await attempt(call, { current, identity, over: 'any connection' });
  if ('failure' in first.outcome || isRefusal(first.outcome.answer)) return repeat(call, first);
  return { ...first, attempts: 1, earlier: none, rejections: 0 };
}

async function attempt(call: Call, { current, identity, over }: Next): Promise<Made> {
  const { services, target, request, deadline } = call;
  // A version that came on the way may have other destinations. Those of AWSPREVIOUS never count: they may have been removed since.
  const destination = admitAs(current, target);
  const requireMutual = request.requireMutual || destination.requireMutual;
  const agent = services.pool.agent(identity, destination, target, requireMutual);
  const outcome = await exchange(agent, target, request, deadline, over);
  return { outcome, identity, current };
}

/**
 * Each cause of a repetition is met once, all inside one deadline. A request is repeated only when it cannot have been
 * processed, or when processing it twice is the same as once (RFC 9110, section 9.2.2).
 */
async function repeat(call: Call, first: Made): Promise<Called> {
  const { services, target, request, deadline } = call;
  const { identities, fallback } = services;
  const { name } = first.identity;
  /** A kept-alive connection that died while the function was frozen. */
  const deadConnection: Cause = {
    isMet: ({ outcome }) => 'failure' in outcome && outcome.failure.stale,
    next({ identity, current }) {
      const now = inUse() ?? current;
      return { current: now, identity: now === current ? identity : now, over: 'a new connection' };
    },
  };
  /** The identity may have been rotated, and the customer may trust only the new version: by now also where it did not. */
  const rejection: Cause = {
    isMet: ({ outcome }) => isRejected(outcome),
    async next({ outcome, identity, current }) {
      if (identity !== current) {
        if (isSaid(outcome)) fallback?.ruleOut(current, target);
        else fallback?.forget(current, target);
      }
      const now = await reloaded();
      // The new version may have kept a dead connection of its own, which is the other cause.
      return now && now.version !== identity.version
        ? { current: now, identity: now, over: 'any connection' }
        : undefined;
    },
  };
  /** A server that restarts closes connections too: one that does it again has something against the certificate. */
  const closedOnce: Cause = {
    isMet: ({ outcome, identity, current }) => isClose(outcome) && identity === current,
    async next({ outcome, current }) {
      if (!mayRepeat(outcome) || !(await previousToTry(current))) return undefined;
      // In a resumed handshake the server would not see the certificate, and a close say nothing about it.
      return { current, identity: current, over: 'a full handshake' };
    },
  };
  /** The customer may not trust the current version yet. */
  const notYetTrusted: Cause = {
    isMet: ({ outcome }) => isRejected(outcome),
    async next({ outcome, current }) {
      if (!(mayRepeat(outcome) || isSaid(outcome))) return undefined;
      const identity = await previousToTry(current);
      if (!identity) return undefined;
      if (!mayRepeat(outcome)) fallback?.suppose(current, identity, target);
      return { current, identity, over: 'any connection' };
    },
  };

  const all = [first];
  /** The rejection that AWSPREVIOUS is to save the call from. */
  let rejected: Made | undefined;
  let last = first;
  for (const unmet = new Set([deadConnection, rejection, closedOnce, notYetTrusted]); ; ) {
    const next = await nextAfter(last, unmet);
    if (!next || !mayRepeat(last.outcome) || isOver()) break;
    if (next.identity !== next.current && last.identity === last.current) rejected = last;
    last = await attempt(call, next);
    all.push(last);
  }
  const told = rejected && faresNoBetter(last.outcome, rejected.outcome) ? rejected : last;
  if (rejected && told.identity !== told.current && isLetInAfter(rejected.outcome, told.outcome)) {
    fallback?.remember(told.current, told.identity, target);
  }
  return { ...told, attempts: all.length, ...countsOf(all, told) };

  async function nextAfter(made: Made, unmet: Set<Cause>): Promise<Next | undefined> {
    for (const cause of [...unmet].filter((one) => one.isMet(made))) {
      if (isOver()) return undefined;
      unmet.delete(cause);
      const next = await cause.next(made);
      if (next) return next;
    }
    return undefined;
  }

  /** AWSPREVIOUS, where it would make a difference. */
  async function previousToTry(current: Identity): Promise<Identity | undefined> {
    const identity = fallback && (await settleBefore(deadline, fallback.previousOf(current), () => undefined));
    return all.some((one) => one.identity.fingerprint256 === identity?.fingerprint256) ? undefined : identity;
  }

  /** Undefined when it would have to be read first. */
  function inUse(): Identity | undefined {
    const found = identities.get(name);
    if (!(found instanceof Promise)) return found;
    found.catch(() => {});
    return undefined;
  }

  /** Undefined when the store cannot be asked in time: the rejection stands, and is what the caller is told. */
  function reloaded(): Promise<Identity | undefined> {
    const nobody = () => undefined;
    return settleBefore(deadline, identities.reload(name).catch(nobody), nobody);
  }

  function mayRepeat(outcome: ExchangeResult): boolean {
    return ('failure' in outcome && outcome.failure.processed === 'no') || isIdempotent(request.method);
  }

  function isOver(): boolean {
    return performance.now() >= deadline.at;
  }
}

/** In HTTP, to a request that may never be repeated: it will be said of the next one too. A close may have had other reasons. */
function isSaid(rejected: ExchangeResult): boolean {
  return 'answer' in rejected;
}

/** Without an alert and without an answer. */
function isClose(outcome: ExchangeResult): boolean {
  return isRejected(outcome) && 'failure' in outcome && outcome.failure.error.evidence?.alert === undefined;
}

/**
 * Whether AWSPREVIOUS is what got the call an answer. Where AWSCURRENT was not turned down but closed on, the server may
 * accept both, and an application behind it the current one alone: 401 and 403 may be its word on AWSPREVIOUS.
 */
function isLetInAfter(rejected: ExchangeResult, outcome: ExchangeResult): boolean {
  if (!('answer' in outcome)) return false;
  return !isClose(rejected) || ![401, 403].includes(outcome.answer.status);
}

/**
 * Then the rejection of AWSCURRENT stands. An answer of the API is not given up for a failure. A failure behind which the
 * request may have been processed is told in the place of a failure behind which it was not.
 */
function faresNoBetter(outcome: ExchangeResult, before: ExchangeResult): boolean {
  if (isRejected(outcome)) return true;
  return 'failure' in outcome && ('answer' in before || outcome.failure.processed === 'no');
}

const none: readonly ConnectionKind[] = [];

function countsOf(all: readonly Made[], told: Made): Pick<Called, 'earlier' | 'rejections'> {
  const others = all.filter((made) => made !== told && made.outcome.handshake);
  return {
    earlier: others.map(({ outcome }) => outcome.connection),
    rejections: all.filter((made) => isRejected(made.outcome) && (!isClose(made.outcome) || isConfirmed(made))).length,
  };

  /** A close by itself is no rejection, unless it is all that the caller is told. */
  function isConfirmed(made: Made): boolean {
    return made === told || all.some((one) => one !== made && one.identity === made.identity && isClose(one.outcome));
  }
}
