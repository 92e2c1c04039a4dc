// Builds what the console shows of one identity: its versions with their chains, its destinations with the last
// verdicts.
import { createHash } from 'node:crypto';
import { BoundedMap } from '../core/bounded-map.ts';
import type { Destination } from '../core/destination/destination.ts';
import { matchDestination } from '../core/destination/match.ts';
import { reportCertificate } from '../core/diagnosis/certificate-report.ts';
import type { CertificateReport } from '../core/diagnosis/diagnosis.ts';
import { asCountersignError, type CountersignError } from '../core/errors.ts';
import { checkIdentity } from '../core/identity/check.ts';
import { hasCertificates, parseCertificateKeys, parseDocument } from '../core/identity/document.ts';
import type { IdentitySource, Stage, StoredIdentity } from '../core/identity/identity.ts';
import { readCertificate, readCertificates } from '../core/x509/chain.ts';
import type { RecordedVerdict } from './recent-verdicts.ts';
import type { DestinationState, IdentityState, ProblemState, VerdictState, VersionState } from './state.ts';

const maxDestinations = 200;
const maxVerdictsPerDestination = 20;

/** What the source has of an identity. Verdicts are added for each answer: they change with each diagnosis. */
export interface LoadedIdentity {
  readonly state: Omit<IdentityState, 'destinations' | 'rotation'>;
  readonly destinations: readonly Destination[];
}

/** `now` in milliseconds since 1970. Never throws: a problem is part of the state. */
export async function loadIdentity(
  source: IdentitySource,
  name: string,
  stages: readonly Stage[],
  statuses: VersionStatusCache,
  now: number,
): Promise<LoadedIdentity> {
  const [current, next, previous] = await Promise.all([
    readStage(source, name, 'AWSCURRENT'),
    stages.includes('AWSPENDING') ? readStage(source, name, 'AWSPENDING') : undefined,
    stages.includes('AWSPREVIOUS') ? readStage(source, name, 'AWSPREVIOUS') : undefined,
  ]);
  if (current === undefined || 'error' in current) {
    return { state: { name, ...(current && { problem: problemOf(current.error) }) }, destinations: [] };
  }
  // After an incomplete clean-up, AWSPENDING stays on the current version.
  const isNext = next !== undefined && 'document' in next && next.version !== current.version;
  const statusOf = (stored: StoredIdentity) => statuses.get(name, stored, now);
  const { version, destinations } = statusOf(current);
  const state = {
    name,
    current: version,
    ...(isNext && { next: statusOf(next).version }),
    ...(previous !== undefined && 'document' in previous && { previous: statusOf(previous).version }),
  };
  return { state, destinations };
}

async function readStage(
  source: IdentitySource,
  name: string,
  stage: Stage,
): Promise<StoredIdentity | { readonly error: CountersignError }> {
  try {
    return await source.read(name, stage);
  } catch (thrown) {
    return { error: asCountersignError(thrown) };
  }
}

/** @param verdicts of the identity, latest first */
export function destinationStates(
  destinations: readonly Destination[],
  verdicts: readonly RecordedVerdict[],
): DestinationState[] {
  const byDestination = new Map<Destination, VerdictState[]>();
  for (const { identity: _, ...verdict } of verdicts) {
    const destination = matchDestination(destinations, verdict.host, verdict.port);
    if (destination === undefined) continue;
    const list = byDestination.get(destination) ?? [];
    if (list.length < maxVerdictsPerDestination) list.push(verdict);
    byDestination.set(destination, list);
  }
  return destinations.slice(0, maxDestinations).map((destination) => {
    const { host, port, network, requireMutual, serverPins, serverRoots, probe } = destination;
    return {
      host,
      port,
      network,
      requireMutual,
      isPinned: serverPins !== undefined,
      hasOwnRoots: serverRoots !== undefined,
      ...(probe && { probe: `${probe.method} ${probe.path}` }),
      verdicts: byDestination.get(destination) ?? [],
    };
  });
}

interface VersionStatus {
  readonly version: VersionState;
  /** Empty if the document cannot be read. */
  readonly destinations: readonly Destination[];
}

/** Parsing a chain and checking its key takes milliseconds, so the result is kept while it is valid. */
export interface VersionStatusCache {
  /** `now` in milliseconds since 1970. Never throws. */
  get(name: string, stored: StoredIdentity, now: number): VersionStatus;
}

interface CachedStatus extends VersionStatus {
  /** Of the stored document, which contains a key and is not kept. */
  readonly digest: string;
  readonly validFrom: number;
  readonly validUntil: number;
}

/** Three versions of each identity that the console keeps (console.ts). */
const maxStatuses = 6_000;
const maxAgeMs = 60_000;

export function createVersionStatusCache(): VersionStatusCache {
  const statuses = new BoundedMap<string, CachedStatus>({ maxEntries: maxStatuses });
  return {
    get(name, stored, now) {
      const key = `${name} ${stored.stage}`;
      // The content counts, too: a version that waits for its certificate gets a value later.
      const digest = createHash('sha256').update(`${stored.version}\n${stored.document}`).digest('base64');
      const known = statuses.get(key);
      if (known?.digest === digest && known.validFrom <= now && now < known.validUntil) return known;
      const version = versionState(name, stored, now);
      const destinations = destinationsOf(stored);
      const status = { version, destinations, digest, validFrom: now, validUntil: nextChange(version, now) };
      statuses.set(key, status);
      return status;
    },
  };
}

/**
 * The next moment at which a certificate becomes valid or expires, plus one second, since `validTo` itself is valid.
 */
function nextChange({ chain }: VersionState, now: number): number {
  const dates = chain.flatMap(({ validFrom, validTo }) => [Date.parse(validFrom), Date.parse(validTo)]);
  const changes = dates.flatMap((date) => [date, date + 1_000]).filter((date) => date > now);
  return Math.min(now + maxAgeMs, ...changes);
}

function versionState(name: string, stored: StoredIdentity, now: number): VersionState {
  const { version } = stored;
  try {
    if (stored.stage !== 'AWSCURRENT' && !hasCertificates(stored.document)) return { version, chain: [] };
    checkIdentity(name, stored, now);
    return { version, chain: chainOf(stored) };
  } catch (thrown) {
    return { version, problem: problemOf(asCountersignError(thrown)), chain: chainOf(stored) };
  }
}

/** An expired chain is shown, too; empty if the chain cannot be read. */
function chainOf({ document }: StoredIdentity): CertificateReport[] {
  try {
    const keys = parseCertificateKeys(document);
    const chain = [
      readCertificate(keys.certificate, 'certificate'),
      ...readCertificates(keys.intermediateCertificates, 'intermediateCertificates', true),
      readCertificate(keys.rootCertificate, 'rootCertificate'),
    ];
    return chain.map(({ certificate }) => reportCertificate(certificate));
  } catch {
    return [];
  }
}

function destinationsOf({ document }: StoredIdentity): readonly Destination[] {
  try {
    return parseDocument(document).destinations;
  } catch {
    return [];
  }
}

/** Without the cause, which only the log may contain. */
function problemOf({ code, message, hint }: CountersignError): ProblemState {
  return { code, detail: message, ...(hint === undefined ? {} : { hint }) };
}
