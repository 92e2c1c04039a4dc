// The hourly inspection: every identity is read and judged by itself, and told of in lines and metrics.
import { asCountersignError, CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import type { IdentitySource, StoredIdentity } from '../identity/identity.ts';
import { createSemaphore } from '../identity/semaphore.ts';
import { recordInternalError } from '../telemetry/events.ts';
import { failureFields } from '../telemetry/failure-fields.ts';
import { type ExpiryRecord, recordExpiry, recordInspection } from '../telemetry/inspection-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { IdentitySecret, SecretList } from '../versions/secret-list.ts';
import { isStoredRequest } from '../versions/versions.ts';
import { publicAuthorityKeys, readCertificateSet } from './certificates.ts';
import { overdueSignsOf } from './overdue.ts';

export interface ExpiryOptions {
  readonly telemetry: Telemetry;
  readonly secrets: SecretList;
  readonly source: IdentitySource;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Milliseconds that are left to run. */
  readonly remainingMs: () => number;
  readonly requestId: string;
  /** PEM; absent: those of the public web that Node bundles. */
  readonly publicRoots?: readonly string[];
}

/** Far below what Secrets Manager answers in a second (AWS: Secrets Manager quotas): no customer's call is throttled for it. */
const readsAtOnce = 8;
/** Kept back for the last line: it has the metrics that the alarms hang on. */
const reserveMs = 15_000;
const day = 86_400_000;

/**
 * Throws what listing throws, and then has told nothing: an inspection of nobody must not look like one where all is well.
 * An identity that cannot be read, or for which no time is left, is `unread`, and the others are told of.
 */
export async function inspectIdentities(options: ExpiryOptions): Promise<void> {
  const { telemetry, secrets, now } = options;
  const listed = await secrets.all();
  const publicKeys = publicAuthorityKeys(options.publicRoots);
  const gate = createSemaphore(readsAtOnce, listed.length);
  const inspected = await Promise.all(
    listed.map((secret) => gate.run(() => inspect(secret, publicKeys, options).catch(defectOf(secret, options)))),
  );
  const records = inspected.filter((record) => record !== undefined);
  for (const record of records) recordExpiry(telemetry, record, now);
  recordInspection(telemetry, records, now);
}

/** Undefined when the secret was deleted since it was listed. */
async function inspect(
  secret: IdentitySecret,
  publicKeys: ReadonlySet<string>,
  { secrets, source, now, remainingMs }: ExpiryOptions,
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
 * `empty`, too: the first value of a secret becomes current whatever it is, and the request of a first rotation is no identity.
 * That it has the label of one says nothing: labels can be moved, and must hide no certificate that expires.
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

/** What the store did not give. A binary secret is a document that cannot be used; anything unforeseen leaves its own line. */
function defectOf(secret: IdentitySecret, { telemetry, requestId }: ExpiryOptions): (thrown: unknown) => ExpiryRecord {
  return (thrown) => {
    const failure = asCountersignError(thrown);
    if (failure.code === 'internal-error') recordInternalError(telemetry, failure, requestId);
    const state = failure.code === 'identity-unusable' ? 'broken' : 'unread';
    return { ...plainRecord(secret), state, ...failureFields(failure) };
  };
}

function outOfTime(): CountersignError {
  return new CountersignError('identity-unavailable', 'The inspection had no time left for the identity.', {
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

/** Down to a tenth, so that what is over is negative at once. */
function daysUntil(time: number, now: number): number {
  return Math.floor((10 * (time - now)) / day) / 10;
}

function isoDate(time: number): string {
  return new Date(time).toISOString();
}
