// Tries the new certificate at one destination, and tells what the certificate changed from what was so before.

import type { Destination } from '../destination/destination.ts';
import { tooManyLookups } from '../destination/lookups.ts';
import { parseTarget } from '../destination/target.ts';
import { assess, type Report } from '../diagnosis/assess.ts';
import { observe } from '../diagnosis/observe.ts';
import { CountersignError } from '../errors.ts';
import type { Identity } from '../identity/identity.ts';
import { deadlineIn } from '../tls/attempt.ts';
import { stagingLabels } from '../versions/versions.ts';
import type { Rotation } from './rotation.ts';

export type Trial =
  | { readonly outcome: 'accepted' }
  /** What is in use fares no better there, or nothing is: nothing would be lost. */
  | { readonly outcome: 'says-nothing' }
  /** What is in use is accepted there, and this connection did not come as far as the new one. */
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
  /** What the destination takes instead. With the rotation AWSPREVIOUS becomes another version: who takes that alone is cut off. */
  readonly takes: 'AWSCURRENT' | 'AWSPREVIOUS';
}

/** What calls present today. */
export interface InUse {
  /** Undefined when there is none that may be presented: then AWSPREVIOUS is not presented either. */
  readonly current: Identity | undefined;
  /** Asked for where a destination wants neither the new nor the current certificate. */
  readonly previous: () => Promise<Identity | undefined>;
}

/** For one connection. A destination that takes longer fails calls of the bots as well. */
const connectionMs = 10_000;

/** `endsAt`: on performance.now()'s clock, when no connection may be open any more. Throws for what is no destination's doing. */
export async function tryDestination(
  { services }: Pick<Rotation, 'services'>,
  destination: Destination,
  pending: Identity,
  { current, previous }: InUse,
  endsAt: number,
): Promise<Trial> {
  const first = await contact(pending);
  if (first === undefined) return { outcome: 'untested' };
  const standing = standingOf(first);
  if (standing === best) return { outcome: 'accepted' };
  if (current === undefined) return { outcome: 'says-nothing' };
  const comparison = await bestInUse(current);
  if (comparison === undefined) return { outcome: 'untested' };
  if (comparison.standing <= standing) return { outcome: 'says-nothing' };
  // Once more, after the other one: a server that just came up, or is being deployed, is no rejection.
  const second = await contact(pending);
  if (second === undefined) return { outcome: 'untested' };
  if (standingOf(second) >= comparison.standing) return { outcome: 'accepted' };
  const rejection = rejectionIn(second, comparison.takes);
  return rejection ? { outcome: 'rejected', rejection } : { outcome: 'untested' };

  /** A customer that turns AWSCURRENT down may live on AWSPREVIOUS. Undefined as of `contact`. */
  async function bestInUse(identity: Identity): Promise<Comparison | undefined> {
    const report = await contact(identity);
    if (report === undefined) return undefined;
    const known: Comparison = { standing: standingOf(report), takes: stagingLabels.current };
    // One that is not there for the current certificate is not there for the one before.
    if (known.standing === best || isNotReached(report)) return known;
    const before = await previous();
    const other = before && (await contact(before));
    if (before && other === undefined) return undefined;
    const otherStanding = other ? standingOf(other) : 0;
    return otherStanding > known.standing ? { standing: otherStanding, takes: stagingLabels.previous } : known;
  }

  /** Undefined when there is no time left, or no look-up, to come to a verdict. */
  async function contact(identity: Identity): Promise<Report | undefined> {
    const leftMs = endsAt - performance.now();
    if (leftMs <= 0) return undefined;
    const terms = {
      identity,
      destination,
      target: targetOf(destination),
      probe: destination.probe,
      deadline: deadlineIn(Math.min(connectionMs, leftMs)),
      now: services.now,
      lookup: services.lookup,
    };
    try {
      const seen = await observe(terms);
      // Our own doing: the names of other destinations hang. Neither certificate was shown, which must not look like "neither
      // is accepted".
      if (seen.failure?.evidence?.reason === tooManyLookups) return undefined;
      const { report } = assess(seen, { ...terms, now: services.now() });
      // Cut off by the end of the step, not by its own slowness.
      return report.verdict !== 'access-granted' && performance.now() >= endsAt ? undefined : report;
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code !== 'destination-forbidden') throw thrown;
      // No connection may be made there with either certificate.
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
    const detail = `The server did not take the new certificate, and takes that of ${takes}.`;
    return { host, port, step: 4, reason: verdict, detail, certainty: 'inferred', takes };
  }
}

const best = 3;

interface Comparison {
  readonly standing: number;
  readonly takes: Rejection['takes'];
}

/** The connection did not come as far as our certificate. */
function isNotReached({ verdict }: Report): boolean {
  return verdict === 'unreachable' || verdict === 'server-not-trusted';
}

/**
 * How far the certificate gets. What the probe answers counts, as an API may know its clients by their certificate. Where
 * there is none, so does whom the server says it accepts: nginx completes every handshake, and refuses the request.
 */
function standingOf({ verdict, probe, client }: Report): number {
  if (verdict !== 'access-granted') return verdict === 'not-mutual' ? 1 : 0;
  if (probe) return probe.expectStatus === probe.status ? best : 2;
  return client?.issuerAccepted === false ? 2 : best;
}

function targetOf({ host, port, probe }: Destination) {
  const name = host.includes(':') ? `[${host}]` : host;
  return parseTarget(`https://${name}:${port}${probe?.path ?? '/'}`);
}
