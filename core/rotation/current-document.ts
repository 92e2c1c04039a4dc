// The current identity document as the source of the next one: its members, its renewal and its certificate.
import { X509Certificate } from 'node:crypto';
import { parseDocument } from '../identity/document.ts';
import { parseRenewal, type Renewal } from '../identity/renewal.ts';
import { renewalUnusable, unusable } from '../identity/unusable.ts';
import type { StoredVersion } from '../versions/versions.ts';
import { stagingLabels } from '../versions/versions.ts';
import { hasReadableDates } from '../x509/certificate.ts';
import { canonicalPem } from '../x509/pem.ts';
import { type Rotation, usableIdentity } from './rotation.ts';
import { withStage } from './rotation-errors.ts';

export type KeyAndChain = Readonly<
  Record<'privateKey' | 'certificate' | 'intermediateCertificates' | 'rootCertificate', string>
>;

export interface CurrentDocument {
  /** All members, also unknown ones; empty if the secret has no identity yet. */
  readonly members: Readonly<Record<string, unknown>>;
  readonly renewal: Renewal;
  /** Also if it has expired: customers still know its subject and names. */
  readonly certificate: X509Certificate | undefined;
  /** PEM, unchecked. */
  readonly privateKey: string | undefined;
  /** Undefined if calls may not present it, for example because it has expired. */
  readonly usable: KeyAndChain | undefined;
  readonly lifetimeDays: number | undefined;
}

const day = 86_400_000;

/**
 * Throws `renewal-unusable`, and `identity-unusable` if the destinations of the current document cannot be read: the
 * next document would otherwise have the default ones, which allow every public host.
 */
export function currentDocument(rotation: Rotation, stored: StoredVersion | undefined): CurrentDocument {
  const members = stored === undefined ? {} : withStage(stagingLabels.current, () => membersOf(stored.document));
  const renewal = renewalOf(rotation, members);
  withStage(stagingLabels.current, () =>
    parseDocument(JSON.stringify(withKeyAndChain(members, placeholderKeyAndChain))),
  );
  const certificate = certificateOf(members.certificate);
  const usable = usableIdentity(rotation, stored);
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

/** For checks and comparisons of the other members. */
export const placeholderKeyAndChain: KeyAndChain = {
  privateKey: '-',
  certificate: '-',
  intermediateCertificates: '-',
  rootCertificate: '-',
};

/** All other members stay as they are. */
export function withKeyAndChain(
  members: CurrentDocument['members'],
  parts: KeyAndChain,
): Readonly<Record<string, unknown>> {
  return { ...members, ...parts };
}

/** From the document, otherwise from the settings. Throws `renewal-unusable`. */
export function renewalOf(
  { identity, services }: Pick<Rotation, 'identity' | 'services'>,
  members: CurrentDocument['members'],
): Renewal {
  const renewal =
    members.renewal ?? (Object.hasOwn(services.renewals, identity) ? services.renewals[identity] : undefined);
  if (renewal !== undefined) return parseRenewal(renewal);
  throw renewalUnusable('renewal-missing', 'The identity has no renewal: it is renewed by hand.');
}

/** Throws `identity-unusable` if the document is not a JSON object; the error quotes nothing of it. */
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

/** Undefined if the certificate, its key or its dates cannot be read. */
export function certificateOf(pem: unknown): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(canonicalPem(String(pem)));
    void certificate.publicKey;
    return hasReadableDates(certificate) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/** Rounded: issuers backdate by about an hour, which must not make each certificate a day longer than the last. */
function lifetimeOf({ validFromDate, validToDate }: X509Certificate): number {
  return Math.max(1, Math.round((validToDate.getTime() - validFromDate.getTime()) / day));
}
