// What the next document is made from: the current one, its renewal, and what of its certificate the next one takes over.
import { X509Certificate } from 'node:crypto';
import { parseDocument } from '../identity/document.ts';
import { parseRenewal, type Renewal } from '../identity/renewal.ts';
import { renewalUnusable } from '../identity/renewal-unusable.ts';
import { unusable } from '../identity/unusable.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { stagingLabels } from '../versions/versions.ts';
import { hasReadableDates } from '../x509/certificate-dates.ts';
import { atStage } from './at-stage.ts';
import { type Rotation, usableOf } from './rotation.ts';

export type Parts = Readonly<
  Record<'privateKey' | 'certificate' | 'intermediateCertificates' | 'rootCertificate', string>
>;

export interface CurrentDocument {
  /** All its members, unknown ones too; empty when there is no value. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly renewal: Renewal;
  /** Also of a certificate that has expired: its subject and its names are still what customers know. */
  readonly certificate: X509Certificate | undefined;
  /** Of the current key, whatever its state. PEM. */
  readonly privateKey: string | undefined;
  /** Only while it may be presented. */
  readonly usable: Parts | undefined;
  readonly lifetimeDays: number | undefined;
}

const day = 86_400_000;

/**
 * Throws `renewal-unusable`, and `identity-unusable` for a current document whose destinations could not be carried over:
 * made anew they would be the default ones, which let the identity go anywhere.
 */
export function currentDocument(rotation: Rotation, stored: StoredVersion | undefined): CurrentDocument {
  const members = stored === undefined ? {} : atStage(stagingLabels.current, () => membersOf(stored.document));
  const renewal = renewalOf(rotation, members);
  atStage(stagingLabels.current, () => parseDocument(JSON.stringify(nextMembers(members, noParts))));
  const certificate = certificateOf(members.certificate);
  const usable = usableOf(rotation, stored);
  return {
    members,
    renewal,
    certificate,
    privateKey: typeof members.privateKey === 'string' && members.privateKey !== '' ? members.privateKey : undefined,
    usable: usable && {
      privateKey: usable.privateKey,
      certificate: usable.certificate,
      intermediateCertificates: usable.intermediateCertificates,
      rootCertificate: usable.rootCertificate,
    },
    lifetimeDays: certificate && lifetimeOf(certificate),
  };
}

/** In the place of the four parts, where only the rest is looked at: whether it would be accepted, or was changed. */
export const noParts: Parts = {
  privateKey: '-',
  certificate: '-',
  intermediateCertificates: '-',
  rootCertificate: '-',
};

/** Everything but the four parts is carried over as it is. */
export function nextMembers(members: CurrentDocument['members'], parts: Parts): Readonly<Record<string, unknown>> {
  return { ...members, ...parts };
}

/** The document's own, else the one of the settings. */
export function renewalOf(
  { identity, services }: Pick<Rotation, 'identity' | 'services'>,
  members: CurrentDocument['members'],
): Renewal {
  const renewal =
    members.renewal ?? (Object.hasOwn(services.renewals, identity) ? services.renewals[identity] : undefined);
  if (renewal !== undefined) return parseRenewal(renewal);
  throw renewalUnusable('renewal-missing', 'The identity has no renewal: it is renewed by hand.');
}

/** Throws `identity-unusable` for what is no JSON object; nothing of it is quoted. */
export function membersOf(document: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(document.replace(/^\uFEFF/, ''));
  } catch {
    parsed = undefined;
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw unusable('document-malformed', 'document', 'The identity document must be a JSON object.');
}

export function certificateOf(pem: unknown): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(String(pem));
    void certificate.publicKey;
    return hasReadableDates(certificate) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/** Rounded: issuers date back by an hour or so, which must not make every certificate a day longer than the one before. */
function lifetimeOf({ validFromDate, validToDate }: X509Certificate): number {
  return Math.max(1, Math.round((validToDate.getTime() - validFromDate.getTime()) / day));
}
