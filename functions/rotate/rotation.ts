// One rotation as its four steps see it: which secret, which version, what is known of both, and what the steps work with.
import { createHash } from 'node:crypto';
import type { Announce } from '../announcement/announcement.ts';
import type { Deadline } from '../connection/attempt.ts';
import type { LookupFunction } from '../destination/resolve.ts';
import { CountersignError } from '../errors.ts';
import { checkIdentity } from '../identity/check.ts';
import type { Identity, Stage } from '../identity/identity.ts';
import type { IssuerSettings } from '../identity/renewal.ts';
import type { Issuer } from '../issuer/issuer.ts';
import type { RotationRecord } from '../telemetry/rotation-record.ts';
import type { SecretState, SecretVersions, StoredVersion } from '../versions/versions.ts';
import { type Sleep, untilThere } from './patience.ts';

export interface RotationServices {
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

export const labels = {
  current: 'AWSCURRENT',
  pending: 'AWSPENDING',
  previous: 'AWSPREVIOUS',
  /** Ours: the certificate request of the rotation that is under way. */
  request: 'COUNTERSIGN_REQUEST',
} as const;

/** Name-based, the same for the same rotation: whoever runs it again finds what was kept (RFC 9562, section 5.8). */
export function requestVersionOf(token: string): string {
  return uuidOf(`countersign certificate request ${token}`);
}

/** 36 characters: what AWS Private CA takes at most. */
export function idempotencyTokenOf(token: string): string {
  return uuidOf(`countersign order ${token}`);
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function holderOf(state: SecretState, label: string): string | undefined {
  for (const [version, stages] of state.stages) if (stages.includes(label)) return version;
  return undefined;
}

/** What the rotation is to become. Undefined when it has no value; asked for a few times. */
export function readPending({ services, secretArn, token }: Rotation): Promise<StoredVersion | undefined> {
  return untilThere(() => services.versions.read(secretArn, { version: token }), services.sleep);
}

/**
 * What is in use. Undefined when there is none: the first version of a secret becomes its current one whatever it is
 * (AWS API reference, PutSecretValue), and the request of a first rotation, this one or one that was given up, is no identity.
 */
export async function readCurrent({ services, secretArn }: Rotation): Promise<StoredVersion | undefined> {
  const stored = await services.versions.read(secretArn, { stage: labels.current });
  return stored && isRequest(stored) ? undefined : stored;
}

/** The value of a version that was made for COUNTERSIGN_REQUEST (certificate-order.ts). */
export function isRequest({ document }: StoredVersion): boolean {
  try {
    const { certificateRequest, for: version, certificate } = JSON.parse(document);
    return typeof certificateRequest === 'string' && typeof version === 'string' && certificate === undefined;
  } catch {
    return false;
  }
}

/** Throws `identity-unusable` by the rules of today, whoever put it there. */
export function prove({ identity, services }: Rotation, stored: StoredVersion, stage: Stage): Identity {
  try {
    return checkIdentity(identity, { ...stored, stage }, services.now());
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || stage !== labels.pending) throw thrown;
    const hint =
      'The value of a version stays: the platform must cancel the rotation with CancelRotateSecret and start another one.';
    throw new CountersignError(thrown.code, thrown.message, {
      hint,
      ...(thrown.evidence && { evidence: thrown.evidence }),
    });
  }
}

/** Undefined when there is none, or none that may be presented: a rotation is the way out of that. */
export function usableOf(rotation: Rotation, stored: StoredVersion | undefined): Identity | undefined {
  if (stored === undefined) return undefined;
  try {
    return prove(rotation, stored, labels.current);
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === 'identity-unusable') return undefined;
    throw thrown;
  }
}

export function refused(reason: string, sentence: string, token: string, hint?: string): CountersignError {
  return new CountersignError('rotation-refused', sentence, {
    evidence: { reason, version: token },
    ...(hint === undefined ? {} : { hint }),
  });
}
