// One rotation as its four steps see it: its services, secret and version, and how a step reads and checks versions.
import { X509Certificate } from 'node:crypto';
import type { LookupFunction } from '../destination/resolve.ts';
import { CountersignError } from '../errors.ts';
import type { EventPublisher } from '../events/event-publisher.ts';
import { checkIdentity } from '../identity/check.ts';
import type { Identity, Stage } from '../identity/identity.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { unusable } from '../identity/unusable.ts';
import type { Issuer } from '../issuers/issuer.ts';
import type { RotationRecord } from '../telemetry/rotation-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Deadline } from '../tls/attempt.ts';
import { serverRefusal } from '../tls/identity-proof.ts';
import {
  isStoredRequest,
  pollUntilFound,
  type SecretState,
  type SecretVersions,
  type Sleep,
  type StoredVersion,
  stagingLabels,
} from '../versions/versions.ts';
import { cancelAndRestartHint, rotationRefused } from './rotation-errors.ts';

export interface RotationServices {
  readonly telemetry: Telemetry;
  /** The name of a secret is this prefix and the name of the identity. */
  readonly prefix: string;
  readonly versions: SecretVersions;
  readonly openIssuer: (settings: IssuerSettings) => Promise<Issuer>;
  readonly events: EventPublisher;
  /** By identity name: the `renewal` of identities whose document has none. */
  readonly renewals: Readonly<Record<string, object>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly sleep: Sleep;
  /** Default: the resolver of the system. */
  readonly lookup?: LookupFunction;
}

export interface Rotation {
  readonly services: RotationServices;
  readonly identity: string;
  readonly secretArn: string;
  /** ClientRequestToken of the event: the id of the version that the rotation creates. */
  readonly token: string;
  readonly rotationToken: string | undefined;
  /** The version that stores the key and the certificate request while the issuer signs. */
  readonly requestVersion: string;
  /** As read before the step. */
  readonly state: SecretState;
  /** When the step must have ended. */
  readonly deadline: Deadline;
  readonly record: RotationRecord;
}

/** The pending version. Undefined if it has no value after 3.1 s of polling. */
export function readPending({ services, secretArn, token }: Rotation): Promise<StoredVersion | undefined> {
  return pollUntilFound(() => services.versions.read(secretArn, { version: token }), services.sleep);
}

/**
 * AWSCURRENT. Undefined if the secret has no identity yet: the first version of a secret gets AWSCURRENT whatever it is
 * (AWS API reference, PutSecretValue), also the certificate request of a first rotation.
 */
export async function readCurrent({ services, secretArn }: Rotation): Promise<StoredVersion | undefined> {
  return identityIn(await services.versions.read(secretArn, { stage: stagingLabels.current }));
}

/** Undefined for a certificate request. */
export function identityIn(stored: StoredVersion | undefined): StoredVersion | undefined {
  return stored && isStoredRequest(stored) ? undefined : stored;
}

/**
 * AWSPREVIOUS if calls would present it (docs/rotation.md, "When a customer does not trust it yet"): it is usable, and
 * has another certificate than `current`. Throws `identity-unavailable`.
 */
export async function readPreviousIdentity(rotation: Rotation, current: Identity): Promise<Identity | undefined> {
  const stored = await rotation.services.versions
    .read(rotation.secretArn, { stage: stagingLabels.previous })
    .catch(undefinedIfUnusable);
  if (stored === undefined || isStoredRequest(stored)) return undefined;
  const previous = usableIdentity(rotation, stored, stagingLabels.previous);
  return previous && fingerprintOf(previous) !== fingerprintOf(current) ? previous : undefined;
}

/** Undefined if there is no version, or one that calls may not present: a rotation replaces it. */
export function usableIdentity(
  rotation: Rotation,
  stored: StoredVersion | undefined,
  stage: Stage = stagingLabels.current,
): Identity | undefined {
  if (stored === undefined) return undefined;
  try {
    return checkVersion(rotation, stored, stage);
  } catch (thrown) {
    return undefinedIfUnusable(thrown);
  }
}

/** Throws `identity-unusable`. */
function checkVersion({ identity, services }: Rotation, stored: StoredVersion, stage: Stage): Identity {
  return checkIdentity(identity, { ...stored, stage }, services.now());
}

/**
 * Checks the pending version by the rules for every identity and by a handshake with OpenSSL in memory. Throws
 * `identity-unusable` with `evidence.stage` AWSPENDING.
 */
export async function checkPending(rotation: Rotation, stored: StoredVersion): Promise<Identity> {
  try {
    const identity = checkVersion(rotation, stored, stagingLabels.pending);
    const refusal = await serverRefusal(identity);
    if (refusal === undefined) return identity;
    throw unusable('handshake-failed', 'certificate', refusal.sentence);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    throw thrown.with({ hint: cancelAndRestartHint, evidence: { stage: stagingLabels.pending } });
  }
}

/** The pending version, checked. Throws also `rotation-refused` (`no-value`) if createSecret has not stored it. */
export async function requirePending(rotation: Rotation): Promise<{ identity: Identity; stored: StoredVersion }> {
  const stored = await readPending(rotation);
  if (!stored) throw noValue(rotation);
  return { identity: await checkPending(rotation, stored), stored };
}

export function noValue({ token }: Rotation): CountersignError {
  return rotationRefused('no-value', 'The version has no value yet: createSecret must run first.', token);
}

function undefinedIfUnusable(thrown: unknown): undefined {
  if (thrown instanceof CountersignError && thrown.code === 'identity-unusable') return undefined;
  throw thrown;
}

function fingerprintOf({ certificate }: Identity): string {
  return new X509Certificate(certificate).fingerprint256;
}
