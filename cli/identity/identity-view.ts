// A stored identity as it is printed: certificates, destinations and renewal, without its key and without secrets of an
// issuer.
import { X509Certificate } from 'node:crypto';
import { reportCertificate } from '../../core/diagnosis/certificate-report.ts';
import { CountersignError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/escape-for-terminal.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import { parseRenewal } from '../../core/identity/renewal.ts';
import { daysUntil, expirySoonDays, pinOf } from '../../core/x509/certificate.ts';
import { readCertificates } from '../../core/x509/chain.ts';
import { readPem } from '../../core/x509/pem.ts';
import type { Paint } from '../output.ts';
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
  /** Whole days until `validTo`, rounded down; negative after it. */
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
  /** Why it is unusable: a rule of docs/identities.md, and a sentence. */
  readonly problem?: { readonly reason: string; readonly detail: string };
  /** The certificates that can be read, client certificate first, root last. */
  readonly certificates: readonly CertificateView[];
  /** As stored. Absent: any public host on port 443. */
  readonly destinations?: readonly unknown[];
  readonly renewal?: unknown;
}

/** `now` in milliseconds since 1970. Does not throw for any content of a document. */
export function identityView(name: string, stage: StageName, stored: StoredDocument, now: number): IdentityView {
  const members = parseMembers(stored.document);
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
  /** By the member of the document, so that an intermediate is never taken for an unreadable root. */
  readonly role: CertificateView['role'];
  readonly certificate: X509Certificate;
}

const roles = { certificate: 'client', intermediateCertificates: 'intermediate', rootCertificate: 'root' } as const;

/** Client certificate, intermediates in issuer order, root. Skips members that cannot be read. */
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

/** Undefined if it cannot be read. */
export function clientCertificateOf(members: Readonly<Record<string, unknown>>): X509Certificate | undefined {
  return certificatesOf(members).find(({ role }) => role === 'client')?.certificate;
}

/** Empty if the text is not a JSON object. */
export function parseMembers(document: string): Readonly<Record<string, unknown>> {
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

/** A destination without secrets, its roots as fingerprints; `unreadable` for any other value. */
export function destinationView(destination: unknown): unknown {
  if (typeof destination !== 'object' || destination === null) return 'unreadable';
  const { serverRoots, ...rest } = destination as Record<string, unknown>;
  return serverRoots === undefined ? rest : { ...rest, serverRoots: fingerprintsOf(String(serverRoots)) };
}

function fingerprintsOf(pem: string): readonly string[] {
  const blocks = readPem(pem).filter(({ label }) => label === 'CERTIFICATE');
  return blocks.map(({ text }) => {
    try {
      return new X509Certificate(text).fingerprint256;
    } catch {
      return 'unreadable';
    }
  });
}

/**
 * An allow list: `password`, `provisionerKey` and `provisionerPassword` are secret, and later kinds of issuers can add
 * others.
 */
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

export function daysText(daysLeft: number, paint: Paint): string {
  // daysLeft is rounded down: 25 hours after the end it is -2.
  if (daysLeft < 0) return paint('red', `expired ${daysCounted(-daysLeft - 1)} ago`);
  return paint(daysLeft < expirySoonDays ? 'red' : 'green', `${daysCounted(daysLeft)} left`);
}

function daysCounted(days: number): string {
  if (days === 0) return 'less than a day';
  return days === 1 ? '1 day' : `${days} days`;
}

function certificateLines(certificate: CertificateView, paint: Paint): readonly string[] {
  const { role, subject, issuer, key, signature, validFrom, validTo, daysLeft, fingerprint256, pin, serialNumber } =
    certificate;
  return [
    `  ${paint('bold', role.padEnd(12))}  ${escapeForTerminal(subject)}`,
    ...(role === 'root' ? [] : [`                issued by ${escapeForTerminal(issuer)}`]),
    `                valid ${validFrom.slice(0, 10)} to ${validTo.slice(0, 10)}, ${daysText(daysLeft, paint)}`,
    `                ${key}, ${signature}, serial number ${serialNumber}`,
    `                SHA-256 ${fingerprint256}`,
    `                pin     ${pin}`,
  ].map((line) => line.trimEnd());
}

export function destinationLines(destinations: readonly unknown[] | undefined): readonly string[] {
  if (destinations === undefined) return ['  any public host on port 443 (no destination is listed)'];
  if (destinations.length === 0) return ['  none: the identity cannot be used'];
  return destinations.map((destination) => `  ${escapeForTerminal(destinationText(destination))}`);
}

/** `api.acme.example:443, requireMutual, network private`. */
function destinationText(destination: unknown): string {
  if (typeof destination !== 'object' || destination === null) return String(destination);
  const { host, port = 443, ...rest } = destination as Record<string, unknown>;
  const settings = Object.entries(rest).map(([key, value]) => settingText(key, value));
  return [
    `${String(host).includes(':') && !String(host).startsWith('[') ? `[${host}]` : host}:${port}`,
    ...settings,
  ].join(', ');
}

function settingText(key: string, value: unknown): string {
  if (value === true) return key;
  if (value === false) return `${key} off`;
  if (key === 'serverRoots' && Array.isArray(value))
    return `serverRoots ${value.map((one) => String(one).slice(0, 23)).join(' ')}…`;
  return `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

export function identityLines(view: IdentityView, paint: Paint): readonly string[] {
  const { stage, version, isUsable, problem, certificates, destinations, renewal } = view;
  const state = isUsable
    ? paint('green', 'usable')
    : paint('red', `unusable: ${escapeForTerminal(problem?.detail ?? '')} (${problem?.reason})`);
  return [
    `${paint('bold', stage)}  version ${version}  ${state}`,
    ...certificates.flatMap((certificate) => certificateLines(certificate, paint)),
    'Destinations',
    ...destinationLines(destinations),
    'Renewal',
    `  ${renewal === undefined ? 'none: by hand' : escapeForTerminal(JSON.stringify(renewal))}`,
  ];
}

/** Pads every column but the last. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>(
    (sofar, row) => row.map((cell, at) => Math.max(sofar[at] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
