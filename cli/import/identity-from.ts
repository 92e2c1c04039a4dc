// Makes an identity document from the contents of files, or reports all findings; proves it by handshakes.
import * as v from 'valibot';
import { destinationsSchema, issueSentence } from '../../core/destination/schema.ts';
import { CountersignError } from '../../core/errors.ts';
import { checkIdentity } from '../../core/identity/check.ts';
import { parseRenewal } from '../../core/identity/renewal.ts';
import { serverRefusal } from '../../core/tls/identity-proof.ts';
import { chainFindings, chainOf, gapFinding } from './chain.ts';
import { type Contents, type FoundCertificate, issuerOf, placeOf, subjectOf } from './contents.ts';
import { finding, findingOf, type ImportFinding, shown } from './finding.ts';
import { choosePair, isSound, keyText, type Pair } from './pair.ts';

/** docs/identities.md; `destinations` and `renewal` are there when they were given. */
export interface ImportedDocument {
  readonly privateKey: string;
  readonly certificate: string;
  readonly intermediateCertificates: string;
  readonly rootCertificate: string;
  readonly destinations?: unknown;
  readonly renewal?: unknown;
}

interface ChainPart {
  readonly role: 'client' | 'intermediate' | 'root';
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256, as `AA:BB:…`. */
  readonly fingerprint256: string;
  /** ISO 8601. */
  readonly validFrom: string;
  readonly validTo: string;
  /** The file, with the entry or block of it. */
  readonly source: string;
}

export interface ReadyIdentity {
  /** Holds the private key: to be stored, never shown. */
  readonly document: ImportedDocument;
  /** The client certificate first, the root last. */
  readonly chain: readonly ChainPart[];
  readonly warnings: readonly ImportFinding[];
  readonly notes: readonly string[];
}

export interface IdentitySettings {
  readonly destinations?: unknown;
  readonly renewal?: unknown;
  /** Entry of a keystore. */
  readonly alias?: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** PEM; the roots that Node bundles by default. */
  readonly publicRoots?: readonly string[];
}

/**
 * All findings, those of `contents` included, if one of them is an error. The identity is not proved yet: see `prove`.
 */
export function identityFrom(contents: Contents, settings: IdentitySettings): ReadyIdentity | readonly ImportFinding[] {
  const findings = [...contents.findings, ...settingsFindings(settings)];
  const choice = choosePair(contents, settings.now, settings.alias);
  if (!('pair' in choice)) return errorsFirst([...findings, ...choice]);
  const { pair } = choice;
  const { assembled, chain } = chainOf(pair.leaf, contents.certificates);
  if (!('certificate' in assembled)) findings.push(gapFinding(chain, assembled, contents.certificates));
  findings.push(...keyFindings(pair), ...chainFindings(chain, assembled, settings));
  if (!('certificate' in assembled) || hasError(findings)) return errorsFirst(findings);

  const { destinations, renewal } = settings;
  const document: ImportedDocument = {
    privateKey: keyText(pair.key.key),
    certificate: assembled.certificate,
    intermediateCertificates: assembled.intermediateCertificates,
    rootCertificate: assembled.rootCertificate,
    ...(destinations === undefined ? {} : { destinations }),
    ...(renewal === undefined ? {} : { renewal }),
  };
  const refusal = refusalOf(document, settings.now);
  if (refusal) return errorsFirst([...findings, refusal]);
  const unneeded = contents.certificates.filter((found) => !chain.some((link) => link.found === found));
  return {
    document,
    chain: chain.map(({ found }, index) => chainPart(found, index, chain.length)),
    warnings: findings,
    notes: [
      ...contents.notes,
      ...choice.notes.map(shown),
      ...unneeded.map((found) => `${placeOf(found)} is not part of the chain, and is not stored.`),
    ],
  };
}

function settingsFindings({ destinations, renewal }: IdentitySettings): ImportFinding[] {
  const findings: ImportFinding[] = [];
  const given = destinations === undefined ? {} : { destinations };
  const parsed = v.safeParse(v.object({ destinations: destinationsSchema }), given, { abortEarly: true });
  if (!parsed.success) {
    findings.push(finding('destinations-malformed', 'destinations', issueSentence(parsed.issues[0])));
  }
  try {
    if (renewal !== undefined) parseRenewal(renewal);
  } catch (thrown) {
    findings.push({ ...findingOf(thrown), where: 'renewal' });
  }
  return findings;
}

function keyFindings({ key, leaf }: Pair): ImportFinding[] {
  if (isSound(key.key, leaf.certificate)) return [];
  const sentence = `The private key in ${key.source} is damaged: its private half does not belong to its certificate, or not whole.`;
  return [finding('key-damaged', key.source, sentence)];
}

/** The rules of the platform that the import does not check itself. */
function refusalOf(document: ImportedDocument, now: number): ImportFinding | undefined {
  try {
    const stored = { version: 'import', stage: 'AWSPENDING', document: JSON.stringify(document) } as const;
    checkIdentity('import', stored, now);
    return undefined;
  } catch (thrown) {
    return findingOf(thrown);
  }
}

function chainPart({ certificate, source }: FoundCertificate, index: number, length: number): ChainPart {
  return {
    role: index === 0 ? 'client' : index === length - 1 ? 'root' : 'intermediate',
    subject: subjectOf(certificate),
    issuer: issuerOf(certificate),
    fingerprint256: certificate.fingerprint256,
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    source,
  };
}

function hasError(findings: readonly ImportFinding[]): boolean {
  return findings.some(({ severity }) => severity === 'error');
}

function errorsFirst(findings: readonly ImportFinding[]): readonly ImportFinding[] {
  return findings.toSorted((one, other) => Number(other.severity === 'error') - Number(one.severity === 'error'));
}

/**
 * Presents the identity in handshakes in memory, after the checks of the platform (docs/identities.md). `now` in
 * milliseconds since 1970. Throws `identity-unusable`; a failed handshake has the reason `handshake-failed`.
 */
export async function prove(document: ImportedDocument, now: number = Date.now()): Promise<void> {
  const stored = { version: 'import', stage: 'AWSPENDING', document: JSON.stringify(document) } as const;
  const refusal = await serverRefusal(checkIdentity('import', stored, now));
  if (refusal === undefined) return;
  throw new CountersignError('identity-unusable', refusal.sentence, {
    evidence: { reason: 'handshake-failed', where: refusal.version },
  });
}
