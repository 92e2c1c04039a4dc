// One rotation as its four steps see it: which secret, which version, what is known of both, and what the steps work with.

import type { LookupFunction } from '../destination/resolve.ts';
import { CountersignError } from '../errors.ts';
import type { Announce } from '../events/event-publisher.ts';
import { checkIdentity } from '../identity/check.ts';
import type { Identity, Stage } from '../identity/identity.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import { unusable } from '../identity/unusable.ts';
import type { Issuer } from '../issuers/issuer.ts';
import type { RotationRecord } from '../telemetry/rotation-record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Deadline } from '../tls/attempt.ts';
import { serverRefusal } from '../tls/identity-proof.ts';
import type { SecretState, SecretVersions, StoredVersion } from '../versions/versions.ts';
import { isStoredRequest, pollUntilFound, type Sleep, stagingLabels } from '../versions/versions.ts';
import { onceMoreHint, refused } from './refused.ts';

export interface RotationServices {
  readonly telemetry: Telemetry;
  /** Goes before an identity's name to make a secret's name. */
  readonly prefix: string;
  readonly versions: SecretVersions;
  readonly openIssuer: (settings: IssuerSettings) => Promise<Issuer>;
  readonly announce: Announce;
  /** Of identities whose document holds none, by name. */
  readonly renewals: Readonly<Record<string, object>>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly sleep?: Sleep;
  /** Instead of the system's resolver. */
  readonly lookup?: LookupFunction;
}

export interface Rotation {
  readonly services: RotationServices & { readonly now: () => number; readonly sleep: Sleep };
  readonly identity: string;
  readonly secretArn: string;
  /** The version that is to become the current one. */
  readonly token: string;
  readonly rotationToken: string | undefined;
  /** The version that keeps the key and the request while the issuer is asked. */
  readonly requestVersion: string;
  /** As the guard saw it. */
  readonly state: SecretState;
  /** By when the step must have ended. */
  readonly deadline: Deadline;
  readonly record: RotationRecord;
}

/** What the rotation is to become. Undefined when it has no value; asked for a few times. */
export function readPending({ services, secretArn, token }: Rotation): Promise<StoredVersion | undefined> {
  return pollUntilFound(() => services.versions.read(secretArn, { version: token }), services.sleep);
}

/**
 * What is in use. Undefined when there is none: the first version of a secret becomes its current one whatever it is
 * (AWS API reference, PutSecretValue), and the request of a first rotation, this one or one that was given up, is no identity.
 */
export async function readCurrent({ services, secretArn }: Rotation): Promise<StoredVersion | undefined> {
  const stored = await services.versions.read(secretArn, { stage: stagingLabels.current });
  return stored && isStoredRequest(stored) ? undefined : stored;
}

/** Throws `identity-unusable` by the rules of today, whoever put it there. */
export function prove({ identity, services }: Rotation, stored: StoredVersion, stage: Stage): Identity {
  return checkIdentity(identity, { ...stored, stage }, services.now());
}

/** What is to become current, also by a handshake with OpenSSL, before customers have theirs with it. Throws `identity-unusable`. */
export async function provePending(rotation: Rotation, stored: StoredVersion): Promise<Identity> {
  try {
    const identity = prove(rotation, stored, stagingLabels.pending);
    const refusal = await serverRefusal(identity);
    if (refusal === undefined) return identity;
    throw unusable('handshake-failed', 'certificate', refusal.sentence);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    throw new CountersignError(thrown.code, thrown.message, {
      hint: onceMoreHint,
      evidence: { ...thrown.evidence, stage: stagingLabels.pending },
    });
  }
}

/** The next version, whole and usable by the rules of today. Throws `rotation-refused` when createSecret has not made it. */
export async function requirePending(rotation: Rotation): Promise<{ identity: Identity; stored: StoredVersion }> {
  const stored = await readPending(rotation);
  if (!stored) {
    throw refused('no-value', 'The version has no value yet: createSecret comes first.', rotation.token);
  }
  return { identity: await provePending(rotation, stored), stored };
}

/** Undefined when there is none, or none that may be presented: a rotation is the way out of that. */
export function usableOf(rotation: Rotation, stored: StoredVersion | undefined): Identity | undefined {
  if (stored === undefined) return undefined;
  try {
    return prove(rotation, stored, stagingLabels.current);
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === 'identity-unusable') return undefined;
    throw thrown;
  }
}
