// Finds faults of our own certificate chain that servers refuse, although its check allows them.
import type { X509Certificate } from 'node:crypto';
import type { Identity } from '../identity/identity.ts';
import {
  criticalExtensions,
  findExtension,
  inDates,
  issuerText,
  readUsageFields,
  subjectText,
} from '../x509/certificate.ts';
import { oids } from '../x509/oids.ts';
import { certificatesFromPem } from '../x509/trust.ts';
import type { AccessAssessment } from './access-step.ts';
import { reportCertificate } from './certificate-report.ts';
import { type ClientReport, type Finding, warning } from './diagnosis.ts';

/** Words of remedies, and what chooses them. */
export interface ClientFacts {
  readonly validFrom: string;
  readonly validTo: string;
  /** Every certificate of the chain is within its dates, by our clock. */
  readonly isValid: boolean;
  /** The extended key usage names clientAuth, or the certificate has no extended key usage. */
  readonly isForClients: boolean;
  readonly isRsa: boolean;
  readonly intermediates: number;
  /** Empty if the identity has no root. */
  readonly root: string;
  readonly rootFingerprint: string;
  readonly [name: string]: string | number | boolean;
}

function chainOf({ certificate, intermediateCertificates }: Identity): [X509Certificate, ...X509Certificate[]] {
  return certificatesFromPem(certificate + intermediateCertificates) as [X509Certificate, ...X509Certificate[]];
}

/** `now` in milliseconds since 1970. */
export function clientFacts(identity: Identity, now: number): ClientFacts {
  const chain = chainOf(identity);
  const [leaf] = chain;
  const [root] = certificatesFromPem(identity.rootCertificate);
  return {
    validFrom: leaf.validFromDate.toISOString(),
    validTo: new Date(Math.min(...chain.map(({ validToDate }) => validToDate.getTime()))).toISOString(),
    isValid: chain.every((certificate) => inDates(certificate, now)),
    isForClients: namesClientAuth(leaf),
    isRsa: leaf.publicKey.asymmetricKeyType === 'rsa',
    intermediates: chain.length - 1,
    root: root ? subjectText(root) : '',
    rootFingerprint: root?.fingerprint256 ?? '',
  };
}

function namesClientAuth({ keyUsage }: X509Certificate): boolean {
  const usages = keyUsage as readonly string[] | undefined;
  return usages === undefined || usages.includes(oids.clientAuth);
}

/** Alerts whose meaning excludes a fault of the kinds below. */
const saysAnother: ReadonlySet<unknown> = new Set([
  'certificate_expired',
  'certificate_revoked',
  'certificate_required',
  'decrypt_error',
]);

/** `evidence.reason` of `client-certificate-suspect`; docs/diagnosis.md lists them. */
export const suspectReasons = [
  'validity',
  'chain-incomplete',
  'key-usage',
  'extended-key-usage',
  'critical-extension',
  'name-constraints',
  'chain-depth',
  'key-type',
] as const;

/** The warnings of step 4 for a certificate that the server refused. `now` in milliseconds since 1970. */
export function suspectFindings(
  identity: Identity,
  { issuerAccepted }: Pick<ClientReport, 'issuerAccepted'>,
  { findings, page }: Pick<AccessAssessment, 'findings' | 'page'>,
  now: number,
): readonly Finding[] {
  // Such a server has not come to our certificate.
  if (page === 'wanted-after-handshake') return [];
  const chain = chainOf(identity);
  const outside = chain.find((certificate) => !inDates(certificate, now));
  if (outside) return [validity(outside)];
  const incomplete = missingIssuer(chain, identity.rootCertificate);
  if (incomplete) return [incomplete];
  const alert = findings[0]?.evidence?.alert;
  // The alert is about the kind of certificate, not about its issuer. Erlang sends it for an unknown extension too.
  if (alert === 'unsupported_certificate') {
    return [...keyUsage(chain[0]), ...extendedKeyUsage(chain), ...criticalFindings(chain), ...keyType(chain[0])];
  }
  const isOther = page !== undefined && page !== 'untrusted';
  if (issuerAccepted === false || isOther || saysAnother.has(alert)) return [];
  // OpenSSL sends `unknown_ca` for a chain that is too long, but not for the other faults.
  if (alert === 'unknown_ca') return chainDepth(chain);
  return [
    ...keyUsage(chain[0]),
    ...extendedKeyUsage(chain),
    ...criticalFindings(chain),
    ...nameConstraints(chain),
    ...keyType(chain[0]),
    ...chainDepth(chain),
  ];
}

function suspect(
  reason: (typeof suspectReasons)[number],
  detail: string,
  evidence: Record<string, string | number | readonly string[]>,
) {
  return warning('client-certificate-suspect', detail, { reason, ...evidence });
}

/** Reached only if the identity expires while it is in use, or the clock is set. */
function validity(outside: X509Certificate): Finding {
  const certificate = subjectText(outside);
  const [from, to] = [outside.validFromDate, outside.validToDate].map((date) => date.toISOString().slice(0, 10));
  const detail = `Our certificate ${certificate} is valid from ${from} to ${to}, not today.`;
  return suspect('validity', detail, { certificate });
}

function missingIssuer(chain: readonly X509Certificate[], rootCertificate: string): Finding | undefined {
  const last = chain.at(-1);
  const [root] = certificatesFromPem(rootCertificate);
  if (!last || !root || last.checkIssued(root) || last.checkIssued(last)) return undefined;
  const issuer = issuerText(last);
  const detail = `Our chain ends at ${subjectText(last)}: the certificate of its issuer ${issuer} was not sent.`;
  return suspect('chain-incomplete', detail, { missingIssuer: issuer });
}

/** TLS 1.2 and 1.3 have a client sign the handshake (RFC 5246, section 7.4.8; RFC 8446, section 4.4.3). */
function keyUsage(leaf: X509Certificate): Finding[] {
  if (readUsageFields(leaf.raw)?.keyUsage?.digitalSignature !== false) return [];
  const certificate = subjectText(leaf);
  const detail = `The key usage of ${certificate || 'the client certificate'} does not allow digital signatures, which a TLS client makes.`;
  return [suspect('key-usage', detail, { certificate })];
}

function extendedKeyUsage(chain: readonly X509Certificate[]): Finding[] {
  const found = chain.find((certificate) => !namesClientAuth(certificate));
  if (!found) return [];
  const certificate = subjectText(found);
  const hasAny = (found.keyUsage as readonly string[] | undefined)?.includes(oids.anyExtendedKeyUsage);
  const instead = hasAny ? ', and many servers do not accept anyExtendedKeyUsage in its place' : '';
  const detail = `The extended key usage of ${certificate} does not name clientAuth${instead}.`;
  return [suspect('extended-key-usage', detail, { certificate })];
}

/** What OpenSSL processes (X509_supported_extension in crypto/x509/v3_purp.c); other servers process fewer. */
const processed: ReadonlySet<string> = new Set([
  '2.16.840.1.113730.1.1', // nsCertType
  oids.keyUsage,
  oids.subjectAltName,
  oids.basicConstraints,
  '2.5.29.32', // certificatePolicies
  '2.5.29.31', // cRLDistributionPoints
  '2.5.29.37', // extKeyUsage
  '2.5.29.36', // policyConstraints
  oids.nameConstraints,
  '2.5.29.33', // policyMappings
  '2.5.29.54', // inhibitAnyPolicy
]);

function criticalFindings(chain: readonly X509Certificate[]): Finding[] {
  return chain.flatMap((one) => {
    const extensions = criticalExtensions(one.raw).filter((oid) => !processed.has(oid));
    if (extensions.length === 0) return [];
    const certificate = subjectText(one);
    const detail = `${certificate || 'The client certificate'} has a critical extension that most servers do not know and must refuse: ${extensions.join(', ')}.`;
    return [suspect('critical-extension', detail, { certificate, extensions })];
  });
}

function nameConstraints([, ...issuers]: readonly X509Certificate[]): Finding[] {
  const found = issuers.find(({ raw }) => findExtension(raw, oids.nameConstraints));
  if (!found) return [];
  const certificate = subjectText(found);
  const detail = `The intermediate certificate ${certificate} has name constraints; a server refuses names that they do not permit.`;
  return [suspect('name-constraints', detail, { certificate })];
}

function keyType(leaf: X509Certificate): Finding[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = leaf.publicKey;
  const isUsual = type === 'rsa' || (type === 'ec' && usualCurves.has(details?.namedCurve ?? ''));
  if (isUsual) return [];
  const { key } = reportCertificate(leaf);
  return [suspect('key-type', `Our key is ${key}, which not every server accepts.`, { key })];
}

const usualCurves: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1']);

function chainDepth({ length }: readonly X509Certificate[]): Finding[] {
  const intermediates = length - 1;
  if (intermediates < 2) return [];
  const detail = `Our chain has ${intermediates} intermediate certificates; nginx and Apache allow one by default.`;
  return [suspect('chain-depth', detail, { intermediates })];
}
