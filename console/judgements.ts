// What is said of the versions of identities, kept for as long as it stays true: to read a chain and try its key takes milliseconds each.
import { createHash } from 'node:crypto';
import { BoundedMap } from '../core/bounded-map.ts';
import type { Destination } from '../core/destination/destination.ts';
import { reportCertificate } from '../core/diagnosis/certificate-report.ts';
import type { CertificateReport } from '../core/diagnosis/diagnosis.ts';
import { asCountersignError, type CountersignError } from '../core/errors.ts';
import { checkIdentity } from '../core/identity/check.ts';
import { hasCertificates, parseCertificateKeys, parseDocument } from '../core/identity/document.ts';
import type { StoredIdentity } from '../core/identity/identity.ts';
import { readCertificate, readCertificates } from '../core/x509/chain.ts';
import type { ProblemState, VersionState } from './state.ts';

export interface Judgement {
  readonly version: VersionState;
  /** Empty when they cannot be read. */
  readonly destinations: readonly Destination[];
}

export interface Judgements {
  /** `now` in milliseconds since 1970. Never throws. */
  of(name: string, stored: StoredIdentity, now: number): Judgement;
}

/** Three versions of each identity that the console keeps; those of the callers who look at the moment. */
const mostKept = 6_000;
const longestMs = 60_000;

interface Kept extends Judgement {
  /** Of the stored text, which holds a key and is not kept. */
  readonly digest: string;
  readonly from: number;
  readonly until: number;
}

export function createJudgements(): Judgements {
  const kept = new BoundedMap<string, Kept>({ maxEntries: mostKept });
  return {
    of(name, stored, now) {
      const place = `${name} ${stored.stage}`;
      // By what it holds, too: a version that waits for its certificate gets its value later.
      const digest = createHash('sha256').update(`${stored.version}\n${stored.document}`).digest('base64');
      const known = kept.get(place);
      if (known?.digest === digest && known.from <= now && now < known.until) return known;
      const version = versionOf(name, stored, now);
      const judged = { version, destinations: destinationsOf(stored), digest, from: now, until: endOf(version, now) };
      kept.set(place, judged);
      return judged;
    },
  };
}

/** The next moment at which a certificate begins or ends; a second later too, because its last one still counts. */
function endOf({ chain }: VersionState, now: number): number {
  const dates = chain.flatMap(({ validFrom, validTo }) => [Date.parse(validFrom), Date.parse(validTo)]);
  const changes = dates.flatMap((date) => [date, date + 1_000]).filter((date) => date > now);
  return Math.min(now + longestMs, ...changes);
}

function versionOf(name: string, stored: StoredIdentity, now: number): VersionState {
  const { version } = stored;
  try {
    if (stored.stage !== 'AWSCURRENT' && !hasCertificates(stored.document)) return { version, chain: [] };
    checkIdentity(name, stored, now);
    return { version, chain: chainOf(stored) };
  } catch (thrown) {
    return { version, problem: problemOf(asCountersignError(thrown)), chain: chainOf(stored) };
  }
}

/** An expired chain is shown as well; one that cannot be read is empty. */
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

/** The cause of a defect is for the log, which has it. */
export function problemOf({ code, message, hint }: CountersignError): ProblemState {
  return { code, detail: message, ...(hint === undefined ? {} : { hint }) };
}
