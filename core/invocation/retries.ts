// When a call is made again, and with which version of the identity.
import type { Target } from '../destination/target.ts';
import { refusalPage } from '../http/advice.ts';
import {
  type ConnectionKind,
  type ConnectionReuse,
  type ExchangeResult,
  exchange,
  type HttpResponse,
  isIdempotent,
} from '../http/exchange.ts';
import type { IdentityCache } from '../identity/cache.ts';
import type { Identity } from '../identity/identity.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Deadline, settleBefore } from '../tls/attempt.ts';
import type { Pool } from '../tls/connection-pool.ts';
import { admitAs } from './admission.ts';
import type { Fallback } from './fallback.ts';
import type { InvocationRequest } from './request.ts';

export interface CallServices {
  readonly telemetry: Telemetry;
  readonly identities: IdentityCache;
  readonly pool: Pool;
  /** Absent where the store has no version but AWSCURRENT. */
  readonly fallback?: Fallback;
}

interface Attempt {
  readonly outcome: ExchangeResult;
  /** The version that was presented. */
  readonly identity: Identity;
  /** The current version, whose destinations admitted the call. */
  readonly current: Identity;
}

/** The attempt whose outcome the caller gets, and the counts of all attempts. */
export interface CallResult extends Attempt {
  readonly attempts: number;
  /** The connections of the other attempts. */
  readonly earlier: readonly ConnectionKind[];
  /** How often the API server rejected the client certificate. */
  readonly rejections: number;
}

/** How the next attempt is made. */
interface RetryPlan {
  readonly current: Identity;
  /** `current` or the version before it. */
  readonly identity: Identity;
  readonly reuse: ConnectionReuse;
}

interface Call {
  readonly services: CallServices;
  readonly target: Target;
  readonly request: InvocationRequest;
  readonly deadline: Deadline;
  /** In order; grows with each attempt. */
  readonly attempts: Attempt[];
}

interface RetryRule {
  readonly reason: 'dead connection' | 'replaced identity' | 'unexplained close' | 'previous identity';
  appliesTo(attempt: Attempt): boolean;
  /** Undefined when the next attempt would end the same way. */
  plan(call: Call, attempt: Attempt): RetryPlan | undefined | Promise<RetryPlan | undefined>;
}

/**
 * In this order; each rule is used once for each call. A request is repeated only if it cannot have been processed, or
 * if its method is idempotent (RFC 9110, section 9.2.2), and only before the deadline.
 *
 * | reason            | after                                          | next attempt                               |
 * | ----------------- | ---------------------------------------------- | ------------------------------------------ |
 * | dead connection   | a pooled connection that the server had closed | the version in use, on a new connection    |
 * | replaced identity | a rejected certificate                         | the version in the store, if different     |
 * | unexplained close | AWSCURRENT, closed without alert or response   | the same version, with a full handshake    |
 * | previous identity | a rejected certificate                         | AWSPREVIOUS, if its certificate differs    |
 */
const retryRules: readonly RetryRule[] = [
  { reason: 'dead connection', appliesTo: hasDeadConnection, plan: onNewConnection },
  { reason: 'replaced identity', appliesTo: hasRejection, plan: withReplacedIdentity },
  { reason: 'unexplained close', appliesTo: isCurrentClosed, plan: withFullHandshake },
  { reason: 'previous identity', appliesTo: hasRejection, plan: withPreviousIdentity },
];

/** Throws `destination-forbidden`; every other failure is part of the result. */
export async function callWithRetries(
  services: CallServices,
  current: Identity,
  target: Target,
  request: InvocationRequest,
  deadline: Deadline,
): Promise<CallResult> {
  const call: Call = { services, target, request, deadline, attempts: [] };
  const identity = services.fallback?.remembered(current, target) ?? current;
  const first = await makeAttempt(call, { current, identity, reuse: 'any connection' });
  // Most calls end here.
  if (!('failure' in first.outcome || isRefusal(first.outcome.answer))) {
    return { ...first, attempts: 1, earlier: noConnections, rejections: 0 };
  }
  return retry(call, first);
}

async function makeAttempt(call: Call, { current, identity, reuse }: RetryPlan): Promise<Attempt> {
  const { services, target, request, deadline } = call;
  // Only the destinations of the current version count: those of AWSPREVIOUS may have been removed since.
  const destination = admitAs(current, target);
  const requireMutual = request.requireMutual || destination.requireMutual;
  const agent = services.pool.agent(identity, destination, target, requireMutual);
  const outcome = await exchange(agent, target, request, deadline, reuse);
  const attempt = { outcome, identity, current };
  call.attempts.push(attempt);
  return attempt;
}

async function retry(call: Call, first: Attempt): Promise<CallResult> {
  const unused = new Set(retryRules);
  /** The last rejection of AWSCURRENT before AWSPREVIOUS was presented. */
  let rejected: Attempt | undefined;
  let last = first;
  for (;;) {
    const plan = await nextPlan(call, last, unused);
    if (!plan || !mayRepeat(call, last.outcome) || isOver(call)) break;
    if (plan.identity !== plan.current && last.identity === last.current) rejected = last;
    last = await makeAttempt(call, plan);
  }
  const final = rejected && faresNoBetter(last.outcome, rejected.outcome) ? rejected : last;
  if (rejected && final.identity !== final.current && isAdmittedByPrevious(rejected.outcome, final.outcome)) {
    call.services.fallback?.remember(final.current, final.identity, call.target);
  }
  return { ...final, attempts: call.attempts.length, ...countsOf(call.attempts, final) };
}

async function nextPlan(call: Call, attempt: Attempt, unused: Set<RetryRule>): Promise<RetryPlan | undefined> {
  for (const rule of [...unused].filter((one) => one.appliesTo(attempt))) {
    if (isOver(call)) return undefined;
    unused.delete(rule);
    const plan = await rule.plan(call, attempt);
    if (plan) return plan;
  }
  return undefined;
}

function hasDeadConnection({ outcome }: Attempt): boolean {
  return 'failure' in outcome && outcome.failure.stale;
}

function onNewConnection({ services }: Call, { identity, current }: Attempt): RetryPlan {
  const now = cachedIdentity(services.identities, current.name) ?? current;
  return { current: now, identity: now === current ? identity : now, reuse: 'a new connection' };
}

function hasRejection({ outcome }: Attempt): boolean {
  return isRejected(outcome);
}

/** After a rotation the API server may trust only the new version. */
async function withReplacedIdentity(call: Call, { outcome, identity, current }: Attempt) {
  const { services, target } = call;
  if (identity !== current) {
    if ('answer' in outcome) services.fallback?.markRejected(current, target);
    else services.fallback?.evict(current, target);
  }
  const now = await reloadedIdentity(call, identity.name);
  // The new version may have a dead connection of its own; that is another rule.
  return now && now.version !== identity.version
    ? ({ current: now, identity: now, reuse: 'any connection' } as const)
    : undefined;
}

function isCurrentClosed({ outcome, identity, current }: Attempt): boolean {
  return isUnexplainedClose(outcome) && identity === current;
}

/** A server that restarts closes connections too. A resumed handshake shows no certificate, so a close says nothing. */
async function withFullHandshake(call: Call, { outcome, current }: Attempt): Promise<RetryPlan | undefined> {
  if (!mayRepeat(call, outcome) || !(await previousIdentity(call, current))) return undefined;
  return { current, identity: current, reuse: 'a full handshake' };
}

/** The API server may not trust the current version yet. */
async function withPreviousIdentity(call: Call, { outcome, current }: Attempt): Promise<RetryPlan | undefined> {
  if (!mayRepeat(call, outcome) && !('answer' in outcome)) return undefined;
  const identity = await previousIdentity(call, current);
  if (!identity) return undefined;
  // This call cannot be repeated, but the server will answer the next one the same way.
  if (!mayRepeat(call, outcome)) call.services.fallback?.assumePrevious(current, identity, call.target);
  return { current, identity, reuse: 'any connection' };
}

/** AWSPREVIOUS, if no attempt has presented its certificate yet. */
async function previousIdentity({ services, deadline, attempts }: Call, current: Identity) {
  const { fallback } = services;
  const identity = fallback && (await settleBefore(deadline, fallback.previousOf(current), () => undefined));
  return attempts.some((one) => one.identity.fingerprint256 === identity?.fingerprint256) ? undefined : identity;
}

/** Undefined when the identity would have to be read first. */
function cachedIdentity(identities: IdentityCache, name: string): Identity | undefined {
  const found = identities.get(name);
  if (!(found instanceof Promise)) return found;
  found.catch(() => {});
  return undefined;
}

/** Undefined when the store does not answer in time: then the caller gets the rejection. */
function reloadedIdentity({ services, deadline }: Call, name: string): Promise<Identity | undefined> {
  const unavailable = () => undefined;
  return settleBefore(deadline, services.identities.reload(name).catch(unavailable), unavailable);
}

/** Whether the API server rejected the client certificate: in the handshake, by closing the connection, or in HTTP. */
function isRejected(outcome: ExchangeResult): boolean {
  if ('failure' in outcome) return outcome.failure.error.code === 'client-certificate-rejected';
  return isRefusal(outcome.answer);
}

/** A server that wants post-handshake authentication would refuse another certificate too. */
function isRefusal({ status, body }: HttpResponse): boolean {
  if (status < 400) return false;
  const page = refusalPage(status, body);
  return page !== undefined && page.kind !== 'wanted-after-handshake';
}

function mayRepeat({ request }: Call, outcome: ExchangeResult): boolean {
  return ('failure' in outcome && outcome.failure.processed === 'no') || isIdempotent(request.method);
}

function isOver({ deadline }: Call): boolean {
  return performance.now() >= deadline.at;
}

/** A rejection without an alert and without a response. */
function isUnexplainedClose(outcome: ExchangeResult): boolean {
  return isRejected(outcome) && 'failure' in outcome && outcome.failure.error.evidence?.alert === undefined;
}

/**
 * Whether AWSPREVIOUS is the reason for the response. A server that only closed the connection of AWSCURRENT may accept
 * both versions while an application behind it accepts AWSCURRENT alone: its 401 or 403 may be a refusal of
 * AWSPREVIOUS.
 */
function isAdmittedByPrevious(rejected: ExchangeResult, outcome: ExchangeResult): boolean {
  if (!('answer' in outcome)) return false;
  return !isUnexplainedClose(rejected) || ![401, 403].includes(outcome.answer.status);
}

/**
 * Whether the caller gets the rejection of AWSCURRENT. A response of the API is never given up for a failure. A failure
 * after which the request may have been processed replaces one after which it was not.
 */
function faresNoBetter(outcome: ExchangeResult, rejection: ExchangeResult): boolean {
  if (isRejected(outcome)) return true;
  return 'failure' in outcome && ('answer' in rejection || outcome.failure.processed === 'no');
}

const noConnections: readonly ConnectionKind[] = [];

function countsOf(attempts: readonly Attempt[], final: Attempt): Pick<CallResult, 'earlier' | 'rejections'> {
  const others = attempts.filter((attempt) => attempt !== final && attempt.outcome.handshake);
  return {
    earlier: others.map(({ outcome }) => outcome.connection),
    rejections: attempts.filter(({ outcome }, index) => isRejected(outcome) && isCounted(index)).length,
  };

  /** A single close is no rejection, unless the caller gets it or the same version was closed on again. */
  function isCounted(index: number): boolean {
    const attempt = attempts[index] as Attempt;
    if (!isUnexplainedClose(attempt.outcome) || attempt === final) return true;
    return attempts.some(
      (one, at) => at !== index && one.identity === attempt.identity && isUnexplainedClose(one.outcome),
    );
  }
}
