// What may be shown of a stored identity: its certificates, its destinations, how it is renewed; no key and no secret of an issuer.
import { X509Certificate } from 'node:crypto';
import { reportCertificate } from '../../core/diagnosis/certificate-report.ts';
import { CountersignError } from '../../core/errors.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import { parseRenewal } from '../../core/identity/renewal.ts';
import { daysUntil, pinOf } from '../../core/x509/certificate.ts';
import { readCertificates } from '../../core/x509/chain.ts';
import type { StageName, StoredDocument } from '../store/identity-store.ts';

export interface CertificateView {
  readonly role: 'client' | 'intermediate' | 'root';
  /** RFC 4514, control characters escaped. */
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** ISO 8601. */
  readonly validFrom: string;
  readonly validTo: string;
  /** Whole days until `validTo`, rounded down; negative when it is over. */
  readonly daysLeft: number;
  /** SHA-256 of the DER, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** `sha256/…` of the public key (RFC 7469, section 2.4). */
  readonly pin: string;
  readonly key: string;
  readonly signature: string;
}

export interface IdentityView {
  readonly version: string;
  readonly stage: StageName;
  readonly isUsable: boolean;
  /** Why it is not usable: a rule of docs/identities.md, and a sentence. */
  readonly problem?: { readonly reason: string; readonly detail: string };
  /** As far as they can be read: the client's first, the root last. */
  readonly certificates: readonly CertificateView[];
  /** As stored; absent: any public host on port 443. */
  readonly destinations?: readonly unknown[];
  readonly renewal?: unknown;
}

/** `now` in milliseconds since 1970. Throws nothing for what a document may hold. */
export function identityView(name: string, stage: StageName, stored: StoredDocument, now: number): IdentityView {
  const members = membersOrNone(stored.document);
  const problem = problemOf(name, stage, stored, now);
  return {
    version: stored.version,
    stage,
    isUsable: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
    certificates: certificatesOf(members).map(({ role, certificate }) => describeCertificate(certificate, role, now)),
    ...(Array.isArray(members.destinations) ? { destinations: members.destinations.map(destinationView) } : {}),
    ...(members.renewal === undefined ? {} : { renewal: describeRenewal(members.renewal) }),
  };
}

function describeCertificate(
  certificate: X509Certificate,
  role: CertificateView['role'],
  now: number,
): CertificateView {
  return {
    role,
    ...reportCertificate(certificate),
    serialNumber: certificate.serialNumber,
    daysLeft: daysUntil(certificate.validToDate.getTime(), now),
    pin: pinOf(certificate),
  };
}

export interface CertificateInRole {
  /** By the key of the document that it stands at: where the root cannot be read, no intermediate is taken for it. */
  readonly role: CertificateView['role'];
  readonly certificate: X509Certificate;
}

const roles = { certificate: 'client', intermediateCertificates: 'intermediate', rootCertificate: 'root' } as const;

/** The client certificate, its issuers in order, the root: as far as each key of the document can be read. */
export function certificatesOf(members: Readonly<Record<string, unknown>>): readonly CertificateInRole[] {
  return (Object.keys(roles) as (keyof typeof roles)[]).flatMap((key) => {
    try {
      const read = readCertificates(String(members[key] ?? ''), key, true);
      return read.map(({ certificate }) => ({ role: roles[key], certificate }));
    } catch {
      return [];
    }
  });
}

/** Undefined where it cannot be read. */
export function clientCertificateOf(members: Readonly<Record<string, unknown>>): X509Certificate | undefined {
  return certificatesOf(members).find(({ role }) => role === 'client')?.certificate;
}

/** Empty for what is no JSON object. */
export function membersOrNone(document: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(document.replace(/^\uFEFF/, ''));
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : {};
  } catch {
    return {};
  }
}

function problemOf(name: string, stage: StageName, stored: StoredDocument, now: number): IdentityView['problem'] {
  try {
    checkIdentity(name, { ...stored, stage }, now);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return { reason: String(thrown.evidence?.reason ?? thrown.code), detail: thrown.message };
  }
}

/** What stands there may not be a destination; nothing in a destination is secret, and roots are long. */
export function destinationView(destination: unknown): unknown {
  if (typeof destination !== 'object' || destination === null) return 'unreadable';
  const { serverRoots, ...rest } = destination as Record<string, unknown>;
  return serverRoots === undefined ? rest : { ...rest, serverRoots: fingerprintsOf(String(serverRoots)) };
}

function fingerprintsOf(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    try {
      return new X509Certificate(block).fingerprint256;
    } catch {
      return 'unreadable';
    }
  });
}

/** By name what may be shown: `password`, `provisionerKey` and `provisionerPassword` are secret, and a later kind may have others. */
const shownOfIssuer = [
  'kind',
  'certificateAuthorityArn',
  'templateArn',
  'validityDays',
  'signingAlgorithm',
  'label',
  'provisioner',
];

function describeRenewal(value: unknown): unknown {
  try {
    const { issuer, ...rest } = parseRenewal(value);
    const shown = Object.entries(issuer).filter(([key]) => shownOfIssuer.includes(key));
    const url = 'url' in issuer ? URL.parse(issuer.url) : undefined;
    return {
      issuer: { ...Object.fromEntries(shown), ...(url ? { url: `${url.origin}${url.pathname}` } : {}) },
      ...rest,
    };
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    return { problem: thrown.message };
  }
}
