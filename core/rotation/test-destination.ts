// Tests the pending certificate at one destination, and compares it with the certificates that are in use.
import type { Destination } from '../destination/destination.ts';
import { tooManyLookups } from '../destination/resolve.ts';
import { parseTarget } from '../destination/target.ts';
import { assess, type Report } from '../diagnosis/assess.ts';
import { observe } from '../diagnosis/observe.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { deadlineIn } from '../tls/attempt.ts';
import { stagingLabels } from '../versions/versions.ts';
import type { Rotation } from './rotation.ts';

export type DestinationTest =
  | { readonly outcome: 'accepted' }
  /** The certificates in use get no further there, or none is in use: the rotation loses nothing. */
  | { readonly outcome: 'inconclusive' }
  /** A certificate in use is accepted there, and the connection failed before the pending one was presented. */
  | { readonly outcome: 'untested' }
  | { readonly outcome: 'rejected'; readonly rejection: Rejection };

export interface Rejection {
  readonly host: string;
  readonly port: number;
  readonly step: number;
  /** Code of a finding (docs/diagnosis.md). */
  readonly reason: string;
  /** One sentence. */
  readonly detail: string;
  readonly certainty: string;
  /** What the destination accepts instead. One that accepts only AWSPREVIOUS is cut off by the rotation. */
  readonly takes: 'AWSCURRENT' | 'AWSPREVIOUS';
}

export interface TestedIdentities {
  readonly pending: Identity;
  /** Undefined if calls may present none: then they do not present AWSPREVIOUS either. */
  readonly current: Identity | undefined;
  /** Read only if a destination rejects both the pending and the current certificate. */
  readonly previous: () => Promise<Identity | undefined>;
}

/** For one connection. A destination that takes longer fails the calls of the bots as well. */
const connectionTimeoutMs = 10_000;

/**
 * `endsAt` is on the clock of performance.now(): when the last connection must be closed. Throws only what is not the
 * destination's fault.
 */
export async function testDestination(
  { services }: Pick<Rotation, 'services'>,
  destination: Destination,
  { pending, current, previous }: TestedIdentities,
  endsAt: number,
): Promise<DestinationTest> {
  const first = await present(pending);
  if (first === undefined) return { outcome: 'untested' };
  const rank = rankOf(first);
  if (rank === bestRank) return { outcome: 'accepted' };
  if (current === undefined) return { outcome: 'inconclusive' };
  const inUse = await bestInUse(current);
  if (inUse === undefined) return { outcome: 'untested' };
  if (inUse.rank <= rank) return { outcome: 'inconclusive' };
  // Again, after the other certificate: a server that just started, or is being deployed, has not rejected anything.
  const second = await present(pending);
  if (second === undefined) return { outcome: 'untested' };
  if (rankOf(second) >= inUse.rank) return { outcome: 'accepted' };
  const rejection = rejectionIn(second, inUse.takes);
  return rejection ? { outcome: 'rejected', rejection } : { outcome: 'untested' };

  /** A customer that rejects AWSCURRENT may be served with AWSPREVIOUS. Undefined as of `present`. */
  async function bestInUse(identity: Identity): Promise<RankedStage | undefined> {
    const report = await present(identity);
    if (report === undefined) return undefined;
    const ofCurrent: RankedStage = { rank: rankOf(report), takes: stagingLabels.current };
    // A server that is down for the current certificate is down for the previous one.
    if (ofCurrent.rank === bestRank || isNotReached(report)) return ofCurrent;
    const previousIdentity = await previous();
    const previousReport = previousIdentity && (await present(previousIdentity));
    if (previousIdentity && previousReport === undefined) return undefined;
    const previousRank = previousReport ? rankOf(previousReport) : 0;
    return previousRank > ofCurrent.rank ? { rank: previousRank, takes: stagingLabels.previous } : ofCurrent;
  }

  /** Undefined if there was not enough time, or no free name lookup, for a verdict. */
  async function present(identity: Identity): Promise<Report | undefined> {
    const leftMs = endsAt - performance.now();
    if (leftMs <= 0) return undefined;
    const options = {
      identity,
      destination,
      target: targetOf(destination),
      probe: destination.probe,
      deadline: deadlineIn(Math.min(connectionTimeoutMs, leftMs)),
      now: services.now,
      lookup: services.lookup,
    };
    try {
      const observation = await observe(options);
      // Lookups of other destinations hang. No certificate was presented, which must not count as "neither is
      // accepted".
      if (observation.failure?.evidence?.reason === tooManyLookups) return undefined;
      const { report } = assess(observation, { ...options, now: services.now() });
      // Ended by the deadline of the step, not by a slow server.
      return report.verdict !== 'access-granted' && performance.now() >= endsAt ? undefined : report;
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code !== 'destination-forbidden') throw thrown;
      // No certificate may be presented there.
      return { verdict: 'unreachable', certainty: 'observed', steps: [], remedies: [] };
    }
  }

  function rejectionIn(report: Report, takes: Rejection['takes']): Rejection | undefined {
    if (isNotReached(report)) return undefined;
    const { verdict, steps } = report;
    const findings = steps.flatMap(({ step, findings: all }) => all.map((finding) => ({ step, ...finding })));
    const { host, port } = destination;
    for (const severity of ['failure', 'warning']) {
      const found = findings.findLast((finding) => finding.step >= 4 && finding.severity === severity);
      if (!found) continue;
      const { step, code, detail, certainty } = found;
      return { host, port, step, reason: code, detail, certainty, takes };
    }
    const detail = `The server rejects the new certificate and accepts that of ${takes}.`;
    return { host, port, step: 4, reason: verdict, detail, certainty: 'inferred', takes };
  }
}

interface RankedStage {
  readonly rank: number;
  readonly takes: Rejection['takes'];
}

/** The connection failed before the client certificate was presented. */
function isNotReached({ verdict }: Report): boolean {
  return verdict === 'unreachable' || verdict === 'server-not-trusted';
}

const bestRank = 3;

/**
 * How far the certificate gets: 0 rejected, 1 not requested or not decided on, 2 accepted in the handshake only, 3
 * accepted. The response to the probe counts, as an API may know its clients by certificate. Without a probe, so do the
 * authorities that the server names: nginx completes every handshake and rejects the request.
 */
function rankOf({ verdict, probe, client }: Report): number {
  if (verdict === 'not-mutual' || verdict === 'access-unknown') return 1;
  if (verdict !== 'access-granted') return 0;
  if (probe) return probe.expectStatus === probe.status ? bestRank : 2;
  return client?.issuerAccepted === false ? 2 : bestRank;
}

function targetOf({ host, port, probe }: Destination) {
  const name = host.includes(':') ? `[${host}]` : host;
  return parseTarget(`https://${name}:${port}${probe?.path ?? '/'}`);
}
