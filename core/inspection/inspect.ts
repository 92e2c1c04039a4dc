// The use case of the hourly inspection: reads and checks every identity, and writes its log lines and metrics.

import { X509Certificate } from 'node:crypto';
import { asCountersignError, CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import { parseCertificateKeys } from '../identity/document.ts';
import type { IdentitySource, StoredIdentity } from '../identity/identity.ts';
import { createSemaphore } from '../identity/semaphore.ts';
import { recordInternalError } from '../telemetry/events.ts';
import { type ExpiryRecord, recordExpiry, recordInspection } from '../telemetry/inspection-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { failureFields } from '../telemetry/telemetry.ts';
import type { IdentitySecret, SecretList } from '../versions/secret-list.ts';
import { isStoredRequest } from '../versions/versions.ts';
import { type ChainCertificate, readCertificate, readCertificates } from '../x509/chain.ts';
import { publicKeyIdentifier } from '../x509/keys.ts';
import { publicRoots } from '../x509/trust.ts';

export interface InspectionOptions {
  readonly telemetry: Telemetry;
  readonly secrets: SecretList;
  readonly source: IdentitySource;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Milliseconds until the inspection must have ended. */
  readonly remainingMs: () => number;
  readonly requestId: string;
  /** PEM. Default: the roots of the public web that Node bundles. */
  readonly publicRoots?: readonly string[];
}

/** Far below the rate that Secrets Manager allows (Secrets Manager quotas), so that no call is throttled. */
const concurrentReads = 8;
/** Kept for the last line, whose metrics trigger alarms. */
const reserveMs = 15_000;
const day = 86_400_000;

/**
 * Throws if the secrets cannot be listed, and then writes nothing: the metrics must not look like those of a good
 * inspection. An identity that cannot be read, or for which no time is left, is reported as `unread`.
 */
export async function inspectIdentities(options: InspectionOptions): Promise<void> {
  const { telemetry, secrets, now } = options;
  const listed = await secrets.all();
  const publicKeys = publicAuthorityKeys(options.publicRoots);
  const semaphore = createSemaphore(concurrentReads, listed.length);
  const inspected = await Promise.all(
    listed.map((secret) =>
      semaphore.run(() => inspect(secret, publicKeys, options).catch(failedRecordOf(secret, options))),
    ),
  );
  const records = inspected.filter((record) => record !== undefined);
  for (const record of records) recordExpiry(telemetry, record, now);
  recordInspection(telemetry, records, now);
}

/** Undefined if the secret was deleted after it was listed. */
async function inspect(
  secret: IdentitySecret,
  publicKeys: ReadonlySet<string>,
  { secrets, source, now, remainingMs }: InspectionOptions,
): Promise<ExpiryRecord | undefined> {
  if (remainingMs() < reserveMs) throw outOfTime();
  const [stored, pendingSince] = await Promise.all([
    readCurrent(source, secret.name),
    secret.pendingVersion === undefined ? undefined : secrets.createdAt(secret, secret.pendingVersion),
  ]);
  if (stored === 'gone') return undefined;
  const base = plainRecord(secret);
  if (stored === 'empty')
    return { ...base, overdue: overdueSignsOf({ ...secret, pendingSince, leaf: undefined }, now) };
  const { leaf, issuer, isOfPublicAuthority } = readCertificateSet(stored.document, publicKeys);
  const failure = failureOf(secret.name, stored, now);
  return {
    ...base,
    state: failure ? 'broken' : 'usable',
    leafDays: leaf && daysUntil(leaf.validTo, now),
    issuerDays: issuer && daysUntil(issuer.validTo, now),
    validTo: leaf && isoDate(leaf.validTo),
    issuerValidTo: issuer && isoDate(issuer.validTo),
    clientAuthenticationEnding: isOfPublicAuthority,
    overdue: overdueSignsOf({ ...secret, pendingSince, leaf }, now),
    ...(failure ? failureFields(failure) : {}),
  };
}

/**
 * Also `empty` if AWSCURRENT is the certificate request of a first rotation: the first value of a secret becomes
 * current. Decided by the content, not by labels: labels can be moved, and must not hide a certificate that expires.
 */
async function readCurrent(source: IdentitySource, name: string): Promise<StoredIdentity | 'empty' | 'gone'> {
  try {
    const stored = await source.read(name, 'AWSCURRENT');
    return isStoredRequest(stored) ? 'empty' : stored;
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== 'identity-not-found') throw thrown;
    return thrown.evidence?.reason === 'no-version' ? 'empty' : 'gone';
  }
}

function failureOf(name: string, stored: StoredIdentity, now: number): CountersignError | undefined {
  try {
    checkIdentity(name, stored, now);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof CountersignError) return thrown;
    throw thrown;
  }
}

/**
 * `broken` for a document that cannot be used, such as a binary secret, otherwise `unread`. A defect gets its own log
 * line.
 */
function failedRecordOf(
  secret: IdentitySecret,
  { telemetry, requestId }: InspectionOptions,
): (thrown: unknown) => ExpiryRecord {
  return (thrown) => {
    const failure = asCountersignError(thrown);
    if (failure.code === 'internal-error') recordInternalError(telemetry, failure, requestId);
    const state = failure.code === 'identity-unusable' ? 'broken' : 'unread';
    return { ...plainRecord(secret), state, ...failureFields(failure) };
  };
}

function outOfTime(): CountersignError {
  return new CountersignError('identity-unavailable', 'The inspection had no time left to read the identity.', {
    evidence: { reason: 'out-of-time' },
  });
}

function plainRecord({ name, stages, rotationEnabled, nextRotationAt }: IdentitySecret): ExpiryRecord {
  return {
    identity: name,
    state: 'empty',
    stages: [...stages].sort(),
    leafDays: undefined,
    issuerDays: undefined,
    validTo: undefined,
    issuerValidTo: undefined,
    clientAuthenticationEnding: false,
    rotationEnabled,
    nextRotation: nextRotationAt === undefined ? undefined : isoDate(nextRotationAt),
    overdue: [],
  };
}

/** Rounded down to a tenth, so that the value is negative as soon as the time has passed. */
function daysUntil(time: number, now: number): number {
  return Math.floor((10 * (time - now)) / day) / 10;
}

function isoDate(time: number): string {
  return new Date(time).toISOString();
}

export interface RotationTimes {
  readonly rotationEnabled: boolean;
  /** Milliseconds since 1970. */
  readonly nextRotationAt: number | undefined;
  /** When the version was created that has AWSPENDING and not AWSCURRENT. */
  readonly pendingSince: number | undefined;
  readonly leaf: CertificateTimes | undefined;
}

/**
 * Why a rotation is overdue. An identity without rotation never is: its days to expiry have alarms.
 * - `next-rotation-passed`: the date that Secrets Manager named passed a day ago.
 * - `pending-for-a-day`: a rotation began a day ago and has not ended.
 * - `last-quarter-of-life`: a rotation is due after two thirds of the life of the certificate (docs/rotation.md).
 */
export function overdueSignsOf(
  { rotationEnabled, nextRotationAt, pendingSince, leaf }: RotationTimes,
  now: number,
): readonly string[] {
  if (!rotationEnabled) return [];
  const signs: string[] = [];
  if (nextRotationAt !== undefined && now > nextRotationAt + day) signs.push('next-rotation-passed');
  if (pendingSince !== undefined && now > pendingSince + day) signs.push('pending-for-a-day');
  if (leaf && leaf.validTo - now < (leaf.validTo - leaf.validFrom) / 4) signs.push('last-quarter-of-life');
  return signs;
}

interface CertificateTimes {
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** Certificates that cannot be read are absent: an identity with a damaged root still has a leaf that expires. */
interface CertificateSet {
  readonly leaf: CertificateTimes | undefined;
  /** The intermediate or root that expires first. */
  readonly issuer: CertificateTimes | undefined;
  /** An issuer has the key of a public web authority. */
  readonly isOfPublicAuthority: boolean;
}

/**
 * `publicKeys` comes from `publicAuthorityKeys`. Never throws: checkIdentity decides whether the document is usable.
 */
function readCertificateSet(document: string, publicKeys: ReadonlySet<string>): CertificateSet {
  const keys = attempt(() => parseCertificateKeys(document));
  if (keys === undefined) return { leaf: undefined, issuer: undefined, isOfPublicAuthority: false };
  const leaf = attempt(() => readCertificate(keys.certificate, 'certificate'));
  const root = attempt(() => readCertificate(keys.rootCertificate, 'rootCertificate'));
  const issuers = [
    ...(attempt(() => readCertificates(keys.intermediateCertificates, 'intermediateCertificates', true)) ?? []),
    ...(root ? [root] : []),
  ];
  return {
    leaf: leaf && timesOf(leaf),
    issuer: issuers.map(timesOf).sort((one, other) => one.validTo - other.validTo)[0],
    isOfPublicAuthority: issuers.some(({ certificate }) => publicKeys.has(publicKeyIdentifier(certificate.publicKey))),
  };
}

/**
 * The keys of the public web roots that Node bundles (Mozilla's list). A leaf that such a root issues after March 2027
 * must not allow client authentication (Chrome Root Program Policy 1.8), so the identity needs another issuer by then.
 * Compared by key, because a cross-signed root is a different certificate.
 */
function publicAuthorityKeys(roots: readonly string[] = publicRoots): ReadonlySet<string> {
  return new Set(roots.map((root) => publicKeyIdentifier(new X509Certificate(root).publicKey)));
}

function timesOf({ certificate }: ChainCertificate): CertificateTimes {
  return { validFrom: certificate.validFromDate.getTime(), validTo: certificate.validToDate.getTime() };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
